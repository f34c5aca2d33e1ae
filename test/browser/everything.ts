/**
 * All that the library for pages says of a file, as text: what it is, where it boots, its plan, conversions and exports. The function is
 * handed to other worlds as its source: it knows nothing but its arguments.
 */
import type * as Library from "../../src/api/browser.js";

/** What the library says of these bytes, errors included. */
export function everything(library: typeof Library, bytes: Uint8Array): string {
  const attempt = (make: () => unknown): unknown => {
    try {
      return make();
    } catch (error) {
      return error instanceof Error ? { name: error.name, message: error.message } : String(error);
    }
  };
  const plain = (_key: string, value: unknown): unknown => {
    if (typeof value === "bigint") return `0x${value.toString(16)}`;
    if (!(value instanceof Uint8Array)) return value;
    let sum = 0;
    for (const byte of value) sum = (Math.imul(sum, 31) + byte) >>> 0;
    return { length: value.length, sum };
  };
  let image: Library.KnownImage | undefined;
  const known = (): Library.KnownImage => (image ??= library.recognise(bytes));
  const said = {
    named: attempt(() => library.namedFile(bytes)),
    image: attempt(() => {
      const { format, arch, summary, facts } = known();
      return { format, arch, summary, facts };
    }),
    verdicts: attempt(() => library.verdicts(known())),
    own: attempt(() => library.ownVerdicts(known())),
    traps: attempt(() => library.traps(known())),
    raw: attempt(() => library.x86Verdicts(bytes, undefined)),
    plan: attempt(() => library.buildPlan({ kernel: { name: "kernel", bytes }, commandLine: "a=b" })),
    conversions: library.CONVERT_TARGETS.map((to) => attempt(() => library.convert(bytes, { to }))),
    exports: library.EXPORT_TARGETS.map((to) =>
      attempt(() =>
        library.exportGuest({ kernel: { name: "kernel", size: bytes.length, image: known() } }, to),
      ),
    ),
  };
  return JSON.stringify(said, plain);
}

// Puts what the compiler made of the program together into few files, in dist/run: a start loads a dozen of them instead of
// hundreds (RATIONALE.md). Nothing is renamed or shortened, so that a stack trace says what it said; what is imported when it
// is needed stays so.
import { readFile, rm } from "node:fs/promises";
import path from "node:path";

/**
 * What is started by its name, by thread: no two threads share a module, and parts that only one needs are larger and fewer. The
 * library is there once more: a file to plug in shares its classes with the program, in either thread.
 */
const THREADS = {
  main: ["cli/program", "api/index"],
  machine: ["host/node/worker", "api/index"],
  jobs: ["guests/thread-jobs"],
};
const FROM = path.resolve("dist/src");
const TO = path.resolve("dist/run");

/** A file's place as the code names it. Anything else that it does with its own place could not be moved. */
const OWN_PLACE = /new URL\("([^"]+)", import\.meta\.url\)/g;

/** The file in the bundle that an entry becomes. */
const nameOf = (thread, entry) => `${thread}/${path.basename(entry)}`;

/** Where a file that `module` of a thread names by its place lies, seen from that thread's part of the bundle. */
function moved(thread, module, named) {
  const file = path.resolve(path.dirname(module), named);
  const own = (one) => path.join(FROM, `${one}.js`) === file;
  const home = THREADS[thread].some(own)
    ? thread
    : Object.keys(THREADS).find((one) => THREADS[one].some(own));
  const entry = home && THREADS[home].find(own);
  const place = entry ? path.join(TO, `${nameOf(home, entry)}.js`) : file;
  return path.relative(path.join(TO, thread), place).replaceAll(path.sep, "/");
}

const places = (thread) => ({
  name: "places",
  setup(build) {
    build.onLoad({ filter: /\.js$/ }, async ({ path: module }) => {
      const text = await readFile(module, "utf8");
      if (!text.includes("import.meta")) return undefined;
      const contents = text.replace(
        OWN_PLACE,
        (_, named) => `new URL(${JSON.stringify(moved(thread, module, named))}, import.meta.url)`,
      );
      if (text.replace(OWN_PLACE, "").includes("import.meta"))
        return { errors: [{ text: `${module}: only new URL("…", import.meta.url) can be bundled` }] };
      return { contents };
    });
  },
});

/** Makes dist/run of dist/src. Rejects, with what is wrong on stderr, where that cannot be done. */
export async function bundle() {
  const { build } = await import("esbuild");
  await rm(TO, { recursive: true, force: true });
  const bundles = Object.entries(THREADS).map(([thread, entries]) =>
    build({
      entryPoints: entries.map((entry) => ({
        in: path.join(FROM, `${entry}.js`),
        out: nameOf(thread, entry),
      })),
      outdir: TO,
      chunkNames: `${thread}/part-[hash]`,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      logLevel: "warning",
      plugins: [places(thread)],
    }),
  );
  await Promise.all(bundles);
}

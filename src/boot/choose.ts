/**
 * Chooses the loader for an image and says why. Asks loaders in order, or only the one that was named; when none
 * takes the image, every refusal is kept.
 */
import { isForArm } from "../formats/image.js";
import { unikernelOf } from "../formats/elf/unikernel.js";
import type { Image } from "../formats/index.js";
import { lostMultiboot } from "../formats/multiboot-facts.js";
import { BootError, faultOf, NoLoaderError, OptionError, type BootFault } from "./boot-error.js";
import { programFault } from "./kernel-elf.js";
import type { BootProtocol, Loader, Recognition, RecogniseContext, Refused } from "./loader.js";
import type { LoaderOptions } from "./options.js";
import type { LoaderRegistry } from "./registry.js";

/** A loader that takes the image. */
export interface Choice {
  loader: Loader;
  protocol: BootProtocol;
  why: string;
}

/** What one loader says of an image; the verdict table of `locore inspect` is made of these. */
export interface LoaderVerdict {
  loader: Loader;
  recognition: Recognition;
}

/** Asks one loader; a broken image is a refusal like any other. */
export function ask(loader: Loader, image: Image, context: RecogniseContext): LoaderVerdict {
  try {
    const recognition = loader.recognise(image, context);
    const unwanted = recognition.fits ? unwantedModules(loader, context.modules ?? 0) : undefined;
    return { loader, recognition: unwanted === undefined ? recognition : { fits: false, fault: unwanted } };
  } catch (error) {
    const fault = error instanceof OptionError ? undefined : faultOf(error);
    if (fault === undefined) throw error;
    return { loader, recognition: { fits: false, fault } };
  }
}

/** The rule that modules are for protocols that have them; anything else would lose them silently. */
function unwantedModules({ name, takesModules }: Loader, modules: number): BootFault | undefined {
  if (modules === 0 || takesModules) return undefined;
  return {
    place: { kind: "option", name: "module" },
    found: `${modules} boot module(s)`,
    expected: `none: the ${name} loader's protocol has no boot modules`,
    meaning: "Give an initial RAM disk as the initrd; modules are for PVH and Multiboot kernels.",
  };
}

/**
 * The loader named by `options.name`, else the first that takes the image.
 * @param doing what the caller is about to do, for errors.
 * @throws NoLoaderError, OptionError
 */
export function choose(
  image: Image,
  context: RecogniseContext,
  registry: LoaderRegistry,
  doing: string,
): Choice {
  const { options } = context;
  const asked = options.name === undefined ? registry.all() : [named(options.name, registry)];
  const candidates = image.format === "foreign" ? asked.filter((loader) => loader.readsForeign) : asked;
  if (image.format === "foreign" && candidates.length === 0) throw image.refusal;
  const refusals: { loader: string; refused: Refused }[] = [];
  for (const loader of candidates) {
    const { recognition } = ask(loader, image, context);
    if (recognition.fits) {
      checkOptions(loader, options);
      const byName = options.name === undefined ? "" : "asked for by name: ";
      return { loader, protocol: recognition.protocol, why: byName + recognition.why };
    }
    refusals.push({ loader: loader.name, refused: recognition });
  }
  if (options.name === undefined && isForArm(image)) throw new BootError(doing, armFault(image));
  // Those that could have taken such a file speak first.
  refusals.sort((a, b) => Number(a.refused.otherFormat ?? false) - Number(b.refused.otherFormat ?? false));
  throw new NoLoaderError(
    doing,
    refusals.map(({ loader, refused }) => ({ loader, fault: refused.fault })),
    answerFor(image),
  );
}

/** What a person should know of this file before any loader's reasons. */
function answerFor(image: Image): string | undefined {
  const lost = lostMultiboot(image.bytes);
  if (lost !== undefined) return `found ${lost.found}. ${lost.meaning}`;
  if (image.format !== "elf") return undefined;
  const fault = programFault(image);
  if (fault === undefined) return undefined;
  if (unikernelOf(image) !== undefined) return `found ${fault.found}. ${fault.meaning}`;
  return "this is a program for an operating system, not a kernel: put it into an initrd, and boot a kernel with that";
}

function armFault({ summary, arch }: Image): BootFault {
  return {
    place: { kind: "file", offset: 0 },
    found: summary,
    expected: "a kernel for x86-64 or i386",
    meaning:
      `This machine has an x86 CPU. locore inspect says what Xen, QEMU and U-Boot do with this ${arch} kernel, locore ` +
      "convert and export prepare it for Xen; to boot it here, get its amd64 or i386 build.",
  };
}

function named(name: string, registry: LoaderRegistry): Loader {
  const loader = registry.get(name);
  if (loader !== undefined) return loader;
  const names = registry.all().map((one) => one.name);
  throw new OptionError("loader.name", `"${name}"`, names.join(", "), "There is no such loader.");
}

/** Options that the chosen loader does not know would otherwise be ignored silently. */
function checkOptions(loader: Loader, options: LoaderOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === "name" || value === undefined) continue;
    if (!Object.hasOwn(loader.options, name)) {
      const known = Object.keys(loader.options).map((option) => `loader.${option}`);
      throw new OptionError(
        `loader.${name}`,
        `an option that the ${loader.name} loader does not have`,
        known.length > 0 ? known.join(", ") : "no options",
        "It is misspelt, or meant for another loader: name that with loader.name.",
      );
    }
    const { values } = loader.options[name];
    if (values !== undefined && !values.includes(value)) {
      throw new OptionError(`loader.${name}`, `"${value}"`, values.join(" or "), loader.options[name].help);
    }
  }
}

/**
 * What this program's own loaders do with an image, in the form that other loaders' verdicts have. Nothing is laid out: the
 * loaders are asked, as `boot` asks them.
 */
import { unikernelOf } from "../formats/elf/unikernel.js";
import type { FormatError } from "../formats/format-error.js";
import type { KnownImage } from "../formats/index.js";
import { advisedFor, type LoaderFacts, type Verdict } from "../verdicts/index.js";
import type { BootFault } from "./boot-error.js";
import { ask } from "./choose.js";
import type { Loader } from "./loader.js";
import { LoaderRegistry } from "./registry.js";

const PREFIX = "locore-";
const SOURCE = "this program: src/boot; run";
/** What a payload may unpack to, bytes. */
const MEMORY = 2 ** 29;

function factsOf({ name, summary }: Loader): LoaderFacts {
  return { name: `${PREFIX}${name}`, what: `locore boot -o loader.name=${name}: ${summary}`, source: SOURCE };
}

/** The loaders by the names that verdicts have. */
export function ownLoaders(): LoaderFacts[] {
  return new LoaderRegistry().all().map(factsOf);
}

/** One verdict a loader. */
export function ownVerdicts(image: KnownImage): Verdict[] {
  const context = { memory: MEMORY, options: {} };
  const unikernel = image.format === "elf" ? unikernelOf(image) : undefined;
  const verdicts = new LoaderRegistry().all().map((loader): Verdict => {
    const { recognition } = ask(loader, image, context);
    const facts = factsOf(loader);
    if (recognition.fits) {
      return {
        loader: facts,
        outcome: "takes",
        reason: `${recognition.protocol.entry}: ${recognition.why}`,
        prints: [],
      };
    }
    return refusal(facts, recognition.fault, loader.name);
  });
  return advisedFor(unikernel, verdicts);
}

/** The same for a file that no reader takes. */
export function ownRefusals({ offset, found, expected, meaning, message }: FormatError): Verdict[] {
  return ownLoaders().map((loader) => ({
    loader,
    outcome: "refuses",
    reason: "its reader refuses the file",
    check: { offset, found, expected },
    prints: [message],
    advice: meaning,
  }));
}

function refusal(loader: LoaderFacts, fault: BootFault, name: string): Verdict {
  const { place, found, expected, meaning } = fault;
  return {
    loader,
    outcome: "refuses",
    reason: `the ${name} loader does not take it`,
    check: { offset: place.kind === "file" ? place.offset : 0, found, expected },
    prints: [],
    advice: meaning,
  };
}

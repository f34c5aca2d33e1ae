/**
 * The setup_data list: records for the kernel that the zero page has no room for. So far one kind, a seed for the
 * kernel's random number generator (`-o loader.rng_seed=`), so that a deterministic boot need not wait for entropy.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "setup_data" (protocol 2.09).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { SETUP_DATA_AREA } from "../../memory/layout.js";
import { SETUP_DATA, SETUP_TYPE } from "../../spec/boot-params.js";
import { OptionError } from "../boot-error.js";
import type { LoadContext, LoaderOptionSpec } from "../loader.js";
import type { LoaderOptions } from "../options.js";

const LONGEST_SEED = 512;
const HEX_BYTES = /^([0-9a-fA-F]{2})+$/;

/** The option that both Linux loaders take. */
export const RNG_SEED_OPTION: Readonly<Record<string, LoaderOptionSpec>> = {
  rng_seed: {
    help: "seed for the kernel's random numbers, hex digits (read by Linux 6.0 and later)",
  },
};

/** Reads `loader.rng_seed`. Throws OptionError. */
export function rngSeed(options: LoaderOptions): Uint8Array | undefined {
  const text = options.rng_seed;
  if (text === undefined) return undefined;
  if (!HEX_BYTES.test(text) || text.length / 2 > LONGEST_SEED) {
    throw new OptionError(
      "loader.rng_seed",
      `"${text.slice(0, 40)}"`,
      `an even number of hex digits, at most ${2 * LONGEST_SEED}`,
      "32 bytes are plenty.",
    );
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Places the list if there is anything in it; returns the address of its first record. */
export function placeSetupData(
  context: LoadContext,
  owner: string,
  seed: Uint8Array | undefined,
): number | undefined {
  if (seed === undefined) return undefined;
  const view = new ByteView(new Uint8Array(SETUP_DATA.HEADER_SIZE + seed.length));
  view.setU32(SETUP_DATA.TYPE, SETUP_TYPE.RNG_SEED);
  view.setU32(SETUP_DATA.LENGTH, seed.length);
  view.setBytes(SETUP_DATA.HEADER_SIZE, seed);
  const request = {
    name: "setup_data",
    owner,
    size: view.length,
    align: SETUP_DATA.ALIGNMENT,
    bytes: view.bytes,
  };
  return context.memory.claimAt(SETUP_DATA_AREA.start, request).start;
}

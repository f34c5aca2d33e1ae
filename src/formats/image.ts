/**
 * What a recognised file is, as data: shared by every reader. Knows no boot protocol: whether and how an image
 * boots is decided by `boot/`.
 */

/** One thing known about a file. Addresses, flags and magic numbers are hex text; counts and sizes are numbers. */
export interface Fact {
  /** As the specification names it where it has a name; dotted for parts: "program[0].p_paddr". */
  name: string;
  value: string | number | boolean | readonly (string | number)[];
  /** File offset where it stands; absent for what is derived. */
  offset?: number;
  /** What it says to a person. */
  meaning?: string;
}

/** What every image has. */
export interface ImageBase {
  /** The whole file. */
  readonly bytes: Uint8Array;
  /** Instruction set it is made for: "x86-64", "i386", "arm", … */
  readonly arch: string;
  /** One line for people. */
  readonly summary: string;
  /** Set when the file was packed as a whole: all offsets are those of the unpacked bytes. */
  readonly packedBy?: string;
  /** Computed on first use. */
  readonly facts: readonly Fact[];
}

/** Runs `compute` once, on first call. */
export function once<T>(compute: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: compute() }).value;
}

/** Whether an image is for ARM machines, of either width. */
export function isForArm({ arch }: Pick<ImageBase, "arch">): boolean {
  return arch === "arm" || arch === "arm64";
}

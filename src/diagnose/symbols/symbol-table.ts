/**
 * Names of a kernel's functions and variables by their addresses. Made of any source: an ELF file, System.map, what the kernel
 * keeps in its memory. Addresses are as the kernel runs, its slide included.
 */

/** One symbol as its source has it. */
export interface NamedAddress {
  address: bigint;
  name: string;
}

/** Where an address lies. */
export interface SymbolPlace {
  name: string;
  /** Bytes behind the symbol. */
  offset: number;
}

/** Where the names came from. */
export type SymbolSource = "kallsyms" | "ELF symbols" | "System.map";

/** An address farther behind a symbol than this does not belong to it. */
const FARTHEST = 0x10_0000n;

/** "do_idle+0x1a". */
export function placeText({ name, offset }: SymbolPlace): string {
  return offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
}

export class SymbolTable {
  readonly source: SymbolSource;
  readonly #addresses: BigUint64Array;
  readonly #names: readonly string[];
  #byName: Map<string, bigint> | undefined;

  /** `symbols` in any order. Of several at one address the first given counts. */
  constructor(source: SymbolSource, symbols: readonly NamedAddress[]) {
    this.source = source;
    const sorted = isSorted(symbols)
      ? symbols
      : [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    this.#addresses = BigUint64Array.from(sorted, ({ address }) => address);
    this.#names = sorted.map(({ name }) => name);
  }

  get size(): number {
    return this.#names.length;
  }

  /** The symbol at or closest below an address; undefined where none is near. */
  at(address: bigint): SymbolPlace | undefined {
    let low = 0;
    let high = this.#addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle] <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const found = this.#addresses[low - 1];
    if (address - found > FARTHEST) return undefined;
    let first = low - 1;
    while (first > 0 && this.#addresses[first - 1] === found) first--;
    return { name: this.#names[first], offset: Number(address - found) };
  }

  /** The address of a symbol. */
  find(name: string): bigint | undefined {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (let i = this.#names.length - 1; i >= 0; i--) this.#byName.set(this.#names[i], this.#addresses[i]);
    }
    return this.#byName.get(name);
  }

  /** All of them, by ascending addresses. */
  *all(): Generator<NamedAddress> {
    for (const [i, name] of this.#names.entries()) yield { name, address: this.#addresses[i] };
  }

  /** The same symbols so many bytes higher. */
  slid(by: bigint): SymbolTable {
    if (by === 0n) return this;
    const moved = this.#names.map((name, i) => ({
      name,
      address: BigInt.asUintN(64, this.#addresses[i] + by),
    }));
    return new SymbolTable(this.source, moved);
  }
}

function isSorted(symbols: readonly NamedAddress[]): boolean {
  return symbols.every(({ address }, i) => i === 0 || symbols[i - 1].address <= address);
}

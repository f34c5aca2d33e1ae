/** Blocks of decoded instructions, and finding the one that holds a record. */

/** Bytes of one page that a block was decoded from. */
export interface Extent {
  page: number;
  start: number;
  end: number;
}

/** Decoded instructions in one piece, `count` records from `record` on, and the bytes that they begin in. */
export interface Block extends Extent {
  readonly record: number;
  count: number;
  readonly mode: number;
  /** Bytes of another page that the only instruction goes on in. */
  rest: Extent | undefined;
  dropped: boolean;
  /** How often execution was found here; see region/. */
  heat: number;
  /** How often regions made of it were formed anew. */
  renewals: number;
}

/** Whether bytes of a page are among those of a block. */
export function touches(
  { page, start, end, rest }: Block,
  inPage: number,
  from: number,
  to: number,
): boolean {
  if (page === inPage && start < to && from < end) return true;
  return rest !== undefined && rest.page === inPage && rest.start < to && from < rest.end;
}

/** Every block since the last flush, in the order of their records. */
export class BlockSequence {
  private readonly blocks: Block[] = [];

  append(block: Block): void {
    this.blocks.push(block);
  }

  clear(): void {
    this.blocks.length = 0;
  }

  /** The block that holds a record, by bisection; undefined when it was dropped. */
  holding(record: number): Block | undefined {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].record <= record) low = middle;
      else high = middle - 1;
    }
    const block = this.blocks[low] as Block | undefined;
    return block && !block.dropped ? block : undefined;
  }
}

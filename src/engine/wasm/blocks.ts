/** Blocks of decoded instructions, and finding those that hold a record or bytes of a page. */

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

/** Blocks that are made when they are asked for, of what was saved of them; see decoded-code.ts. */
export interface SavedBlocks {
  readonly count: number;
  /** First record of one, by its number; numbers are in the order of records. */
  recordOf(number: number): number;
  /** The same block each time. */
  block(number: number): Block;
  /** By page: the blocks that have bytes of it. */
  readonly pages: ReadonlyMap<number, () => Block[]>;
}

/** Every block since the last flush: in the order of their records, and by the pages that they have bytes of. */
export class Blocks {
  private saved: SavedBlocks | undefined;
  /** Behind those that were saved. */
  private readonly sequence: Block[] = [];
  private readonly byPage = new Map<number, Block[]>();
  /** Pages whose blocks are still to be made. */
  private readonly unmade = new Map<number, () => Block[]>();

  append(block: Block): void {
    this.sequence.push(block);
  }

  /** Has those that another cache saved; there are no others yet. */
  restore(saved: SavedBlocks): void {
    this.saved = saved;
    for (const [page, make] of saved.pages) this.unmade.set(page, make);
  }

  clear(): void {
    this.saved = undefined;
    this.sequence.length = 0;
    this.byPage.clear();
    this.unmade.clear();
  }

  /** Those that were not dropped, in the order of their records. */
  current(): Block[] {
    const { saved } = this;
    const first = saved === undefined ? [] : Array.from({ length: saved.count }, (_, i) => saved.block(i));
    return [...first, ...this.sequence].filter(({ dropped }) => !dropped);
  }

  /** The block that holds a record, by bisection; undefined when it was dropped. */
  holding(record: number): Block | undefined {
    const { saved, sequence } = this;
    const before = saved?.count ?? 0;
    const recordOf = (i: number): number => (i < before ? saved!.recordOf(i) : sequence[i - before].record);
    let low = 0;
    let high = before + sequence.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (recordOf(middle) <= record) low = middle;
      else high = middle - 1;
    }
    const block = low < before ? saved!.block(low) : (sequence[low - before] as Block | undefined);
    return block && !block.dropped ? block : undefined;
  }

  /** Pages that blocks have bytes of. */
  get pages(): number[] {
    return [...this.byPage.keys(), ...this.unmade.keys()];
  }

  in(page: number): readonly Block[] | undefined {
    return this.listOf(page);
  }

  /** A block has bytes of a page. */
  hold(page: number, block: Block): void {
    const list = this.listOf(page);
    if (list) list.push(block);
    else this.byPage.set(page, [block]);
  }

  /** These are the ones that are left in a page. */
  keep(page: number, blocks: Block[]): void {
    if (blocks.length > 0) this.byPage.set(page, blocks);
    else this.byPage.delete(page);
  }

  private listOf(page: number): Block[] | undefined {
    const make = this.unmade.size > 0 ? this.unmade.get(page) : undefined;
    if (make !== undefined) {
      this.unmade.delete(page);
      this.byPage.set(page, make());
    }
    return this.byPage.get(page);
  }
}

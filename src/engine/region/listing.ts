/**
 * The guest instructions of a region as text: where they stand, their bytes, what they do. Taken when the region is
 * made, because records are used again; the bytes are read when somebody asks.
 */
import type { DecodedRecord } from "./decoded-record.js";
import type { RegionGraph } from "./graph.js";
import { recordText } from "./record-text.js";

interface Line {
  readonly ramOffset: number;
  readonly record: DecodedRecord;
  /** Number of the node that begins here, or -1. */
  readonly node: number;
}

const BYTES_WIDTH = 30;

export class Listing {
  private readonly rows: readonly Line[];

  constructor(graph: RegionGraph) {
    this.rows = graph.nodes.flatMap(({ records, page }, node) =>
      records.map((record, i) => ({
        ramOffset: page.ramOffset + record.offset,
        record,
        node: i === 0 ? node : -1,
      })),
    );
  }

  /** One line an instruction, node by node; the bytes are taken from `ram`. */
  lines(ram: Uint8Array): string[] {
    return this.rows.map(({ ramOffset, record, node }) => {
      const bytes = Array.from(ram.subarray(ramOffset, ramOffset + record.length), (byte) =>
        byte.toString(16).padStart(2, "0"),
      );
      const place = ramOffset.toString(16).padStart(8, "0");
      const mark = node < 0 ? "" : `n${node}:`;
      return `${mark.padEnd(5)} ${place}  ${bytes.join(" ").padEnd(BYTES_WIDTH)}  ${recordText(record)}`;
    });
  }
}

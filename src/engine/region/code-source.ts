/** The code that regions are formed of, as a graph is told of it. */
import type { DecodedRecord } from "./decoded-record.js";

/** What the graph asks of the decode cache and of the regions there are already. */
export interface CodeSource {
  readonly view: DataView;
  /** Number of the operation that a record had when it was decoded. */
  operationOf(record: number): number;
  /** Whether the record is an entry of a region. */
  isEntry(record: number): boolean;
  /** Whether execution was found there, or in the block around it, a few times at least. */
  isWarm(record: number): boolean;
  /** Address behind the last record of the block that holds `record`. */
  blockEnd(record: number): number;
  /** RAM offset of the page that holds a record's instruction. */
  pageOf(record: number): number;
  /** RAM offset of the page that lies `distance` bytes behind that of the seed, or -1 when that is not known. */
  pageAt(distance: number): number;
  /** How far an instruction pointer lies behind that of the first byte of the seed's page. */
  distanceTo(rip: bigint): number;
  /** The record of the instruction at a RAM offset, or 0 when it is not decoded. */
  recordAt(ramOffset: number): number;
  /** Records that blocks in the page at a RAM offset begin with: control has come there from elsewhere. */
  startsInPage(ramOffset: number): readonly number[];
  /** Whether generated code can do the instruction. */
  compiles(record: DecodedRecord): boolean;
}

/** A page that a region's code comes from. */
export interface CodePage {
  /** Its address less that of the seed's page. */
  readonly distance: number;
  readonly ramOffset: number;
}

/** The shape of a decoded block in the cache: where its records are and which bytes they came from. Data only. */

/** Bytes of one page that a block was decoded from. */
export interface Extent {
  page: number;
  start: number;
  end: number;
}

export interface Block {
  /** Its first record, and how many follow each other from there. */
  record: number;
  count: number;
  /** The mode key that it was decoded under. */
  mode: number;
  extents: Extent[];
  dropped: boolean;
}

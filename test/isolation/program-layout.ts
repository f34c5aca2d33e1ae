/** Where random programs, their data and what counts lie. Knows neither what they do nor what is around them. */
export const PAGE = 0x1000;
export const CODE = 0x10000;
export const CODE_PAGES = 8;
/** The same program with other constants, which pages of code are switched to. */
export const TWIN = CODE ^ 0x80000;
export const DATA = 0x40000;
export const DATA_PAGES = 8;
export const PAGE_TABLE = 0xb000;
/** Counters of handlers, and the jumps that a function may still take to anywhere. */
export const COUNTS = 0x5000;
export const FUEL = COUNTS + 0x100;

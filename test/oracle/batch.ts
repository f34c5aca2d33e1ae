/** Up to BATCH cases of any forms, laid out as both worlds read them. */
import type { Case } from "./case.js";
import type { Form } from "./form.js";
import { BATCH, CODE, CODE_PAGES, CODE16_REACH, CODE_STRIDE, INT3, PAGE, RECORD_BYTES } from "./layout.js";

/** INT3s around cases that branch: more than a short branch reaches. */
const APART = 160;
const LONGEST_GAP = 8;

/** What a batch is to those who run it. */
export type Runnable = Pick<Batch, "cases" | "segmented" | "pages" | "records">;

export class Batch {
  cases = 0;
  readonly forms: Form[] = [];
  readonly rows: number[] = [];
  /** Per case: where its bytes lie in the pages of code, and how many there are. */
  private readonly places: number[] = [];
  private readonly lengths: number[] = [];
  private readonly input = new Uint8Array(BATCH * RECORD_BYTES);
  private readonly code = new Uint8Array(CODE_PAGES * PAGE).fill(INT3);
  private used = 0;

  clear(): void {
    this.cases = 0;
    this.forms.length = this.rows.length = this.places.length = this.lengths.length = 0;
    this.code.fill(INT3, 0, this.used);
    this.used = 0;
  }

  /** Whether cases may have segments of their own; then the native program needs a local descriptor table. */
  segmented = false;

  get full(): boolean {
    const room = this.segmented ? (CODE16_REACH / CODE_STRIDE) * PAGE : this.code.length;
    return this.cases === BATCH || this.used + 2 * PAGE > room;
  }

  /** Whether a case of `form` can be added to those that are there. */
  takes(form: Form): boolean {
    return this.cases === 0 || this.segmented === (form.segmented ?? false);
  }

  /** All pages of code, one after the other; natively and in the guest the same are present. */
  pages(): Uint8Array {
    return this.code;
  }

  records(): Uint8Array {
    return this.input.subarray(0, this.cases * RECORD_BYTES);
  }

  record(index: number): Uint8Array {
    return this.input.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
  }

  /** The bytes of a case's instruction, and those that follow it. */
  bytes(index: number): Uint8Array {
    return this.code.subarray(this.places[index], this.places[index] + this.lengths[index]);
  }

  address(index: number): number {
    return linear(this.places[index]);
  }

  /** Makes row `row` of `form` from `seed` as the next case. */
  add(form: Form, row: number, c: Case, ...seed: number[]): void {
    c.random.seed(...seed);
    this.segmented = form.segmented ?? false;
    if (form.apart) this.used += APART;
    if (form.apart && PAGE - (this.used % PAGE) < 2 * APART)
      this.used = Math.ceil(this.used / PAGE) * PAGE + APART;
    const place = this.used;
    c.begin(form, this.record(this.cases), linear(place));
    form.build(c);
    for (const fix of c.whenEndIsKnown) fix(c.address + c.code.length);
    // What lies behind the end of the page is lost: that page is absent.
    const room = Math.min(c.code.length, PAGE - (place % PAGE));
    for (let i = 0; i < room; i++) this.code[place + i] = c.code[i];
    this.used += room + (form.apart ? APART : 1 + c.random.below(LONGEST_GAP));
    if (room < c.code.length) this.used = place + room;
    this.places.push(place);
    this.lengths.push(c.code.length);
    this.forms.push(form);
    this.rows.push(row);
    this.cases++;
  }
}

const linear = (place: number): number => CODE + Math.floor(place / PAGE) * CODE_STRIDE + (place % PAGE);

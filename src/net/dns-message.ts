/** Messages of DNS, as far as a forwarder looks at them: one question, and answers that are addresses. Specification: RFC 1035. */

const AT = { ID: 0, FLAGS: 2, QUESTIONS: 4, ANSWERS: 6, AUTHORITIES: 8, ADDITIONS: 10 } as const;
export const DNS_HEADER = 12;
const FLAG = {
  RESPONSE: 0x8000,
  OPCODE: 0x7800,
  TRUNCATED: 0x0200,
  WANTED: 0x0100,
  AVAILABLE: 0x0080,
  UNCHECKED: 0x0010,
} as const;
export const DNS_CODE = { OK: 0, FORMAT: 1, SERVER: 2, NO_NAME: 3, NOT_DONE: 4, REFUSED: 5 } as const;
export const DNS_TYPE = { A: 1, AAAA: 28, OPT: 41 } as const;
/** Types that are no records of a name but deeds of two servers: keys, signatures, whole zones. */
const DEEDS = { FIRST: 249, LAST: 252 } as const;
const CLASS_IN = 1;
const MOST_LABEL = 63;
const MOST_NAME = 255;
const LABEL = /^[a-z0-9_-]+$/i;
/** What whoever reads names takes for a part of an address: 127.0.0.1 is 2130706433 too, and 0x7f.1. */
const NUMBER = /^(\d+|0x[\da-f]*)$/i;
/** The name of the question, at the only place where it stands. */
const POINTER_TO_QUESTION = 0xc000 | DNS_HEADER;
const RECORD_HEAD = 12;
const TYPE_AND_CLASS = 4;
/** A record that says what its sender understands (RFC 6891): the root's, with a length in place of a class and flags in place of a time. */
const OPTION = { TYPE: 1, ROOM: 3, FLAGS: 7, BYTES: 11 } as const;
const DNSSEC_OK = 0x8000;

export interface DnsQuestion {
  readonly id: number;
  readonly flags: number;
  /** In lower case, without a dot at its end. */
  readonly name: string;
  /**
   * Whether hosts have such names: labels of letters, digits, - and _, the last of them no number. No other is to reach whoever takes names
   * as text: a label may hold dots, or a NUL that ends the text, and the name be another than the one that was looked at.
   */
  readonly plain: boolean;
  readonly type: number;
  /** Whether it asks for a record of a name of the Internet, and nothing else. */
  readonly ordinary: boolean;
  /** What the one who asks understands beyond RFC 1035; absent: nothing. */
  readonly extended?: { readonly dnssec: boolean };
  /** The header and the question, which the answer begins with. */
  readonly head: Uint8Array;
}

/** Reads a question; undefined for what is none, or more than one. */
export function readQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < DNS_HEADER) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const flags = view.getUint16(AT.FLAGS);
  if ((flags & (FLAG.RESPONSE | FLAG.OPCODE)) !== 0 || view.getUint16(AT.QUESTIONS) !== 1) return undefined;
  const labels: string[] = [];
  let at = DNS_HEADER;
  for (;;) {
    const length = message[at];
    if (!(length <= MOST_LABEL) || at - DNS_HEADER > MOST_NAME) return undefined;
    at++;
    if (length === 0) break;
    // Bytes that are no letters are not understood, and kept apart from those that are.
    labels.push(String.fromCharCode(...message.subarray(at, at + length)));
    at += length;
  }
  if (at + TYPE_AND_CLASS > message.length) return undefined;
  const type = view.getUint16(at);
  const isDeed = type >= DEEDS.FIRST && type <= DEEDS.LAST;
  const extended = readOption(view, at + TYPE_AND_CLASS);
  return {
    id: view.getUint16(AT.ID),
    flags,
    name: labels.join(".").toLowerCase(),
    plain: labels.every((label) => LABEL.test(label)) && !NUMBER.test(labels.at(-1) ?? ""),
    type,
    ordinary: view.getUint16(at + 2) === CLASS_IN && !isDeed,
    ...(extended && { extended }),
    head: message.slice(0, at + TYPE_AND_CLASS),
  };
}

/** What follows the question, if that is an option at once, as everybody sends it. */
function readOption(view: DataView, at: number): DnsQuestion["extended"] {
  if (at + OPTION.BYTES > view.byteLength) return undefined;
  if (view.getUint8(at) !== 0 || view.getUint16(at + OPTION.TYPE) !== DNS_TYPE.OPT) return undefined;
  return { dnssec: (view.getUint16(at + OPTION.FLAGS) & DNSSEC_OK) !== 0 };
}

/** The question as somebody else is to be asked it: made anew, with nothing of whoever asked but the name and the type. `room`: for the answer, bytes. */
export function askedAnew({ head, flags, extended }: DnsQuestion, room: number): Uint8Array {
  const bytes = new Uint8Array(head.length + (extended === undefined ? 0 : OPTION.BYTES));
  bytes.set(head);
  const view = new DataView(bytes.buffer);
  view.setUint16(AT.FLAGS, flags & (FLAG.WANTED | FLAG.UNCHECKED));
  for (const count of [AT.ANSWERS, AT.AUTHORITIES, AT.ADDITIONS]) view.setUint16(count, 0);
  if (extended === undefined) return bytes;
  view.setUint16(AT.ADDITIONS, 1);
  view.setUint16(head.length + OPTION.TYPE, DNS_TYPE.OPT);
  view.setUint16(head.length + OPTION.ROOM, room);
  view.setUint16(head.length + OPTION.FLAGS, extended.dnssec ? DNSSEC_OK : 0);
  return bytes;
}

/** An answer to a question: how it came out, and addresses as bytes, each good for so many seconds. */
export function answerTo(
  { head, flags, type }: DnsQuestion,
  code: number,
  addresses: readonly Uint8Array[] = [],
  seconds = 0,
): Uint8Array {
  const records = addresses.reduce((sum, { length }) => sum + RECORD_HEAD + length, 0);
  const bytes = new Uint8Array(head.length + records);
  const view = new DataView(bytes.buffer);
  bytes.set(head);
  view.setUint16(AT.FLAGS, FLAG.RESPONSE | (flags & FLAG.WANTED) | FLAG.AVAILABLE | code);
  view.setUint16(AT.ANSWERS, addresses.length);
  view.setUint16(AT.AUTHORITIES, 0);
  view.setUint16(AT.ADDITIONS, 0);
  let at = head.length;
  for (const address of addresses) {
    view.setUint16(at, POINTER_TO_QUESTION);
    view.setUint16(at + 2, type);
    view.setUint16(at + 4, CLASS_IN);
    view.setUint32(at + 6, seconds);
    view.setUint16(at + 10, address.length);
    bytes.set(address, at + RECORD_HEAD);
    at += RECORD_HEAD + address.length;
  }
  return bytes;
}

/** The answer without what does not fit: its receiver asks again, where there is room. */
export function truncated(answer: Uint8Array, question: DnsQuestion): Uint8Array {
  const bytes = question.head.slice();
  const view = new DataView(bytes.buffer);
  const flags = new DataView(answer.buffer, answer.byteOffset, answer.length).getUint16(AT.FLAGS);
  view.setUint16(AT.FLAGS, flags | FLAG.TRUNCATED);
  for (const count of [AT.ANSWERS, AT.AUTHORITIES, AT.ADDITIONS]) view.setUint16(count, 0);
  return bytes;
}

/** Whether a message may be an answer to a question: it says so, and has its number. */
export function answers(message: Uint8Array, { id }: DnsQuestion): boolean {
  if (message.length < DNS_HEADER) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return view.getUint16(AT.ID) === id && (view.getUint16(AT.FLAGS) & FLAG.RESPONSE) !== 0;
}

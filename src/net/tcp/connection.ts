/**
 * One connection of TCP: segments in and out, bytes to and from its user, nothing of where either come from.
 *
 * What is left out: urgent data are data as all others; no selective acknowledgements, no timestamps.
 * Specification: RFC 9293 (the sections are its own), RFC 5961 (what somebody may have made up), RFC 6298, RFC 5681.
 */
import type { NetClock } from "../clock.js";
import type { Budget } from "./budget.js";
import { Congestion } from "./congestion.js";
import { ReorderQueue } from "./reorder-queue.js";
import { RoundTrip } from "./round-trip.js";
import { distance, FLAG, lengthOf, plus, type Segment, type SegmentToSend } from "./segment.js";
import { SendBuffer } from "./send-buffer.js";

/** §3.3.2 */
export type TcpState =
  | "syn-sent"
  | "syn-received"
  | "established"
  | "fin-wait-1"
  | "fin-wait-2"
  | "close-wait"
  | "closing"
  | "last-ack"
  | "time-wait"
  | "closed";

/** How a connection ended: both sides said all, the other side broke it off, or it does not answer. */
export type TcpEnd = "done" | "reset" | "timeout";

/** Who uses a connection. Nothing is called after `closed`. */
export interface TcpUser {
  established(): void;
  /** Bytes that came; they are the user's. Each counts until `consumed`, and the other side sends no more than there is room for. */
  received(bytes: Uint8Array): void;
  /** No more will come. */
  finished(): void;
  /** There is room for more to be sent, after there was none. */
  room(): void;
  closed(how: TcpEnd): void;
}

/** What carries segments. */
export interface TcpLink {
  /** False where there is no room now: nothing was sent, and `transmit` is to be called when there is. */
  send(segment: Omit<SegmentToSend, "sourcePort" | "destinationPort">): boolean;
}

export interface TcpOptions {
  readonly clock: NetClock;
  readonly user: TcpUser;
  readonly link: TcpLink;
  /** The first sequence number of ours: nobody must be able to guess it. */
  readonly initial: number;
  /** Of data in a segment, what this side takes. */
  readonly mss: number;
  /** Bytes of data that the link takes at once and cuts itself. Absent: a segment's. */
  readonly burst?: number;
  /** Shared with other connections. Absent: there are no others. */
  readonly budget?: Budget;
}

/** Bytes that wait for the user, and that wait to be acknowledged. */
export const RECEIVE_BYTES = 256 * 1024;
export const SEND_BYTES = 256 * 1024;
const SCALE = 3;
const UNSCALED = 0xffff;
/** Of a side that does not say (§3.7.1). */
const DEFAULT_MSS = 536;
/** What makes no sense below: a segment would be all head. */
const LEAST_MSS = 64;

const DELAYED_ACK_MS = 40;
/** Whole segments that are acknowledged at once (§3.8.6.3). */
const SEGMENTS_AN_ACK = 2;
/** There is one ring between a guest and us: no segment turns up long after its connection. */
const TIME_WAIT_MS = 2000;
const MOST_PROBE_MS = 60_000;
/** How long a side whose window is closed may say nothing: some probes at their slowest. */
const MOST_SILENCE_MS = 3 * MOST_PROBE_MS;
/** §3.8.4; the other side is a kernel that answers by itself, and a guest that was reset is found out so. */
const KEEPALIVE_IDLE_MS = 5 * 60_000;
const KEEPALIVE_EVERY_MS = 15_000;
const KEEPALIVE_PROBES = 6;
/** How often a segment is sent again before its connection is given up: half a minute for the first one, some for others. */
const MOST_SYN_RETRIES = 5;
const MOST_RETRIES = 10;
/** Answers to what somebody may have made up, a second (RFC 5961 §7). */
const MOST_CHALLENGES = 10;
const CHALLENGE_MS = 1000;

type Alarm = "retransmit" | "delayedAck" | "probe" | "keepalive" | "timeWait";

export class TcpConnection {
  state: TcpState = "closed";
  readonly #options: TcpOptions;
  readonly #trip = new RoundTrip();
  #congestion: Congestion;

  // Sending, §3.3.1. `next` goes back when all is sent again; `most` does not.
  readonly #buffer = new SendBuffer();
  #una: number;
  #next: number;
  #most: number;
  #window = 0;
  /** Our SYN is not acknowledged. */
  #synOut = true;
  #windowSeq = 0;
  #windowAck = 0;
  #largestWindow = 0;
  #scaleOut = 0;
  #mss = DEFAULT_MSS;
  /** The user has said all. */
  #ending = false;
  #full = false;
  #retries = 0;
  #probes = 0;
  /** All that was on its way when a loss was seen. */
  #recover = 0;
  /** A segment whose round trip is measured. */
  #timed: { end: number; at: number } | undefined;
  /** What the link had no room for: a bare acknowledgement. */
  #ackOwed = false;

  // Receiving.
  readonly #early = new ReorderQueue();
  #received = 0;
  /** The end of what the other side was told that there is room for. */
  #edge = 0;
  #unconsumed = 0;
  /** What the budget knows of. */
  #counted = 0;
  #scaleIn = 0;
  /** A segment is being looked at. */
  #taking = false;
  #unacknowledged = 0;
  #finAt: number | undefined;

  readonly #due = new Map<Alarm, number>();
  #armed: { at: number; cancel: () => void } | undefined;
  #challenges = { since: 0, count: 0 };
  #heardAt = 0;

  constructor(options: TcpOptions) {
    this.#options = options;
    this.#una = this.#next = this.#most = options.initial;
    this.#congestion = new Congestion(this.#mss);
  }

  // ── For its user ────────────────────────────────────────────────────────────────────────────────────────

  /** Begins a connection (§3.10.1). */
  open(): void {
    this.state = "syn-sent";
    this.#scaleIn = SCALE;
    this.#sendSyn();
  }

  /** Answers the other side's SYN (§3.10.7.2). */
  answer(syn: Segment): void {
    this.state = "syn-received";
    this.#takeSyn(syn);
    this.#sendSyn();
  }

  /** Bytes that wait to be acknowledged. */
  get waiting(): number {
    return this.#buffer.length;
  }

  /** Bytes that are to be sent; they are kept as they are. False where that is enough for now: `room` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.state === "closed" || this.state === "time-wait") return true;
    this.#buffer.push(bytes);
    this.transmit();
    this.#count();
    this.#full = this.#buffer.length >= SEND_BYTES || (this.#isShort && this.#buffer.length > 0);
    return !this.#full;
  }

  /** No more will be sent (§3.10.4); the other side may go on. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.transmit();
  }

  /** Breaks the connection off (§3.10.5). Its user is not told. */
  abort(): void {
    if (this.state === "closed") return;
    const told = this.state !== "syn-sent" && this.state !== "time-wait";
    if (told) this.#send(FLAG.RST | FLAG.ACK, this.#most);
    this.#leave();
  }

  /** The user is done with so many bytes of those that came. */
  consumed(count: number): void {
    this.#unconsumed -= count;
    this.#count();
    if (!this.#takesData) return;
    if (this.#isShort) this.#options.budget?.wait(this.#goOn);
    const before = distance(this.#edge, this.#received);
    const grows = distance(this.#newEdge(), this.#edge);
    // Not for every byte (§3.8.6.2.2): for what is a quarter of all, or a segment when there was room for none.
    if (grows >= RECEIVE_BYTES / 4 || (before < this.#mss && grows >= this.#mss)) {
      // With what else the segment that is being looked at has to be answered.
      if (this.#taking) this.#ackOwed = true;
      else this.#acknowledge();
    }
  }

  // ── Segments that come ──────────────────────────────────────────────────────────────────────────────────

  /** §3.10.7 */
  take(segment: Segment): void {
    if (this.state === "closed") return;
    this.#heardAt = this.#now();
    this.#probes = 0;
    this.#taking = true;
    if (this.state === "syn-sent") this.#takeInSynSent(segment);
    else this.#takeInOrder(segment);
    this.#taking = false;
    if (this.#isClosed()) return;
    this.transmit();
    this.#count();
    this.#arm();
  }

  /** There is some of the budget left again: the window may grow. */
  readonly #goOn = (): void => this.consumed(0);

  get #isShort(): boolean {
    return this.#options.budget?.isSpent === true;
  }

  /** Brings the budget up to date with what waits here. */
  #count(): void {
    const { budget } = this.#options;
    if (budget === undefined || this.#isClosed()) return;
    const held = this.#buffer.length + this.#unconsumed + this.#early.bytes;
    const more = held - this.#counted;
    this.#counted = held;
    if (more !== 0) budget.add(more);
  }

  /** Whether a SYN begins another connection between the same ends (§3.10.7.4, TIME-WAIT). */
  mayBeginAgain({ flags, seq }: Segment): boolean {
    const syn = (flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) === FLAG.SYN;
    return syn && this.state === "time-wait" && distance(seq, this.#received) > 0;
  }

  /** The state may have changed in a call: what the compiler knew of it is old. */
  #isClosed(): boolean {
    return this.state === "closed";
  }

  /** All has been said and heard but for the end of ours: whoever knows nothing of the connection any more has it. */
  get #onlyEndMissing(): boolean {
    const { state } = this;
    return (
      (state === "closing" || state === "last-ack" || state === "time-wait") && this.#buffer.length === 0
    );
  }

  get #takesData(): boolean {
    return this.state === "established" || this.state === "fin-wait-1" || this.state === "fin-wait-2";
  }

  /** §3.10.7.3 */
  #takeInSynSent(segment: Segment): void {
    const { flags, ack } = segment;
    const acknowledges = (flags & FLAG.ACK) !== 0;
    if (acknowledges && ack !== plus(this.#options.initial, 1)) {
      if ((flags & FLAG.RST) === 0) this.#send(FLAG.RST, ack);
      return;
    }
    if ((flags & FLAG.RST) !== 0) {
      if (acknowledges) this.#close("reset");
      return;
    }
    if ((flags & FLAG.SYN) === 0) return;
    this.#takeSyn(segment);
    if (!acknowledges) {
      this.state = "syn-received";
      this.#next = this.#options.initial;
      this.#sendSyn();
      return;
    }
    this.#acknowledged(segment);
    this.#establish(segment);
    this.#ackOwed = true;
    // The SYN has the first number, its data the next.
    this.#takeData({ ...segment, seq: plus(segment.seq, 1) });
  }

  #takeSyn({ seq, mss, scale, window }: Segment): void {
    this.#received = plus(seq, 1);
    this.#mss = Math.max(LEAST_MSS, Math.min(mss ?? DEFAULT_MSS, this.#options.mss));
    this.#congestion = new Congestion(this.#mss);
    this.#scaleIn = scale === undefined ? 0 : SCALE;
    this.#scaleOut = scale ?? 0;
    this.#edge = plus(this.#received, Math.min(UNSCALED, RECEIVE_BYTES));
    this.#window = this.#largestWindow = window;
    this.#windowSeq = seq;
  }

  #establish({ seq, ack, window }: Segment): void {
    const syn = this.state === "syn-sent";
    this.state = "established";
    this.#window = syn ? window : window << this.#scaleOut;
    this.#largestWindow = Math.max(this.#window, this.#largestWindow);
    this.#windowSeq = seq;
    this.#windowAck = ack;
    this.#set("keepalive", KEEPALIVE_IDLE_MS);
    this.#options.user.established();
  }

  /** §3.10.7.4 */
  #takeInOrder(segment: Segment): void {
    const { flags, ack } = segment;
    if (!this.#acceptable(segment)) {
      // The SYN of before: our answer was lost.
      const again = this.state === "syn-received" && (flags & FLAG.SYN) !== 0;
      if (again) this.#sendSyn();
      else if ((flags & FLAG.RST) === 0) this.#ackOwed = true;
      if (this.state === "time-wait" && (flags & FLAG.FIN) !== 0) this.#set("timeWait", TIME_WAIT_MS);
      // With no room at all, acknowledgements count nevertheless.
      const full = this.#edge === this.#received && segment.seq === this.#received;
      if (!full || (flags & (FLAG.ACK | FLAG.RST | FLAG.SYN)) !== FLAG.ACK) return;
      this.#takeAck(segment);
      return;
    }
    if ((flags & FLAG.RST) !== 0) {
      if (segment.seq === this.#received) this.#close(this.#onlyEndMissing ? "done" : "reset");
      else this.#challenge();
      return;
    }
    if ((flags & FLAG.SYN) !== 0) {
      this.#challenge();
      return;
    }
    if ((flags & FLAG.ACK) === 0) return;
    if (this.state === "syn-received") {
      if (ack !== plus(this.#options.initial, 1)) {
        this.#send(FLAG.RST, ack);
        return;
      }
      this.#acknowledged(segment);
      this.#establish(segment);
    } else if (!this.#takeAck(segment)) return;
    if (this.#isClosed()) return;
    this.#takeData(segment);
  }

  /** §3.10.7.4, the first table. */
  #acceptable(segment: Segment): boolean {
    const length = lengthOf(segment);
    const start = distance(segment.seq, this.#received);
    const room = distance(this.#edge, this.#received);
    if (length === 0) return room === 0 ? start === 0 : start >= 0 && start < room;
    const last = start + length - 1;
    return room > 0 && ((start >= 0 && start < room) || (last >= 0 && last < room));
  }

  /** Whether the segment is to be looked at further. */
  #takeAck(segment: Segment): boolean {
    const { ack, seq } = segment;
    if (distance(ack, this.#most) > 0) {
      this.#ackOwed = true;
      return false;
    }
    if (distance(ack, this.#una) < -this.#largestWindow) {
      this.#challenge();
      return false;
    }
    const window = segment.window << this.#scaleOut;
    const news = distance(ack, this.#una);
    const flight = distance(this.#next, this.#una);
    const fin = (segment.flags & FLAG.FIN) !== 0;
    if (news > 0) this.#acknowledged(segment);
    else if (news === 0 && flight > 0 && segment.data.length === 0 && window === this.#window && !fin) {
      if (this.#congestion.duplicate(flight)) this.#sendLostAgain();
    }
    if (news >= 0 && this.#isNewer(seq, ack)) {
      if (window > 0 && this.#window === 0) this.#windowOpens();
      this.#window = window;
      this.#largestWindow = Math.max(this.#largestWindow, window);
      this.#windowSeq = seq;
      this.#windowAck = ack;
    }
    if (!this.#isClosed()) this.#afterAck();
    return true;
  }

  /** What was said again meanwhile was no loss: it says nothing of how long to wait, or how often to try. */
  #windowOpens(): void {
    this.#due.delete("probe");
    this.#retries = 0;
    this.#trip.forgive();
    if (this.#due.has("retransmit")) this.#set("retransmit", this.#trip.timeout);
  }

  #isNewer(seq: number, ack: number): boolean {
    const later = distance(seq, this.#windowSeq);
    return later > 0 || (later === 0 && distance(ack, this.#windowAck) >= 0);
  }

  /** Takes what is acknowledged out of the buffer. */
  #acknowledged({ ack }: Segment): void {
    const { user } = this.#options;
    const count = distance(ack, this.#una);
    if (count <= 0) return;
    // A SYN and a FIN are no bytes.
    this.#buffer.drop(Math.min(this.#synOut ? count - 1 : count, this.#buffer.length));
    this.#synOut = false;
    this.#una = ack;
    if (distance(this.#next, ack) < 0) this.#next = ack;
    this.#retries = 0;
    if (this.#timed !== undefined && distance(ack, this.#timed.end) >= 0) {
      this.#trip.measured(this.#now() - this.#timed.at);
      this.#timed = undefined;
    }
    const recovering = this.#congestion.recovering;
    const whole = distance(ack, this.#recover) >= 0;
    this.#congestion.acknowledged(count, whole);
    if (recovering && !whole) this.#resend();
    if (this.#most === this.#una) this.#due.delete("retransmit");
    else this.#set("retransmit", this.#trip.timeout);
    if (!this.#full || this.#buffer.length > SEND_BYTES / 2) return;
    this.#full = false;
    user.room();
  }

  #afterAck(): void {
    if (this.#una !== this.#most) return;
    // Of states that a FIN of ours leads to, which is acknowledged then.
    if (this.state === "fin-wait-1") this.state = "fin-wait-2";
    else if (this.state === "closing") this.#waitForTheLast();
    else if (this.state === "last-ack") this.#close("done");
  }

  /** §3.10.7.4, the segment text, and the FIN behind it. */
  #takeData({ seq, data, flags }: Segment): void {
    const fin = (flags & FLAG.FIN) !== 0;
    if (data.length === 0 && !fin) return;
    if (!this.#takesData) {
      this.#ackOwed = true;
      return;
    }
    const start = distance(seq, this.#received);
    const room = distance(this.#edge, this.#received);
    const fresh = data.subarray(Math.max(0, -start), Math.max(0, room - start));
    const inOrder = start <= 0;
    if (fin && data.length <= room - start) this.#finAt = plus(seq, data.length);
    if (!inOrder) {
      this.#early.add(seq, fresh);
      this.#ackOwed = true;
      return;
    }
    if (fresh.length > 0) this.#deliver(fresh.slice());
    let more = this.#isClosed() ? undefined : this.#early.take(this.#received);
    // What closes a gap is acknowledged at once (RFC 5681 §4.2).
    if (more !== undefined || fresh.length < data.length) this.#ackOwed = true;
    for (; more !== undefined; more = this.#isClosed() ? undefined : this.#early.take(this.#received))
      this.#deliver(more);
    if (!this.#isClosed()) this.#takeFin();
  }

  #deliver(bytes: Uint8Array): void {
    this.#received = plus(this.#received, bytes.length);
    this.#unconsumed += bytes.length;
    this.#unacknowledged += bytes.length;
    if (this.#unacknowledged >= SEGMENTS_AN_ACK * this.#mss) this.#ackOwed = true;
    else if (!this.#due.has("delayedAck")) this.#set("delayedAck", DELAYED_ACK_MS);
    this.#options.user.received(bytes);
  }

  #takeFin(): void {
    if (this.#finAt !== this.#received) return;
    this.#finAt = undefined;
    this.#received = plus(this.#received, 1);
    this.#ackOwed = true;
    if (this.state === "established") this.state = "close-wait";
    else if (this.state === "fin-wait-1") this.state = "closing";
    else this.#waitForTheLast();
    this.#early.clear();
    this.#options.user.finished();
  }

  #waitForTheLast(): void {
    this.state = "time-wait";
    this.#due.clear();
    this.#set("timeWait", TIME_WAIT_MS);
  }

  // ── Segments that go ────────────────────────────────────────────────────────────────────────────────────

  /** Sends what may be sent now: data, the end, an acknowledgement that is owed. To be called when the link has room again, too. */
  transmit(): void {
    if (this.state === "closed" || this.state === "syn-sent" || this.state === "syn-received") return;
    while (this.#sendNext());
    if (this.#ackOwed) this.#acknowledge();
    const unsent = this.#buffer.length - distance(this.#next, this.#una);
    if (unsent > 0 && this.#next === this.#una && this.#due.get("probe") === undefined) this.#probeLater();
    this.#arm();
  }

  #probeLater(): void {
    if (this.#window < this.#mss) this.#set("probe", Math.min(MOST_PROBE_MS, this.#trip.timeout));
  }

  /** One segment of data, with the end if it is the last; whether there may be another. */
  #sendNext(): boolean {
    const flight = distance(this.#next, this.#una);
    const unsent = this.#buffer.length - flight;
    if (unsent < 0 || (unsent === 0 && !this.#mayEnd(flight))) return false;
    const usable = Math.min(this.#window, this.#congestion.window) - flight;
    const most = Math.min(
      unsent,
      Math.max(0, Math.floor(usable)),
      Math.max(this.#mss, this.#options.burst ?? 0),
    );
    const length = most > this.#mss && most < unsent ? most - (most % this.#mss) : most;
    // No segment for the little that a window has left (§3.8.6.2.1), but for the last of all data, or half of the largest window.
    const worth = length >= this.#mss || length === unsent || length >= this.#largestWindow / 2;
    if ((length === 0 && unsent > 0) || !worth) return false;
    const last = length === unsent;
    const fin = last && this.#mayEnd(flight + length);
    const flags = FLAG.ACK | (last && length > 0 ? FLAG.PSH : 0) | (fin ? FLAG.FIN : 0);
    if (!this.#send(flags, this.#next, length, flight)) return false;
    this.#sent(length + (fin ? 1 : 0));
    if (fin) this.#said();
    return true;
  }

  /** Whether the end stands right behind so many bytes, and is to be sent. */
  #mayEnd(behind: number): boolean {
    const said = this.state === "fin-wait-2" || this.state === "time-wait";
    return this.#ending && !said && behind === this.#buffer.length;
  }

  #said(): void {
    if (this.state === "established") this.state = "fin-wait-1";
    else if (this.state === "close-wait") this.state = "last-ack";
  }

  /** So many numbers of the sequence are on their way. */
  #sent(count: number): void {
    const again = distance(this.#most, this.#next) > 0;
    this.#next = plus(this.#next, count);
    if (distance(this.#next, this.#most) > 0) this.#most = this.#next;
    if (!again) this.#timed ??= { end: this.#next, at: this.#now() };
    if (!this.#due.has("retransmit")) this.#set("retransmit", this.#trip.timeout);
  }

  #sendSyn(): void {
    const answers = this.state === "syn-received";
    const { initial, mss } = this.#options;
    const scale = this.#scaleIn > 0 ? { scale: this.#scaleIn } : {};
    const window = Math.min(UNSCALED, RECEIVE_BYTES);
    const flags = FLAG.SYN | (answers ? FLAG.ACK : 0);
    this.#options.link.send({
      seq: initial,
      ack: answers ? this.#received : 0,
      flags,
      window,
      length: 0,
      mss,
      ...scale,
    });
    if (this.#next === initial) this.#sent(1);
    else this.#timed = undefined;
    this.#arm();
  }

  #newEdge(): number {
    const wanted = plus(this.#received, Math.max(0, RECEIVE_BYTES - this.#unconsumed));
    return distance(wanted, this.#edge) > 0 && !this.#isShort ? wanted : this.#edge;
  }

  /** What the other side is told of room: it takes nothing back. */
  #advertise(): number {
    this.#edge = this.#newEdge();
    const room = distance(this.#edge, this.#received);
    return Math.min(UNSCALED, room >>> this.#scaleIn);
  }

  #send(flags: number, seq: number, length = 0, from = 0): boolean {
    const synchronized = (flags & FLAG.ACK) !== 0;
    const edge = this.#edge;
    const window = synchronized && (flags & FLAG.RST) === 0 ? this.#advertise() : 0;
    const ack = synchronized ? this.#received : 0;
    const fill = length > 0 ? { fill: (into: Uint8Array) => this.#buffer.copy(from, into) } : {};
    const cut = length > this.#mss ? { cut: this.#mss } : {};
    const sent = this.#options.link.send({ seq, ack, flags, window, length, ...fill, ...cut });
    if (!sent) this.#edge = edge;
    else if (synchronized) this.#acknowledgedNow();
    return sent;
  }

  #acknowledgedNow(): void {
    this.#ackOwed = false;
    this.#unacknowledged = 0;
    this.#due.delete("delayedAck");
  }

  #acknowledge(): void {
    if (!this.#send(FLAG.ACK, this.#next)) this.#ackOwed = true;
  }

  /** An acknowledgement for what may be made up, not too many of them (RFC 5961). */
  #challenge(): void {
    const now = this.#now();
    if (now - this.#challenges.since >= CHALLENGE_MS) this.#challenges = { since: now, count: 0 };
    if (this.#challenges.count++ < MOST_CHALLENGES) this.#ackOwed = true;
  }

  /** The first segment that is not acknowledged, once more. */
  #resend(): void {
    const unacknowledged = distance(this.#most, this.#una);
    const length = Math.min(this.#mss, this.#buffer.length, unacknowledged);
    const fin = this.#mayEnd(length) && unacknowledged > length;
    const flags = FLAG.ACK | (length > 0 ? FLAG.PSH : 0) | (fin ? FLAG.FIN : 0);
    this.#timed = undefined;
    if (length > 0 || fin) this.#send(flags, this.#una, length);
  }

  #sendLostAgain(): void {
    this.#recover = this.#most;
    this.#resend();
  }

  // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────

  #now(): number {
    return this.#options.clock.now();
  }

  #set(alarm: Alarm, milliseconds: number): void {
    this.#due.set(alarm, this.#now() + milliseconds);
  }

  /** One timer of the host's for all alarms; one that comes too early looks again. */
  #arm(): void {
    const first = Math.min(...this.#due.values(), Infinity);
    if (first === Infinity || (this.#armed !== undefined && this.#armed.at <= first)) return;
    this.#armed?.cancel();
    const cancel = this.#options.clock.after(Math.max(0, first - this.#now()), () => this.#ring());
    this.#armed = { at: first, cancel };
  }

  #ring(): void {
    this.#armed = undefined;
    const now = this.#now();
    for (const [alarm, at] of [...this.#due]) {
      if (at > now || !this.#due.delete(alarm)) continue;
      this.#alarms[alarm]();
      if (this.#isClosed()) return;
    }
    this.#arm();
  }

  readonly #alarms: Readonly<Record<Alarm, () => void>> = {
    retransmit: () => this.#retransmit(),
    delayedAck: () => this.#acknowledge(),
    probe: () => this.#probe(),
    keepalive: () => this.#keepAlive(),
    timeWait: () => this.#close("done"),
  };

  /** RFC 6298 §5.4–5.7: everything that is not acknowledged is sent again, as the window allows. */
  #retransmit(): void {
    const opening = this.state === "syn-sent" || this.state === "syn-received";
    const answered = !opening && this.#window === 0 && !this.#isSilent;
    if (++this.#retries > (opening ? MOST_SYN_RETRIES : MOST_RETRIES) && !answered) {
      this.#giveUp();
      return;
    }
    this.#trip.backOff();
    this.#timed = undefined;
    this.#set("retransmit", this.#trip.timeout);
    if (opening) {
      this.#sendSyn();
      return;
    }
    this.#congestion.timedOut(distance(this.#most, this.#una), this.#retries > 1);
    this.#next = this.#una;
    if (this.#window === 0) this.#resend();
    else this.transmit();
  }

  /** A byte that the window has no room for: its acknowledgement says whether there is room by now (§3.8.6.1). */
  #probe(): void {
    const unsent = this.#buffer.length - distance(this.#next, this.#una);
    if (unsent <= 0 || this.#next !== this.#una) return;
    if (++this.#retries > MOST_RETRIES && this.#isSilent) {
      this.#giveUp();
      return;
    }
    if (this.#send(FLAG.ACK | FLAG.PSH, this.#una, 1) && this.#most === this.#una)
      this.#most = plus(this.#una, 1);
    this.#trip.backOff();
    this.#set("probe", this.#trip.timeout);
  }

  /** An old number, which is answered by whoever is still there. */
  #keepAlive(): void {
    const idle = this.#now() - this.#heardAt;
    if (idle < KEEPALIVE_IDLE_MS && this.#probes === 0) {
      this.#set("keepalive", KEEPALIVE_IDLE_MS - idle);
      return;
    }
    if (this.#probes++ >= KEEPALIVE_PROBES) {
      this.#giveUp();
      return;
    }
    if (this.#most === this.#una) this.#send(FLAG.ACK, plus(this.#una, -1));
    this.#set("keepalive", KEEPALIVE_EVERY_MS);
  }

  /** Who has no room answers nevertheless (§3.8.6.1), as long as it is there. */
  get #isSilent(): boolean {
    return this.#now() - this.#heardAt > MOST_SILENCE_MS;
  }

  #giveUp(): void {
    if (this.state !== "syn-sent") this.#send(FLAG.RST | FLAG.ACK, this.#next);
    this.#close("timeout");
  }

  #close(how: TcpEnd): void {
    this.#leave();
    this.#options.user.closed(how);
  }

  #leave(): void {
    this.state = "closed";
    this.#due.clear();
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#buffer.clear();
    this.#early.clear();
    this.#options.budget?.forget(this.#goOn);
    this.#options.budget?.add(-this.#counted);
    this.#counted = 0;
  }
}

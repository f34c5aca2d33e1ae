/**
 * Whoever owns the network is asked about each new connection, after the policy allowed it: it goes on, is refused, or leads elsewhere. What
 * is no answer is a refusal: nothing goes out by a mistake.
 */
import { addressOf, addressText, endText, inPrefix, parsePrefix, type Address } from "./address.js";
import type { NetClock } from "./clock.js";
import type { HostAddress } from "./host-sockets.js";
import type { Policy } from "./policy.js";

/** What the guest wants to reach: a connection of TCP, or somebody that it sends datagrams to. */
export interface ConnectAttempt {
  readonly protocol: "tcp" | "udp";
  /** As the guest has it. */
  readonly address: string;
  readonly port: number;
  /** The name that the guest was last told to have this address, as long as that is good. */
  readonly name?: string;
}

/**
 * What becomes of it. A redirection leads where the policy lets the guest go, and to the host's loopback if it may reach the host;
 * `beyondPolicy` says that it leads there whatever the policy says, which an address with a zone (`fe80::1%eth0`) needs.
 */
export type ConnectAnswer =
  "accept" | "refuse" | { readonly redirect: HostAddress; readonly beyondPolicy?: boolean };

/**
 * Answers at once or later. A throw, a promise that is rejected and one that is not settled within half a minute are refusals, which are
 * told.
 */
export type OnConnect = (attempt: ConnectAttempt) => ConnectAnswer | Promise<ConnectAnswer>;

/** Where a connection leads; undefined: it is refused. */
export type Opened = { readonly to: HostAddress; readonly beyondPolicy: boolean } | undefined;

/** How long an answer may take. */
export const ANSWER_MS = 30_000;
/** Questions without an answer, also of connections that are gone; what comes beyond is refused, and nobody asked. */
export const MOST_QUESTIONS = 512;
const MOST_PORT = 65_535;
const OWN_LOOPBACKS = ["127.0.0.0/8", "::1"].map((text) => parsePrefix(text)!);

export interface DoorWorld {
  readonly onConnect: OnConnect;
  readonly policy: Policy;
  readonly clock: NetClock;
  /** Told of what was refused here, for people. */
  refused(what: string, why: string): void;
}

/** Whether zeros lead a number of an address of IPv4, which hosts read as one of base 8. */
function isOctal(text: string, parsed: Address): boolean {
  return typeof parsed === "number" && text !== addressText(parsed);
}

/** What was thrown, which may be anything, as text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "something without text";
  }
}

export class Door {
  /** What ends the waiting for each answer. */
  readonly #waiting = new Set<() => void>();

  constructor(private readonly world: DoorWorld) {}

  /** Asks about `attempt`, which leads `to` an address of the host's side; `done` hears once, maybe before this returns. */
  ask(attempt: ConnectAttempt, to: HostAddress, done: (opened: Opened) => void): void {
    const refuse = (why: string): void => {
      const address = addressOf(attempt.address) ?? 0;
      this.world.refused(`${attempt.protocol} ${endText(address, attempt.port)}`, why);
      done(undefined);
    };
    const take = (answer: unknown): void => {
      let opened: Opened | string;
      try {
        opened = this.#opened(answer, attempt, to);
      } catch (error) {
        opened = `what onConnect answered threw: ${textOf(error)}`;
      }
      if (typeof opened === "string") refuse(opened);
      else done(opened);
    };
    // Who is not heard is not asked: a promise that nobody waits for would be the end of the process where it is rejected.
    if (this.#waiting.size >= MOST_QUESTIONS) {
      refuse("too many connections wait for onConnect");
      return;
    }
    let answer: unknown;
    try {
      answer = this.world.onConnect(attempt);
    } catch (error) {
      refuse(`onConnect threw: ${textOf(error)}`);
      return;
    }
    if (answer instanceof Promise) this.#wait(answer, take, refuse);
    else take(answer);
  }

  /** Nobody hears any more. */
  close(): void {
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
  }

  #wait(answer: Promise<unknown>, take: (answer: unknown) => void, refuse: (why: string) => void): void {
    const stop = this.world.clock.after(ANSWER_MS, () => {
      this.#waiting.delete(stop);
      refuse(`onConnect did not answer in ${ANSWER_MS} ms`);
    });
    this.#waiting.add(stop);
    /** Whether this is the first that is heard. */
    const first = (): boolean => {
      stop();
      return this.#waiting.delete(stop);
    };
    answer.then(
      (value) => first() && take(value),
      (error: unknown) => first() && refuse(`onConnect was rejected: ${textOf(error)}`),
    );
  }

  /** Where it leads, or why it does not. A refusal that was meant is none of people's business. */
  #opened(answer: unknown, attempt: ConnectAttempt, to: HostAddress): Opened | string {
    if (answer === "accept") return { to, beyondPolicy: false };
    if (answer === "refuse") return undefined;
    const { redirect, beyondPolicy } = (answer ?? {}) as {
      redirect?: Partial<HostAddress>;
      beyondPolicy?: unknown;
    };
    const { address, port } = redirect ?? {};
    const parsed = typeof address === "string" ? addressOf(address) : undefined;
    // A socket of datagrams is of one version.
    const fits = attempt.protocol === "tcp" || typeof parsed === typeof addressOf(attempt.address);
    const known = typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= MOST_PORT;
    if (typeof address !== "string" || parsed === undefined || !fits || !known || isOctal(address, parsed))
      return 'onConnect answered neither "accept" nor "refuse" nor { redirect } with an address and a port';
    if (beyondPolicy === true) return { to: { address, port }, beyondPolicy };
    const why = address.includes("%")
      ? `the zone of ${address} needs beyondPolicy`
      : this.#refuses(parsed, port);
    // What was judged is what is connected to.
    return why === undefined
      ? { to: { address: addressText(parsed), port }, beyondPolicy: false }
      : `redirected to ${endText(parsed, port)}: ${why}`;
  }

  /** By the host's loopback the guest reaches the host, which it may be allowed to. */
  #refuses(address: Address, port: number): string | undefined {
    const { policy } = this.world;
    return OWN_LOOPBACKS.some((one) => inPrefix(address, one))
      ? policy.refusesHost(address, port)
      : policy.refuses(address, port);
  }
}

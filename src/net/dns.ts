/**
 * The nameserver of the guest's network. It knows the host by a name; all else it asks the host: addresses as the host's own programs
 * find them, other records of whom the host asks. What it tells of addresses the policy remembers.
 */
import { addressBytes, addressOf, type Address } from "./address.js";
import {
  answers,
  answerTo,
  askedAnew,
  DNS_CODE,
  DNS_TYPE,
  readQuestion,
  truncated,
  type DnsQuestion,
} from "./dns-message.js";
import type { HostNames, HostSockets } from "./host-sockets.js";
import { HOST_NAME, type Network } from "./network.js";
import type { Policy } from "./policy.js";

export const DNS_PORT = 53;
/** What every receiver of a datagram has room for (RFC 1035 §4.2.1); one that says so has more (RFC 6891), which goes by fragments. */
const MOST_DATAGRAM = 1232;
const PLAIN_DATAGRAM = 512;
/** Questions that wait for the host. */
const MOST_WAITING = 256;
/** How long an address is good that the host says nothing about, seconds. */
const HOST_SECONDS = 60;
/** An answer that is an address. */
const MOST_ADDRESSES = 32;

export interface DnsWorld {
  readonly network: Network;
  readonly host: HostSockets;
  readonly policy: Policy;
  /** Told of a name that the guest is not told. */
  readonly refused: (name: string, why: string) => void;
}

export class NameServer {
  #waiting = 0;

  constructor(private readonly world: DnsWorld) {}

  /** A question as a datagram brought it; the answer fits into one. */
  datagram(message: Uint8Array, reply: (answer: Uint8Array) => void): void {
    const question = readQuestion(message);
    if (question === undefined) return;
    const room = question.extended !== undefined ? MOST_DATAGRAM : PLAIN_DATAGRAM;
    this.#answer(question, (answer) => reply(answer.length > room ? truncated(answer, question) : answer));
  }

  /** A question that came by a connection; its answer may be long. False for what is no question: nothing is answered. */
  message(message: Uint8Array, reply: (answer: Uint8Array) => void): boolean {
    const question = readQuestion(message);
    if (question !== undefined) this.#answer(question, reply);
    return question !== undefined;
  }

  #answer(question: DnsQuestion, reply: (answer: Uint8Array) => void): void {
    const { network, policy, refused } = this.world;
    const { name, plain, type, ordinary } = question;
    if (!plain || !ordinary) {
      reply(answerTo(question, ordinary ? DNS_CODE.NO_NAME : DNS_CODE.NOT_DONE));
      return;
    }
    if (name === HOST_NAME) {
      const side = type === DNS_TYPE.A ? network : type === DNS_TYPE.AAAA ? network.six : undefined;
      const addresses = side === undefined ? [] : [addressBytes(side.gateway)];
      reply(answerTo(question, DNS_CODE.OK, addresses, HOST_SECONDS));
      return;
    }
    const why = policy.refusesName(name);
    if (why !== undefined) refused(name, why);
    if (why !== undefined || this.#waiting >= MOST_WAITING) {
      reply(answerTo(question, why === undefined ? DNS_CODE.SERVER : DNS_CODE.REFUSED));
      return;
    }
    this.#waiting++;
    const done = (answer: Uint8Array): void => {
      this.#waiting--;
      reply(answer);
    };
    const isAddress = type === DNS_TYPE.A || type === DNS_TYPE.AAAA;
    if (isAddress && name !== "") this.#lookup(question, done);
    else this.#ask(question, done);
  }

  #lookup(question: DnsQuestion, done: (answer: Uint8Array) => void): void {
    const four = question.type === DNS_TYPE.A;
    this.world.host.lookup(question.name, four ? 4 : 6, (names: HostNames) => {
      if ("failed" in names) {
        done(answerTo(question, names.failed === "no-name" ? DNS_CODE.NO_NAME : DNS_CODE.SERVER));
        return;
      }
      const kind = four ? "number" : "bigint";
      const known = names.addresses
        .slice(0, MOST_ADDRESSES)
        .map(addressOf)
        .filter((one): one is Address => typeof one === kind);
      this.world.policy.pin(question.name, known, names.seconds);
      const bytes = known.map(addressBytes);
      done(answerTo(question, DNS_CODE.OK, bytes, names.seconds));
    });
  }

  #ask(question: DnsQuestion, done: (answer: Uint8Array) => void): void {
    this.world.host.ask(askedAnew(question, MOST_DATAGRAM), (answer) => {
      const right = answer !== undefined && answers(answer, question);
      done(right ? answer : answerTo(question, DNS_CODE.SERVER));
    });
  }
}

/** A network as it is asked for: what the guest has of it is in the plan, the rest is its host's. Plain data. */
import type { Faults } from "../../../net/faults.js";
import type { Published } from "../../../net/stack.js";
import type { PolicyOptions } from "../../../net/policy.js";

interface AnyRequest {
  /** Bytes of a packet. */
  readonly mtu: number;
  /** What becomes of frames between the card and the network. */
  readonly faults?: Faults;
  /** File for the frames. */
  readonly capture?: string;
}

/** A network in user mode. */
export interface UserRequest extends AnyRequest {
  readonly policy: PolicyOptions;
  readonly publish: readonly Published[];
}

/** What the card's cable leads to. */
export type CableKind =
  /** A stream socket of the host's; `listen`: the peer comes to us. */
  | { readonly kind: "socket"; readonly path: string; readonly listen: boolean }
  /** A switch of this user's, with all machines that name it. */
  | { readonly kind: "switch"; readonly name: string }
  /** A network interface of the host's. */
  | { readonly kind: "tap"; readonly name: string };

/** Frames leave as they are. */
export interface CableRequest extends AnyRequest {
  readonly cable: CableKind;
}

export type NetRequest = UserRequest | CableRequest;

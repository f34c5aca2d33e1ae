/** A network as it is asked for: what the guest has of it is in the plan, the rest is its host's. Plain data. */
import type { Faults } from "../../../net/faults.js";
import type { Published } from "../../../net/stack.js";
import type { PolicyOptions } from "../../../net/policy.js";

export interface NetRequest {
  readonly policy: PolicyOptions;
  /** Bytes of a packet. */
  readonly mtu: number;
  readonly publish: readonly Published[];
  /** What becomes of frames between the card and the network. */
  readonly faults?: Faults;
  /** File for the frames. */
  readonly capture?: string;
}

/**
 * Which of a network device's receive queues a frame goes to: the one of the pair by which its flow was last sent, so that both
 * directions are one CPU's.
 *
 * Specification: VIRTIO 1.2 §5.1.6.5.5.
 */
import { bytes, record, whole, type Shape } from "../../bytes/shape.js";
import { FLOW_SLOTS, flowOf } from "../../net/flow-hash.js";

export { MOST_PAIRS } from "../../net/net-backend.js";

export interface NetSteeringState {
  /** Pairs that the driver uses: the first ones. */
  pairs: number;
  /** By flow, the pair that sent it last, from 1; 0: none. */
  sentBy: Uint8Array;
}

/** A driver uses one pair until it says otherwise. */
export function initialSteering(): NetSteeringState {
  return { pairs: 1, sentBy: new Uint8Array(FLOW_SLOTS) };
}

/** `most`: pairs that the device has. */
export function steeringShape(most: number): Shape<NetSteeringState> {
  return record<NetSteeringState>({ pairs: whole(1, most), sentBy: bytes(FLOW_SLOTS) });
}

/** A frame was sent by this pair. */
export function sentBy(state: NetSteeringState, pair: number, frame: Uint8Array): void {
  const flow = flowOf(frame, true);
  if (flow !== undefined) state.sentBy[flow] = pair + 1;
}

/** The pair that a frame is received by: one of those that the driver uses. */
export function receivedBy({ pairs, sentBy: last }: NetSteeringState, frame: Uint8Array): number {
  if (pairs === 1) return 0;
  const flow = flowOf(frame, false);
  if (flow === undefined) return 0;
  const pair = last[flow] - 1;
  return pair >= 0 && pair < pairs ? pair : flow % pairs;
}

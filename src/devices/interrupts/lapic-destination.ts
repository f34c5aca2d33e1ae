/**
 * Whether a message addresses a local APIC: physical and logical destinations, flat, cluster and x2APIC.
 * Pure functions. Specification: Intel SDM vol. 3A §11.6.2 and §11.12.10.
 */
import type { ApicMessage } from "./apic-messages.js";
import type { LapicState } from "./lapic-state.js";
import { APIC_BASE, BROADCAST, DFR, ICR } from "../../spec/apic.js";

/** CPUs of one x2APIC cluster. */
const CLUSTER_SHIFT = 4;
const CLUSTER_MEMBER = 0xf;

/** x2APIC logical id: the cluster in the high half, one bit of 16 in the low half (§11.12.10.2). */
export function x2apicLogicalId(id: number): number {
  return (((id >> CLUSTER_SHIFT) << 16) | (1 << (id & CLUSTER_MEMBER))) >>> 0;
}

/**
 * ```
 *  flat      LDR 31..24 is a set of bits, one per CPU; the destination selects by AND
 *  cluster   LDR 31..28 is the cluster (0xf: all), 27..24 a set of bits in it
 *  x2APIC    LDR 31..16 is the cluster, 15..0 a set of bits in it
 * ```
 */
function matchesLogical(state: LapicState, destination: number): boolean {
  if (state.baseFlags & APIC_BASE.x2apic) {
    const own = x2apicLogicalId(state.id);
    return own >>> 16 === destination >>> 16 && (own & destination & 0xffff) !== 0;
  }
  const { logicalDestination, destinationFormat } = state.registers;
  const own = logicalDestination >>> ICR.destinationShift;
  if ((destinationFormat & DFR.modelMask) === DFR.clusterModel) {
    const cluster = destination >>> CLUSTER_SHIFT;
    const sameCluster = cluster === CLUSTER_MEMBER || cluster === own >>> CLUSTER_SHIFT;
    return sameCluster && (own & destination & CLUSTER_MEMBER) !== 0;
  }
  return (own & destination & BROADCAST.xapic) !== 0;
}

/** Whether `message` (whose broadcast is 0xffffffff in either mode) is for the APIC with `state`. */
export function isAddressed(state: LapicState, message: ApicMessage): boolean {
  if (message.destination === BROADCAST.x2apic) return true;
  if (message.logical) return matchesLogical(state, message.destination);
  return message.destination === (state.baseFlags & APIC_BASE.x2apic ? state.id : state.xapicId);
}

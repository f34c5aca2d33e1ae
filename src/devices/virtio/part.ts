/**
 * Virtio devices as parts: each has 512 bytes of registers somewhere, a level of an interrupt, and is told to kernels by what
 * it is made from. What kind it is says a `VirtioKind`.
 */
import { record, type Shape } from "../../bytes/shape.js";
import { VIRTIO_MMIO_SIZE } from "../../spec/virtio.js";
import type { PartRequest, PartType, PlanPart } from "../part.js";
import { PartError, type Claim } from "../resources.js";
import {
  initialTransport,
  MmioTransport,
  transportShape,
  type MmioVersion,
  type TransportState,
} from "./mmio-transport.js";
import type { VirtioKind } from "./virtio-device.js";

export interface VirtioState<State> {
  transport: TransportState;
  device: State;
}

/** Of the registers: `config.version`. */
function versionOf({ name, config }: PlanPart): MmioVersion {
  const version = config?.["version"] ?? 2;
  if (version === 1 || version === 2) return version;
  throw new PartError(
    name,
    `version ${JSON.stringify(version)}`,
    "1 or 2",
    "2 is what every driver knows but NetBSD's older ones; 1 is the legacy interface.",
  );
}

function place(request: PartRequest, claim: Claim): PlanPart {
  const name = request.name ?? request.type;
  const { ports = [], mmio = [], irqs = [], config } = request;
  if (ports.length > 0 || mmio.length > 1 || irqs.length > 1)
    throw new PartError(
      name,
      `${ports.length} port ranges, ${mmio.length} ranges of addresses, ${irqs.length} interrupts`,
      "one range of addresses and one interrupt",
      "A virtio device has no more.",
    );
  const start = mmio.at(0)?.start;
  const range = start === undefined ? claim.anyMmio(VIRTIO_MMIO_SIZE) : { start, size: VIRTIO_MMIO_SIZE };
  if (start !== undefined) claim.mmio(range);
  const irq = claim.levelIrq(irqs.at(0));
  return { name, type: request.type, mmio: [range], irqs: [irq], ...(config && { config }) };
}

/** A part type of a kind of device. */
export function virtioPart<State extends object>(kind: VirtioKind<State>): PartType<VirtioState<State>> {
  return {
    type: kind.type,
    summary: kind.summary,
    place(request, claim) {
      const part = place(request, claim);
      versionOf(part);
      kind.check?.(part);
      return part;
    },
    announce: ({ mmio, irqs }) => ({
      virtioMmio: { start: mmio![0].start, size: mmio![0].size, irq: irqs![0] },
      levelIrqs: irqs!,
    }),
    ...(kind.unsaved && {
      unsaved: (part: PlanPart, { device }: VirtioState<State>, again: boolean) =>
        kind.unsaved!(part, device, again),
    }),
    state(part) {
      const device: Shape<object> = kind.shape(part);
      const shape = record<VirtioState<object>>({ transport: transportShape(kind.queues(part)), device });
      return shape as Shape<VirtioState<State>>;
    },
    create(part, wires, saved) {
      const most = kind.queues(part);
      const state = saved ?? { transport: initialTransport(most), device: kind.initial(part) };
      const transport = new MmioTransport(
        {
          name: part.name,
          version: versionOf(part),
          deviceId: kind.id,
          most,
          interrupt: wires.interrupt(),
          clock: wires.clock,
          timers: wires.timers,
          memory: () => wires.memory(),
        },
        state.transport,
      );
      const device = kind.create(part, wires, transport, state.device);
      transport.attach(device);
      wires.mmio(0, transport);
      return {
        save: () => {
          device.saving?.();
          return state;
        },
      };
    },
  };
}

/**
 * The generation id: 16 bytes that a guest reads, and that are others once it goes on in another run than the one it was saved
 * in. An ACPI event tells its kernel, which then stirs its random numbers: two guests from one snapshot do not share them.
 * The bytes are in memory, read-only; whoever made the id knows what a run is.
 *
 * Specification: Microsoft, "Virtual Machine Generation ID"; names and addresses as QEMU docs/specs/vmgenid.rst has them.
 */
import { list, record, u8 } from "../../bytes/shape.js";
import { device, integer, name, notify, pack, string } from "../../firmware/acpi/aml.js";
import { GENERATION_MMIO } from "../../memory/layout.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize, MmioDevice } from "../device.js";
import type { PartType } from "../part.js";
import { GENERAL_EVENTS } from "../power/parts.js";
import { standing } from "../standing.js";

export interface GenerationState {
  /** 16 bytes, as the guest reads them. */
  id: number[];
}

const ID_BYTES = 16;

export const generationShape = record<GenerationState>({ id: list(u8, ID_BYTES) });

/** Where runs repeat exactly, every run has this one: "locore", and a version and variant of random UUIDs. */
const FIXED_ID = [0x6c, 0x6f, 0x63, 0x6f, 0x72, 0x65, 0x00, 0x40, 0x80, 0, 0, 0, 0, 0, 0, 1];
const DEVICE = "VGEN";
const HARDWARE_ID = "LOCO0001";
/** What drivers look for: the specification's name, and the one that fits ACPI's length, which newer kernels know as well. */
const KNOWN_AS = "VM_Gen_Counter";
const COMPATIBLE_IDS = ["VMGENCTR", KNOWN_AS];
/** The general-purpose event that says that the id is another, and what drivers are notified of. */
const EVENT = 0;
const ID_CHANGED = 0x80;

/** Reads beyond the id are zeros. */
function idRegisters({ id }: GenerationState): MmioDevice {
  return {
    name: "generation id",
    readMmio(offset: number, size: AccessSize): number {
      let value = 0;
      for (let i = 0; i < size; i++) value |= (id[offset + i] ?? 0) << (BYTE_BITS * i);
      return value >>> 0;
    },
    writeMmio: () => undefined,
  };
}

export const vmgenidPart: PartType<GenerationState> = {
  type: "vmgenid",
  summary: "generation id: tells a kernel that its machine was restored",
  place: standing("vmgenid", { mmio: [GENERATION_MMIO], movable: true }),
  announce({ mmio }) {
    const [{ start }] = mmio!;
    return {
      acpi: [
        device(
          DEVICE,
          name("_HID", string(HARDWARE_ID)),
          name("_CID", pack(...COMPATIBLE_IDS.map(string))),
          name("_DDN", string(KNOWN_AS)),
          // Lower and upper half; there are no places above 4 GiB.
          name("ADDR", pack(integer(start), integer(0))),
        ),
      ],
      events: [{ number: EVENT, body: [notify(`\\_SB.${DEVICE}`, ID_CHANGED)] }],
    };
  },
  state: () => generationShape,
  create(_part, wires, saved) {
    const { generation } = wires;
    const state: GenerationState = { id: [...(generation ?? saved?.id ?? FIXED_ID)] };
    wires.mmio(0, idRegisters(state));
    const changed = saved?.id.some((byte, index) => byte !== state.id[index]) ?? false;
    const raise = wires.take(GENERAL_EVENTS);
    if (changed) raise(EVENT);
    return { save: () => state };
  },
};

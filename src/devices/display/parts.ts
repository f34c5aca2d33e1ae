/** The VGA as a part. Its memory is RAM of the guest: listed, and decoded by nobody. */
import { VGA_MEMORY } from "../../memory/layout.js";
import { PC_PORTS } from "../../spec/pc-ports.js";
import type { PartType } from "../part.js";
import { Socket } from "../socket.js";
import { standing } from "../standing.js";
import { initialVgaState, vgaShape, VgaText, type VgaState } from "./vga-text.js";

/** Registers that say which part of memory is shown. */
export const TEXT_REGISTERS = new Socket<Pick<VgaState, "crtc" | "graphics">>("screen");

const placePorts = standing("vga", {
  ports: [PC_PORTS.bochsDisplay, PC_PORTS.vga, PC_PORTS.vgaCrtc, PC_PORTS.vgaStatus],
});

export const vgaPart: PartType<VgaState> = {
  type: "vga",
  summary: "VGA in text mode",
  place: ({ mmio: _listed, ...request }, claim) => ({
    ...placePorts(request, claim),
    mmio: [{ start: VGA_MEMORY.start, size: VGA_MEMORY.size }],
  }),
  announce: () => ({ fixed: { vga: true } }),
  state: () => vgaShape,
  create(_part, wires, state = initialVgaState()) {
    const vga = new VgaText(wires.clock, state);
    wires.ports(0, vga.dispiPorts, "whole");
    wires.ports(1, vga.mainPorts);
    wires.ports(2, vga.crtcPorts);
    wires.ports(3, vga.statusPort);
    wires.offer(TEXT_REGISTERS, state);
    return { save: () => state };
  },
};

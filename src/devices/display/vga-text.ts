/**
 * The registers of a VGA, for text modes: every register keeps what is written, the retrace bits move with the clock.
 * The memory they arrange is guest RAM at 0xa0000 and is none of this file's business; there are no planes, so a
 * graphics mode can be set but not drawn. Answers Bochs' display interface with "nothing beyond the VGA".
 *
 * Specification: IBM PS/2 hardware interface technical reference, "Video subsystem".
 */
import { bits, bool, list, record, u16, u8, whole } from "../../bytes/shape.js";
import {
  ATTRIBUTE_INDEX_MASK,
  CRTC,
  CRTC_FIELD,
  DISPI,
  FRAME_LINES,
  FRAME_NS,
  INPUT_STATUS_0_SENSE,
  INPUT_STATUS_1,
  LINE_DOTS,
  MODE_3,
  RETRACE_LINES,
  SHOWN_DOTS,
  SHOWN_LINES,
  VGA_COUNT,
  VGA_PORT,
} from "../../spec/vga.js";
import type { Clock, PortDevice } from "../device.js";

export interface VgaState {
  misc: number;
  crtcIndex: number;
  crtc: number[];
  sequencerIndex: number;
  sequencer: number[];
  graphicsIndex: number;
  graphics: number[];
  attributeIndex: number;
  attribute: number[];
  /** The next write to port 0x3c0 is data. */
  attributeData: boolean;
  pelMask: number;
  palette: number[];
  /** Next byte of the palette, by direction. */
  paletteRead: number;
  paletteWrite: number;
  dispiIndex: number;
}

/** As a VGA BIOS leaves it: mode 3. Without one nobody else would set a mode. */
export function initialVgaState(): VgaState {
  return {
    misc: MODE_3.misc,
    crtcIndex: 0,
    crtc: [...MODE_3.crtc],
    sequencerIndex: 0,
    sequencer: [...MODE_3.sequencer],
    graphicsIndex: 0,
    graphics: [...MODE_3.graphics],
    attributeIndex: 0,
    attribute: [...MODE_3.attribute],
    attributeData: false,
    pelMask: 0xff,
    palette: new Array<number>(VGA_COUNT.PALETTE).fill(0),
    paletteRead: 0,
    paletteWrite: 0,
    dispiIndex: 0,
  };
}

const ABSENT = 0xff;
const PALETTE_ENTRY = 3;
const PALETTE_BITS = 0x3f;
const paletteIndex = whole(0, VGA_COUNT.PALETTE - 1);

export const vgaShape = record<VgaState>({
  misc: u8,
  crtcIndex: u8,
  crtc: list(u8, VGA_COUNT.CRTC),
  sequencerIndex: u8,
  sequencer: list(u8, VGA_COUNT.SEQUENCER),
  graphicsIndex: u8,
  graphics: list(u8, VGA_COUNT.GRAPHICS),
  attributeIndex: u8,
  attribute: list(u8, VGA_COUNT.ATTRIBUTE),
  attributeData: bool,
  pelMask: u8,
  palette: list(bits(PALETTE_BITS), VGA_COUNT.PALETTE),
  paletteRead: paletteIndex,
  paletteWrite: paletteIndex,
  dispiIndex: u16,
});
/** Registers 0 to 7 of the CRTC can be protected. */
const LAST_PROTECTED = 7;

export class VgaText {
  constructor(
    private readonly clock: Clock,
    readonly state: VgaState = initialVgaState(),
  ) {}

  /** 0x3c0 to 0x3cf. */
  readonly mainPorts: PortDevice = {
    name: "vga",
    readPort: (offset) => this.readMain(offset),
    writePort: (offset, _size, value) => this.writeMain(offset, value & 0xff),
  };

  /** 0x3d4 and 0x3d5. */
  readonly crtcPorts: PortDevice = {
    name: "vga crtc",
    readPort: (offset) => (offset === 0 ? this.state.crtcIndex : this.register("crtc", this.state.crtcIndex)),
    writePort: (offset, _size, value) => {
      if (offset === 0) this.state.crtcIndex = value & 0xff;
      else this.writeCrtc(this.state.crtcIndex, value & 0xff);
    },
  };

  /** 0x3da: reading it also makes the next write to 0x3c0 an index. */
  readonly statusPort: PortDevice = {
    name: "vga status",
    readPort: () => {
      this.state.attributeData = false;
      return this.inputStatus1();
    },
    writePort: () => undefined,
  };

  /** 0x1ce and 0x1cf, word registers at neighbouring ports. */
  readonly dispiPorts: PortDevice = {
    name: "bochs display",
    readPort: (offset, size) => {
      if (size !== 2) return 0xffff_ffff >>> (32 - 8 * size);
      if (offset === DISPI.INDEX) return this.state.dispiIndex;
      return offset === DISPI.DATA && this.state.dispiIndex === DISPI.ID_REGISTER ? DISPI.ID : 0;
    },
    writePort: (offset, size, value) => {
      if (offset === DISPI.INDEX && size === 2) this.state.dispiIndex = value;
    },
  };

  private register(kind: "crtc" | "sequencer" | "graphics" | "attribute", index: number): number {
    return this.state[kind][index] ?? 0;
  }

  private write(kind: "crtc" | "sequencer" | "graphics" | "attribute", index: number, value: number): void {
    if (index < this.state[kind].length) this.state[kind][index] = value;
  }

  private writeCrtc(index: number, value: number): void {
    const { crtc } = this.state;
    const locked = (crtc[CRTC.VERTICAL_RETRACE_END] & CRTC_FIELD.PROTECT) !== 0 && index <= LAST_PROTECTED;
    if (!locked) this.write("crtc", index, value);
    else if (index === CRTC.OVERFLOW) {
      const free = CRTC_FIELD.UNPROTECTED_OVERFLOW;
      crtc[index] = (crtc[index] & ~free) | (value & free);
    }
  }

  private readMain(offset: number): number {
    const { state } = this;
    switch (offset) {
      case VGA_PORT.ATTRIBUTE:
        return state.attributeIndex;
      case VGA_PORT.ATTRIBUTE_READ:
        return this.register("attribute", state.attributeIndex & ATTRIBUTE_INDEX_MASK);
      case VGA_PORT.MISC_WRITE:
        return INPUT_STATUS_0_SENSE;
      case VGA_PORT.SEQUENCER_INDEX:
        return state.sequencerIndex;
      case VGA_PORT.SEQUENCER_DATA:
        return this.register("sequencer", state.sequencerIndex);
      case VGA_PORT.PEL_MASK:
        return state.pelMask;
      case VGA_PORT.DAC_READ_INDEX:
        return 0;
      case VGA_PORT.DAC_WRITE_INDEX:
        return Math.floor(state.paletteWrite / PALETTE_ENTRY);
      case VGA_PORT.DAC_DATA:
        return this.nextColour();
      case VGA_PORT.MISC_READ:
        return state.misc;
      case VGA_PORT.GRAPHICS_INDEX:
        return state.graphicsIndex;
      case VGA_PORT.GRAPHICS_DATA:
        return this.register("graphics", state.graphicsIndex);
      default:
        return ABSENT;
    }
  }

  private writeMain(offset: number, value: number): void {
    const { state } = this;
    switch (offset) {
      case VGA_PORT.ATTRIBUTE:
        this.writeAttribute(value);
        return;
      case VGA_PORT.MISC_WRITE:
        state.misc = value;
        return;
      case VGA_PORT.SEQUENCER_INDEX:
        state.sequencerIndex = value;
        return;
      case VGA_PORT.SEQUENCER_DATA:
        this.write("sequencer", state.sequencerIndex, value);
        return;
      case VGA_PORT.PEL_MASK:
        state.pelMask = value;
        return;
      case VGA_PORT.DAC_READ_INDEX:
        state.paletteRead = value * PALETTE_ENTRY;
        return;
      case VGA_PORT.DAC_WRITE_INDEX:
        state.paletteWrite = value * PALETTE_ENTRY;
        return;
      case VGA_PORT.DAC_DATA:
        state.palette[state.paletteWrite] = value & PALETTE_BITS;
        state.paletteWrite = (state.paletteWrite + 1) % VGA_COUNT.PALETTE;
        return;
      case VGA_PORT.GRAPHICS_INDEX:
        state.graphicsIndex = value;
        return;
      case VGA_PORT.GRAPHICS_DATA:
        this.write("graphics", state.graphicsIndex, value);
    }
  }

  private writeAttribute(value: number): void {
    const { state } = this;
    if (state.attributeData) this.write("attribute", state.attributeIndex & ATTRIBUTE_INDEX_MASK, value);
    else state.attributeIndex = value;
    state.attributeData = !state.attributeData;
  }

  private nextColour(): number {
    const { state } = this;
    const value = state.palette[state.paletteRead];
    state.paletteRead = (state.paletteRead + 1) % VGA_COUNT.PALETTE;
    return value;
  }

  /** Where the beam is decides; the timing is that of the 80 × 25 mode whatever the registers say. */
  private inputStatus1(): number {
    const lines = ((this.clock.now() % FRAME_NS) / FRAME_NS) * FRAME_LINES;
    const line = Math.floor(lines);
    const shown = line < SHOWN_LINES && lines - line < SHOWN_DOTS / LINE_DOTS;
    const retrace = line >= RETRACE_LINES.first && line <= RETRACE_LINES.last;
    return (shown ? 0 : INPUT_STATUS_1.BLANK) | (retrace ? INPUT_STATUS_1.VERTICAL_RETRACE : 0);
  }
}

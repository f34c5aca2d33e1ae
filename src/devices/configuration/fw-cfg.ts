/**
 * QEMU's firmware configuration device: numbered pieces of bytes that firmware and option ROMs read through a selector
 * and a data port, or have copied into memory (DMA). Knows what is in none of them, and memory only as an interface.
 * Nothing here can be written by the guest.
 *
 * Specification: QEMU docs/specs/fw_cfg.rst.
 *
 * ```
 * port +0  selector   word, write: chooses an item and rewinds it
 *      +1  data       byte, read: the item's next byte, 0 behind its end
 *      +4  DMA high   dword, big-endian: upper half of the address of a FWCfgDmaAccess
 *      +8  DMA low    dword, big-endian: lower half; starts the transfer
 * ```
 */
import { ByteView } from "../../bytes/byte-view.js";
import { TWO_32 } from "../../bytes/words.js";
import { FW_CFG_DMA, FW_CFG_DMA_SIGNATURE, FW_CFG_PORTS } from "../../spec/fw-cfg.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize, PortDevice } from "../device.js";

/** An item's contents by its key. */
export type FwCfgItems = ReadonlyMap<number, Uint8Array>;

/** Guest memory as the device reaches it. Every call throws a RangeError outside RAM, before anything is done. */
export interface DmaMemory {
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
  fill(address: number, length: number, value: number): void;
}

export interface FwCfgState {
  selected: number;
  /** Next byte of the selected item. */
  position: number;
  /** Upper half of the DMA address, until a transfer takes it. */
  dmaHigh: number;
}

/** Nothing selected yet. */
export function initialFwCfgState(): FwCfgState {
  return { selected: 0, position: 0, dmaHigh: 0 };
}

const EMPTY = new Uint8Array(0);
const ALL_ONES = 0xffff_ffff;
const DWORD = 4;
/** A guest-physical address above this is none. */
const HIGHEST_HALF = 0x000f_ffff;

/** A dword whose bytes the guest sees in the other order. */
function swapped(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0;
}

export class FwCfg {
  constructor(
    private readonly items: FwCfgItems,
    private readonly memory: () => DmaMemory,
    readonly state: FwCfgState = initialFwCfgState(),
  ) {}

  /** Selector and data. */
  readonly classicPorts: PortDevice = {
    name: "fw_cfg",
    readPort: (offset, size) => {
      if (offset !== FW_CFG_PORTS.DATA || size !== 1) return ALL_ONES >>> (32 - BYTE_BITS * size);
      return this.nextByte();
    },
    writePort: (offset, size, value) => {
      if (offset === 0 && size === FW_CFG_PORTS.SELECTOR_SIZE) this.select(value);
    },
  };

  /** The DMA address register. */
  readonly dmaPorts: PortDevice = {
    name: "fw_cfg DMA",
    readPort: (offset, size) => {
      let value = 0;
      for (let i = 0; i < size; i++) value |= FW_CFG_DMA_SIGNATURE.charCodeAt(offset + i) << (BYTE_BITS * i);
      return value >>> 0;
    },
    writePort: (offset, size, value) => this.writeDma(offset, size, value),
  };

  private select(key: number): void {
    this.state.selected = key;
    this.state.position = 0;
  }

  private get item(): Uint8Array {
    return this.items.get(this.state.selected) ?? EMPTY;
  }

  private nextByte(): number {
    const { item, state } = this;
    return state.position < item.length ? item[state.position++] : 0;
  }

  private writeDma(offset: number, size: AccessSize, value: number): void {
    if (size !== DWORD) return;
    if (offset === 0) {
      this.state.dmaHigh = swapped(value);
    } else if (offset === FW_CFG_PORTS.DMA_LOW) {
      const high = this.state.dmaHigh;
      this.state.dmaHigh = 0;
      if (high <= HIGHEST_HALF) this.transfer(high * TWO_32 + swapped(value));
    }
  }

  /** Does what the descriptor at `address` says and writes how it went over its control word. */
  private transfer(address: number): void {
    const memory = this.memory();
    let descriptor: ByteView;
    try {
      descriptor = new ByteView(memory.read(address, FW_CFG_DMA.SIZE));
    } catch (error) {
      if (error instanceof RangeError) return; // Where the outcome would go there is nothing either.
      throw error;
    }
    const outcome = this.carryOut(descriptor, memory) ? 0 : FW_CFG_DMA.ERROR;
    const control = new ByteView(new Uint8Array(DWORD));
    control.setU32be(0, outcome);
    memory.write(address, control.bytes);
  }

  /** Whether it could be done. */
  private carryOut(descriptor: ByteView, memory: DmaMemory): boolean {
    const control = descriptor.u32be(0);
    const length = descriptor.u32be(FW_CFG_DMA.LENGTH);
    const high = descriptor.u32be(FW_CFG_DMA.ADDRESS);
    const target = high * TWO_32 + descriptor.u32be(FW_CFG_DMA.ADDRESS + DWORD);
    if ((control & FW_CFG_DMA.SELECT) !== 0) this.select(control >>> FW_CFG_DMA.KEY_SHIFT);
    if ((control & FW_CFG_DMA.READ) !== 0) {
      if (high > HIGHEST_HALF || !this.copyOut(target, length, memory)) return false;
    } else if ((control & FW_CFG_DMA.WRITE) !== 0) {
      return false;
    } else if ((control & FW_CFG_DMA.SKIP) === 0) {
      return true;
    }
    this.state.position = Math.min(this.item.length, this.state.position + length);
    return true;
  }

  /** Copies from the item; zeros behind its end. */
  private copyOut(target: number, length: number, memory: DmaMemory): boolean {
    const { item, state } = this;
    const present = item.subarray(state.position, state.position + length);
    try {
      if (present.length > 0) memory.write(target, present);
      if (length > present.length) memory.fill(target + present.length, length - present.length, 0);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}

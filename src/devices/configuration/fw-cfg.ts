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
import { natural, record, u16, u32 } from "../../bytes/shape.js";
import { TWO_32 } from "../../bytes/words.js";
import { FW_CFG_DMA, FW_CFG_DMA_SIGNATURE, FW_CFG_PORTS } from "../../spec/fw-cfg.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { AccessSize, PortDevice } from "../device.js";
import type { PartMemory } from "../part.js";

/** An item's contents by its key. */
export type FwCfgItems = ReadonlyMap<number, Uint8Array>;

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

export const fwCfgShape = record<FwCfgState>({ selected: u16, position: natural, dmaHigh: u32 });

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
    private readonly memory: () => PartMemory,
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
    const bytes = memory.view(address, FW_CFG_DMA.SIZE);
    // Where the outcome would go there is nothing either.
    if (bytes === undefined) return;
    const outcome = this.carryOut(new ByteView(bytes.slice()), memory) ? 0 : FW_CFG_DMA.ERROR;
    memory.writeU32(address, swapped(outcome));
  }

  /** Whether it could be done. */
  private carryOut(descriptor: ByteView, memory: PartMemory): boolean {
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
  private copyOut(target: number, length: number, memory: PartMemory): boolean {
    if (length === 0) return true;
    const bytes = memory.writable(target, length);
    if (bytes === undefined) return false;
    const { item, state } = this;
    const present = item.subarray(state.position, state.position + length);
    bytes.set(present);
    bytes.fill(0, present.length);
    return true;
  }
}

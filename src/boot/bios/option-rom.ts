/**
 * Makes the option ROM that a BIOS starts as its boot device and that hands over to a kernel: it has every region copied to
 * its place through fw_cfg and enters the CPU state that the loader described. Knows no boot protocol.
 *
 * Specification: Plug and Play BIOS 1.0a §3; QEMU docs/specs/fw_cfg.rst.
 */
import { wide } from "../../bytes/words.js";
import { ACCESS_UNUSABLE, CR0_PE, EFER_LMA } from "../../spec/x86-privileged.js";
import { ByteView } from "../../bytes/byte-view.js";
import { alignUp } from "../../bytes/align.js";
import { byteSum } from "../../firmware/checksum.js";
import { PC_PORTS } from "../../spec/pc-ports.js";
import type { Region } from "../../memory/regions.js";
import { FW_CFG_DMA, FW_CFG_PORTS } from "../../spec/fw-cfg.js";
import { OPTION_ROM, PNP_HEADER } from "../../spec/pc-firmware.js";
import { DESCRIPTOR_SIZE } from "../../spec/x86-system.js";
import { GPR_NAMES, SEGMENT_NAMES, type CpuState } from "../../x86/cpu-state.js";
import { decodeDescriptor, describeSegment } from "../../x86/segments.js";
import { BootError } from "../boot-error.js";
import { codeBytes, codeSize, type ListedLine } from "../../x86/code-listing.js";
import { COPY, ENTER_32, ENTER_64, ENTER_REAL, INIT, LEAVE_REAL } from "./option-rom-code.js";

/** One piece of memory to fill, from the start of an item; zeros behind its end. */
export interface Transfer {
  /** Selector key. */
  key: number;
  /** Guest-physical. */
  address: number;
  /** Bytes. */
  size: number;
}

/** What the ROM does. */
export interface HandOver {
  transfers: readonly Transfer[];
  cpu: CpuState;
  /** Regions with their contents: where the descriptor table is looked up. */
  regions: readonly Region[];
}

const MANUFACTURER = "locore";
const PRODUCT = "locore kernel";
const MESSAGE = "locore: the kernel could not be copied: a fw_cfg transfer failed\n";
/** Offsets in the ROM: the byte that makes the sum of all zero, Plug and Play header, texts, code. */
const SUM_AT = 0x10;
const PNP_AT = 0x20;
const MANUFACTURER_AT = 0x40;
const PRODUCT_AT = 0x50;
const MESSAGE_AT = 0x60;
const CODE_AT = 0xb0;
/** What 16-bit offsets reach, bytes. */
const LARGEST = 0x1_0000;
/** Pseudo-descriptors and the far pointer, in words of 8 bytes. */
const CELL = 8;
const PARAGRAPH = 16;
/** Byte of a descriptor that holds the type. */
const DESCRIPTOR_TYPE = 5;

/** Builds the ROM. Throws BootError for a state that cannot be entered this way. */
export function buildOptionRom(handOver: HandOver): Uint8Array {
  const { transfers, cpu } = handOver;
  const enter = (cpu.cr0 & wide(CR0_PE)) === 0n ? [] : enterFlat(cpu);
  const real = enter.length === 0 ? ENTER_REAL : LEAVE_REAL;
  const flat = CODE_AT + codeSize(COPY) + codeSize(real);
  const cells = alignUp(flat + codeSize(enter) + CELL, CELL);
  const table = alignUp(cells + 3 * CELL, PARAGRAPH);
  const size = alignUp(table + transfers.length * FW_CFG_DMA.SIZE, OPTION_ROM.BLOCK);
  if (size > LARGEST)
    throw tooManyTransfers(transfers.length, Math.floor((LARGEST - table) / FW_CFG_DMA.SIZE));
  const rom = new ByteView(new Uint8Array(size));
  writeHeader(rom);
  const values = {
    ...registerValues(cpu),
    ...(enter.length === 0 ? {} : tableValues(handOver)),
    dma: BigInt(PC_PORTS.fwCfgDma.start),
    dmaLow: BigInt(PC_PORTS.fwCfgDma.start + FW_CFG_PORTS.DMA_LOW),
    debug: BigInt(PC_PORTS.debugConsole.start),
    message: BigInt(MESSAGE_AT),
    count: BigInt(transfers.length),
    table: BigInt(table),
    flat: BigInt(flat),
    gdtr: BigInt(cells),
    idtr: BigInt(cells + CELL),
    far: BigInt(cells + 2 * CELL),
  };
  rom.setBytes(CODE_AT, Uint8Array.from(codeBytes([...COPY, ...real, ...enter], values)));
  if (enter === ENTER_64) rom.setU64(flat + codeSize(enter), cpu.rip);
  writeCells(rom, cells, cpu);
  transfers.forEach((transfer, index) => writeTransfer(rom, table + index * FW_CFG_DMA.SIZE, transfer));
  rom.setU8(SUM_AT, -byteSum(rom.bytes) & 0xff);
  return rom.bytes;
}

function tooManyTransfers(count: number, most: number): BootError {
  return new BootError("hand over from the BIOS", {
    place: { kind: "option", name: "loader.bios" },
    found: `${count} pieces of memory to fill (segments, modules, tables)`,
    expected: `at most ${most}, which one option ROM can hold`,
    meaning: "Boot the kernel without a BIOS, or link it with fewer segments.",
  });
}

function enterFlat(cpu: CpuState): readonly ListedLine[] {
  return (cpu.efer & wide(EFER_LMA)) === 0n ? ENTER_32 : ENTER_64;
}

function writeHeader(rom: ByteView): void {
  rom.setU16(0, OPTION_ROM.MAGIC);
  rom.setU8(OPTION_ROM.SIZE, rom.length / OPTION_ROM.BLOCK);
  rom.setBytes(OPTION_ROM.INIT, Uint8Array.from(codeBytes(INIT, {})));
  rom.setU16(OPTION_ROM.PNP_POINTER, PNP_AT);
  rom.setLatin1(PNP_AT, PNP_HEADER.MAGIC);
  rom.setU8(PNP_AT + PNP_HEADER.REVISION, PNP_HEADER.REVISION_1);
  rom.setU8(PNP_AT + PNP_HEADER.LENGTH, PNP_HEADER.SIZE / PARAGRAPH);
  rom.setU16(PNP_AT + PNP_HEADER.MANUFACTURER, MANUFACTURER_AT);
  rom.setU16(PNP_AT + PNP_HEADER.PRODUCT, PRODUCT_AT);
  rom.setU8(PNP_AT + PNP_HEADER.INDICATORS, PNP_HEADER.IPL_DEVICE);
  rom.setU16(PNP_AT + PNP_HEADER.BOOT_ENTRY, CODE_AT);
  rom.setU8(PNP_AT + PNP_HEADER.CHECKSUM, -byteSum(rom.bytes, PNP_AT, PNP_HEADER.SIZE) & 0xff);
  rom.setLatin1(MANUFACTURER_AT, MANUFACTURER);
  rom.setLatin1(PRODUCT_AT, PRODUCT);
  rom.setLatin1(MESSAGE_AT, MESSAGE);
}

/** Limits and bases for LGDT and LIDT, and the far pointer's selector. */
function writeCells(rom: ByteView, cells: number, { gdtr, idtr, cs }: CpuState): void {
  rom.setU16(cells, gdtr.limit);
  rom.setU32(cells + 2, Number(gdtr.base));
  rom.setU16(cells + CELL, idtr.limit);
  rom.setU32(cells + CELL + 2, Number(idtr.base));
  rom.setU16(cells + 2 * CELL + 4, cs.selector);
}

function writeTransfer(rom: ByteView, at: number, { key, address, size }: Transfer): void {
  rom.setU32be(at, (key << FW_CFG_DMA.KEY_SHIFT) | FW_CFG_DMA.SELECT | FW_CFG_DMA.READ);
  rom.setU32be(at + FW_CFG_DMA.LENGTH, size);
  rom.setU32be(at + FW_CFG_DMA.ADDRESS + 4, address);
}

/** Everything that stands in a register, by its name. */
function registerValues(cpu: CpuState): Record<string, bigint> {
  const general = GPR_NAMES.map((name, index) => [name, cpu.gpr[index]] as const);
  const control = (["rip", "cr0", "cr3", "cr4"] as const).map((name) => [name, cpu[name]] as const);
  const segments = [...SEGMENT_NAMES, "tr" as const].map(
    (name) => [name, BigInt(cpu[name].selector)] as const,
  );
  // LMA follows from paging: it cannot be written.
  return { ...Object.fromEntries([...general, ...control, ...segments]), efer: cpu.efer & ~wide(EFER_LMA) };
}

/** The task's descriptor byte; checks that the table in memory gives the segments of the state. */
function tableValues({ cpu, regions }: HandOver): Record<string, bigint> {
  const base = Number(cpu.gdtr.base);
  const region = regions.find(({ start, size }) => base >= start && base < start + size);
  const bytes = region?.content.kind === "bytes" ? region.content.bytes : new Uint8Array(0);
  const table = new ByteView(bytes);
  for (const name of [...SEGMENT_NAMES, "tr" as const]) {
    const wanted = cpu[name];
    const at = base - (region?.start ?? 0) + wanted.selector;
    const found = table.holds(at, DESCRIPTOR_SIZE)
      ? describeSegment(decodeDescriptor(table.u64(at), wanted.selector))
      : "nothing";
    if (found === describeSegment(wanted) && (wanted.access & ACCESS_UNUSABLE) === 0) continue;
    throw new BootError("hand over from the BIOS", {
      place: { kind: "memory", address: base + wanted.selector },
      found: `${found} for ${name}`,
      expected: `${describeSegment(wanted)}, as the loader describes the CPU`,
      meaning: "Started by a BIOS, segments come from the loader's descriptor table: it must hold them all.",
    });
  }
  return { task: BigInt(base + cpu.tr.selector + DESCRIPTOR_TYPE) };
}

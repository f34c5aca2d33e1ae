/**
 * Paging of 32-bit kernels: 4 KiB and 4 MiB pages of 32-bit paging, PAE with its four directory pointers and NX.
 *
 * Specification: SDM vol. 3A §4.3 (32-bit paging), §4.4 (PAE paging), §4.7.
 */
import { al, at, byte, cr0, cr3, cr4, dword, eax, ebx, ecx } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import { A, D, G, NX, P, PS, RW } from "../support/page-tables.js";
import { PF_I, PF_P, PF_RSVD, PF_W } from "./paging.js";

const PF = 14;
const GP = 13;
const CR0_PG = 0x80000000;
const CR0_WP = 0x10000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const CR4_PGE = 0x80;
const MSR_EFER = 0xc0000080;
const EFER_NXE = 0x800;
const RET = 0xc3;

const DIRECTORY = 0x300000;
const TABLE = 0x301000;
const IDENTITY = 0x302000;
const POINTERS = 0x303020;
/** Linear addresses of the test, one directory entry away from everything else. */
const TEST = 0x40000000;

function words32(g: GuestBuilder, address: number, values: bigint[]): void {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((v, i) => view.setUint32(4 * i, Number(v), true));
  g.data(address, bytes);
}

function turnOn(a: Assembler, cr4Bits: number, root: number): void {
  a.movSystem(eax, cr4).or(eax, cr4Bits).movSystem(cr4, eax);
  a.mov(eax, root)
    .movSystem(cr3, eax)
    .movSystem(eax, cr0)
    .or(eax, CR0_PG | CR0_WP)
    .movSystem(cr0, eax);
}

function thirtyTwoBit(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  // RAM identity-mapped by 4 MiB pages, one table of 4 KiB pages, one 4 MiB page.
  for (let i = 0; i < 4; i++) words32(g, DIRECTORY + 4 * i, [BigInt(i * 0x400000) | P | RW | PS]);
  words32(g, DIRECTORY + 4 * (TEST >>> 22), [
    BigInt(TABLE) | P | RW,
    0x800000n | P | RW | PS | G,
    0n,
    0x800000n | P | RW | PS,
  ]);
  words32(g, TABLE, [0x280000n | P | RW, 0x281000n | P]);
  words32(g, 0x280000, [0x11112222n]);
  words32(g, 0x800000 + 0x123000, [0x33334444n]);
  words32(g, 0x800000 + 0x3ff000, [0x55556666n]);
  turnOn(a, CR4_PSE | CR4_PGE, DIRECTORY);
  a.mov(eax, dword(TEST));
  g.expect(eax, 0x11112222, "a 4 KiB page");
  a.mov(eax, dword(TEST + 0x400000 + 0x123000));
  g.expect(eax, 0x33334444, "a 4 MiB page");
  g.fault(
    { vector: PF, error: PF_P | PF_W, cr2: BigInt(TEST + 0x1004), note: "a write to a read-only page" },
    () => a.mov(byte(TEST + 0x1004), 1),
  );
  g.fault({ vector: PF, error: 0, cr2: BigInt(TEST + 0x2000), note: "an absent page" }, () =>
    a.mov(al, byte(TEST + 0x2000)),
  );
  g.fault({ vector: PF, error: PF_W, cr2: BigInt(TEST + 0x800000), note: "an absent table" }, () =>
    a.mov(byte(TEST + 0x800000), al),
  );
  g.expectAt(TABLE, 4, A, "A of the table entry, D clear", A | D);
  g.expectAt(DIRECTORY + 4 * (TEST >>> 22), 4, A, "A of the directory entry", A);
  g.expectAt(DIRECTORY + 4 * (TEST >>> 22) + 4, 4, A, "A of the 4 MiB entry, D clear", A | D);
  a.mov(dword(TABLE + 8), 0x280000 + 3).mov(byte(TEST + 0x2000), 0x55);
  g.expectAt(TABLE + 8, 4, A | D, "a write sets D", A | D);
  g.expectAt(0x280000, 1, 0x55n, "through a new mapping");
  // An entry may be 4 MiB only while CR4.PSE is set.
  a.mov(dword(TABLE), 0x281000 + 3)
    .invlpg(at(TEST))
    .mov(eax, dword(TEST));
  g.expect(eax, 0, "INVLPG");
  // A 4 MiB page that was used in its upper half and is split.
  const large = TEST + 0xc00000;
  a.mov(eax, dword(large + 0x3ff000));
  g.expect(eax, 0x55556666, "the upper half of a 4 MiB page");
  a.mov(dword(TABLE + 4 * 0x3ff), 0x280000 + 3)
    .mov(dword(DIRECTORY + 4 * (large >>> 22)), TABLE + 3)
    .invlpg(at(large + 0x1000))
    .mov(eax, dword(large + 0x3ff000));
  g.expect(eax, 0x11112255, "the upper half, forgotten by INVLPG of the lower");
  a.movSystem(eax, cr0).and(eax, 0x7fffffff).movSystem(cr0, eax).mov(eax, dword(0x280000));
  g.expect(eax, 0x11112255, "without paging linear is physical");
  g.exit();
}

function physicalAddressExtension(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.words(POINTERS, BigInt(IDENTITY) | P, BigInt(DIRECTORY) | P, 0n, 0n);
  g.words(IDENTITY, ...Array.from({ length: 8 }, (_, i) => BigInt(i * 0x200000) | P | RW | PS));
  g.words(DIRECTORY, BigInt(TABLE) | P | RW, 0x800000n | P | RW | PS);
  g.words(TABLE, 0x280000n | P | RW, 0x281000n | P | RW | NX, 0x100000000n | P | RW);
  g.words(0x280000, 0x5566n);
  g.words(0x800000, 0x7788n);
  g.data(0x281000, [RET]);
  a.mov(ecx, MSR_EFER).rdmsr().or(eax, EFER_NXE).wrmsr();
  turnOn(a, CR4_PAE, POINTERS);
  a.mov(eax, dword(TEST));
  g.expect(eax, 0x5566, "a 4 KiB page");
  a.mov(eax, dword(TEST + 0x200000));
  g.expect(eax, 0x7788, "a 2 MiB page");
  a.mov(al, byte(TEST + 0x1000));
  g.expect(al, RET, "NX allows reading");
  g.resumeAt("nx");
  g.expectEvent({
    vector: PF,
    error: PF_P | PF_I,
    cr2: BigInt(TEST + 0x1000),
    rip: BigInt(TEST + 0x1000),
    note: "execution of a NX page",
  });
  a.mov(ebx, TEST + 0x1000)
    .jmpAt(ebx)
    .label("nx");
  g.fault({ vector: PF, error: 0, cr2: 0x80000000n, note: "an absent directory pointer" }, () =>
    a.mov(al, byte(0x80000000)),
  );
  g.expectAt(TABLE, 8, A, "A is set, D is not", A | D);
  // MOV CR3 loads the four pointers; a change in memory is not seen before the next one.
  a.mov(dword(POINTERS + 16), DIRECTORY + 1);
  g.fault({ vector: PF, error: 0, cr2: 0x80000000n, note: "the old pointer is still in use" }, () =>
    a.mov(al, byte(0x80000000)),
  );
  a.movSystem(eax, cr3).movSystem(cr3, eax).mov(eax, dword(0x80000000));
  g.expect(eax, 0x5566, "the new pointer after MOV CR3");
  g.exit();
}

/** Reserved bits: of a directory pointer at MOV CR3 (#GP), of an entry at its use (#PF). */
function reserved(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.words(POINTERS, BigInt(IDENTITY) | P, BigInt(DIRECTORY) | P, 0n, 0n);
  g.words(POINTERS + 32, BigInt(IDENTITY) | P | RW, 0n, 0n, 0n);
  g.words(IDENTITY, ...Array.from({ length: 8 }, (_, i) => BigInt(i * 0x200000) | P | RW | PS));
  g.words(DIRECTORY, 0x400000n | P | RW | PS | (1n << 13n));
  turnOn(a, CR4_PAE, POINTERS);
  g.fault({ vector: PF, error: PF_P | PF_RSVD, cr2: BigInt(TEST), note: "bit 13 of a 2 MiB entry" }, () =>
    a.mov(al, byte(TEST)),
  );
  a.mov(eax, POINTERS + 32);
  g.fault({ vector: GP, error: 0, note: "bit 1 of a directory pointer is reserved" }, () =>
    a.movSystem(cr3, eax),
  );
  a.movSystem(eax, cr3);
  g.expect(eax, POINTERS, "CR3 is kept");
  g.exit();
}

export function legacyPagingGuests(): Guest[] {
  return [
    guest("32-bit paging with 4 KiB and 4 MiB pages", { mode: 32, cites: "SDM vol. 3A §4.3" }, thirtyTwoBit),
    guest(
      "PAE paging with NX; directory pointers are loaded by MOV CR3",
      {
        mode: 32,
        cites: "SDM vol. 3A §4.4.1",
        notOnQemu: "QEMU 7.2 reads directory pointers from memory at every walk; the SDM is right",
      },
      physicalAddressExtension,
    ),
    guest(
      "reserved bits of PAE paging",
      { mode: 32, cites: "SDM vol. 3A §4.4.1", notOnQemu: "QEMU 7.2 does not check directory pointers" },
      reserved,
    ),
  ];
}

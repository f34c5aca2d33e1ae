/**
 * A ROM that brings QEMU's CPU from reset into a plan's entry state. With the plan's regions put into memory beside
 * it, the guest finds what it would find on our machine: boot protocols are judged without an engine of ours.
 *
 * QEMU shows the ROM at 0xf0000–0xfffff, where the plan has its MP table: that region becomes the ROM's first part.
 *
 * Specification: SDM vol. 3A §9.8.5 (entering long mode), §9.9.1 (entering protected mode).
 */
import type { Plan } from "../../../src/boot/plan.js";

const ROM_BASE = 0xf0000;
const ROM_SIZE = 0x10000;
const REAL_MODE_CODE = 0x8000;
const FLAT_CODE = 0x8100;
const GDTR_IMAGE = 0x9000;
const RESET_VECTOR = 0xfff0;
const [RBX, RSI] = [3, 6];
const CR0_PAGING = 1n << 31n;
const EFER_ACTIVE = 1n << 10n;

const word = (value: number): number[] => [value & 255, (value >>> 8) & 255];
const dword = (value: number | bigint): number[] => {
  const low = Number(BigInt(value) & 0xffff_ffffn);
  return [...word(low & 0xffff), ...word(low >>> 16)];
};

/** 16-bit code: GDT, CR4, CR3, EFER, CR0, far jump into the plan's code segment. */
function realModeCode({ cr0, cr3, cr4, efer, cs }: Plan["bootCpu"]): number[] {
  const setCr0 = (value: bigint): number[] => [
    ...[0x66, 0xb8, ...dword(value)], // mov eax, value
    ...[0x0f, 0x22, 0xc0], // mov cr0, eax
  ];
  return [
    0xfa, // cli
    ...[0xb8, ...word(ROM_BASE >> 4)], // mov ax, 0xf000
    ...[0x8e, 0xd8], // mov ds, ax
    ...[0x66, 0x0f, 0x01, 0x16, ...word(GDTR_IMAGE)], // lgdt [0x9000], 32-bit base
    ...[0x66, 0xb8, ...dword(cr4)], // mov eax, cr4 value
    ...[0x0f, 0x22, 0xe0], // mov cr4, eax
    ...[0x66, 0xb8, ...dword(cr3)], // mov eax, cr3 value
    ...[0x0f, 0x22, 0xd8], // mov cr3, eax
    ...[0x66, 0xb9, ...dword(0xc0000080)], // mov ecx, IA32_EFER
    ...[0x66, 0x31, 0xd2], // xor edx, edx
    ...[0x66, 0xb8, ...dword(efer & ~EFER_ACTIVE)], // mov eax, efer
    ...[0x0f, 0x30], // wrmsr
    ...setCr0(cr0 & ~CR0_PAGING),
    ...((cr0 & CR0_PAGING) !== 0n ? setCr0(cr0) : []),
    ...[0x66, 0xea, ...dword(ROM_BASE + FLAT_CODE), ...word(cs.selector)], // jmp far cs:0xf8100
  ];
}

/** The same bytes serve as 32-bit and as 64-bit code. */
function flatCode({ gpr, rip, ds }: Plan["bootCpu"]): number[] {
  return [
    ...[0xb8, ...dword(ds.selector)], // mov eax, selector
    ...[0x8e, 0xd8], // mov ds, eax
    ...[0x8e, 0xc0], // mov es, eax
    ...[0x8e, 0xd0], // mov ss, eax
    ...[0x8e, 0xe0], // mov fs, eax
    ...[0x8e, 0xe8], // mov gs, eax
    ...[0xbb, ...dword(gpr[RBX])], // mov ebx, value
    ...[0xbe, ...dword(gpr[RSI])], // mov esi, value
    ...[0x31, 0xed], // xor ebp, ebp
    ...[0x31, 0xff], // xor edi, edi
    ...[0x31, 0xe4], // xor esp, esp
    ...[0xb8, ...dword(rip)], // mov eax, entry
    ...[0xff, 0xe0], // jmp eax / rax
  ];
}

/** The ROM for a plan, 64 KiB. */
export function planRom(plan: Plan): Uint8Array {
  const rom = new Uint8Array(ROM_SIZE);
  for (const { start, content } of plan.regions) {
    if (content.kind === "bytes" && start >= ROM_BASE && start < ROM_BASE + ROM_SIZE) {
      rom.set(content.bytes, start - ROM_BASE);
    }
  }
  const { gdtr } = plan.bootCpu;
  rom.set(realModeCode(plan.bootCpu), REAL_MODE_CODE);
  rom.set(flatCode(plan.bootCpu), FLAT_CODE);
  rom.set([...word(gdtr.limit), ...dword(gdtr.base)], GDTR_IMAGE);
  rom.set([0xea, ...word(REAL_MODE_CODE), ...word(ROM_BASE >> 4)], RESET_VECTOR); // jmp far 0xf000:0x8000
  return rom;
}

/** Regions that QEMU has to be given as files, ascending: everything with contents outside the ROM. */
export function planFiles(plan: Plan): { address: number; bytes: Uint8Array }[] {
  return plan.regions.flatMap(({ start, content }) =>
    content.kind === "bytes" && (start < ROM_BASE || start >= ROM_BASE + ROM_SIZE)
      ? [{ address: start, bytes: content.bytes }]
      : [],
  );
}

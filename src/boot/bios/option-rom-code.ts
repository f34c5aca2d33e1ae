/**
 * The code of our option ROM, as listings: it copies what the kernel needs through fw_cfg and enters it as the plan
 * says. Only code; `option-rom.ts` puts it together. It uses no stack, because what it copies may lie there.
 *
 * Specification: Plug and Play BIOS 1.0a §3.2 (boot entry vector); QEMU docs/specs/fw_cfg.rst, "DMA interface"; SDM
 * vol. 3A §9.9.1 (to protected mode), §9.8.5 (to IA-32e mode, here from real mode in one step).
 */
import { listing } from "../../x86/code-listing.js";

/** Called once by POST: says that this device boots an operating system (bit 5) and returns. */
export const INIT = listing(`
  b8 20 00                  mov ax, 0x20
  cb                        retf
`);

/**
 * Boot entry, real mode: carries out every transfer of the table (each is a FWCfgDmaAccess), then falls through. EBX is the
 * ROM's physical address from here on. A transfer that fails stops the machine with a message for the debug console.
 */
export const COPY = listing(`
  fa                        cli
  fc                        cld
  8c c8                     mov ax, cs
  8e d8                     mov ds, ax
  66 0f b7 d8               movzx ebx, ax
  66 c1 e3 04               shl ebx, 4
  66 31 c0                  xor eax, eax
  ba <dma:2>                mov dx, <dma>
  66 ef                     out dx, eax
  be <table:2>              mov si, <table>
  b9 <count:2>              mov cx, <count>
  66 0f b7 c6               movzx eax, si
  66 01 d8                  add eax, ebx
  66 0f c8                  bswap eax
  ba <dmaLow:2>             mov dx, <dmaLow>
  66 ef                     out dx, eax
  66 8b 04                  mov eax, [si]
  66 a9 00 00 00 01         test eax, 0x1000000
  75 0c                     jnz .+14
  66 85 c0                  test eax, eax
  75 f0                     jnz .-14
  83 c6 10                  add si, 16
  e2 dc                     loop .-34
  eb 11                     jmp .+19
  be <message:2>            mov si, <message>
  ba <debug:2>              mov dx, <debug>
  ac                        lodsb
  84 c0                     test al, al
  74 03                     jz .+5
  ee                        out dx, al
  eb f8                     jmp .-6
  f4                        hlt
  eb fd                     jmp .-1
`);

/** Real mode: segments and registers as the boot protocol wants them, then the kernel. */
export const ENTER_REAL = listing(`
  b8 <es:2>                 mov ax, <es>
  8e c0                     mov es, ax
  b8 <fs:2>                 mov ax, <fs>
  8e e0                     mov fs, ax
  b8 <gs:2>                 mov ax, <gs>
  8e e8                     mov gs, ax
  b8 <ss:2>                 mov ax, <ss>
  8e d0                     mov ss, ax
  66 bc <rsp:4>             mov esp, <rsp>
  b8 <ds:2>                 mov ax, <ds>
  8e d8                     mov ds, ax
  66 b9 <rcx:4>             mov ecx, <rcx>
  66 ba <rdx:4>             mov edx, <rdx>
  66 bb <rbx:4>             mov ebx, <rbx>
  66 bd <rbp:4>             mov ebp, <rbp>
  66 be <rsi:4>             mov esi, <rsi>
  66 bf <rdi:4>             mov edi, <rdi>
  66 b8 <rax:4>             mov eax, <rax>
  ea <rip:2> <cs:2>         jmp <cs>:<rip>
`);

/** Real mode to protected or, with the values for it, IA-32e mode; goes on at `flat` of this ROM. */
export const LEAVE_REAL = listing(`
  67 66 8d 83 <flat:4>      lea eax, [ebx+<flat>]
  66 a3 <far:2>             mov [<far>], eax
  66 0f 01 16 <gdtr:2>      data32 lgdt [<gdtr>]
  66 0f 01 1e <idtr:2>      data32 lidt [<idtr>]
  66 b8 <cr4:4>             mov eax, <cr4>
  0f 22 e0                  mov cr4, eax
  66 b8 <cr3:4>             mov eax, <cr3>
  0f 22 d8                  mov cr3, eax
  66 b9 80 00 00 c0         mov ecx, 0xc0000080
  66 b8 <efer:4>            mov eax, <efer>
  66 31 d2                  xor edx, edx
  0f 30                     wrmsr
  66 b8 <cr0:4>             mov eax, <cr0>
  0f 22 c0                  mov cr0, eax
  66 ff 2e <far:2>          jmp fword ptr [<far>]
`);

/** The same bytes in 32-bit and 64-bit code. */
const LOAD_SEGMENTS = `
  b8 <ss:4>                 mov eax, <ss>
  8e d0                     mov ss, eax
  b8 <ds:4>                 mov eax, <ds>
  8e d8                     mov ds, eax
  b8 <es:4>                 mov eax, <es>
  8e c0                     mov es, eax
  b8 <fs:4>                 mov eax, <fs>
  8e e0                     mov fs, eax
  b8 <gs:4>                 mov eax, <gs>
  8e e8                     mov gs, eax
`;

/** 32-bit code: the task descriptor is made available first, because loading it makes it busy again. */
export const ENTER_32 = listing(`
${LOAD_SEGMENTS}
  80 25 <task:4> fd         and byte ptr ds:<task>, 0xfd
  b8 <tr:4>                 mov eax, <tr>
  0f 00 d8                  ltr ax
  b9 <rcx:4>                mov ecx, <rcx>
  ba <rdx:4>                mov edx, <rdx>
  bb <rbx:4>                mov ebx, <rbx>
  bc <rsp:4>                mov esp, <rsp>
  bd <rbp:4>                mov ebp, <rbp>
  be <rsi:4>                mov esi, <rsi>
  bf <rdi:4>                mov edi, <rdi>
  b8 <rax:4>                mov eax, <rax>
  ea <rip:4> <cs:2>         jmp <cs>:<rip>
`);

/** 64-bit code. */
export const ENTER_64 = listing(`
${LOAD_SEGMENTS}
  80 24 25 <task:4> fd      and byte ptr ds:<task>, 0xfd
  b8 <tr:4>                 mov eax, <tr>
  0f 00 d8                  ltr ax
  48 b9 <rcx:8>             movabs rcx, <rcx>
  48 ba <rdx:8>             movabs rdx, <rdx>
  48 bb <rbx:8>             movabs rbx, <rbx>
  48 bc <rsp:8>             movabs rsp, <rsp>
  48 bd <rbp:8>             movabs rbp, <rbp>
  48 be <rsi:8>             movabs rsi, <rsi>
  48 bf <rdi:8>             movabs rdi, <rdi>
  49 b8 <r8:8>              movabs r8, <r8>
  49 b9 <r9:8>              movabs r9, <r9>
  49 ba <r10:8>             movabs r10, <r10>
  49 bb <r11:8>             movabs r11, <r11>
  49 bc <r12:8>             movabs r12, <r12>
  49 bd <r13:8>             movabs r13, <r13>
  49 be <r14:8>             movabs r14, <r14>
  49 bf <r15:8>             movabs r15, <r15>
  48 b8 <rax:8>             movabs rax, <rax>
  ff 25 00 00 00 00         jmp qword ptr [rip+0]
`);

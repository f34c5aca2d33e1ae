/**
 * Which of the reference's mnemonics each of ours stands for, where they are not the same word. Our table joins what
 * one handler does at several sizes (`movs`), or for types that do not differ (`mova` for MOVAPS, MOVAPD, MOVDQA), and
 * tells apart what needs other handlers (`imul1`, `movss_store`).
 */

const LIST = `
call_near call          jmp_near jmp            far_call_imm call       far_call_mem call
far_jmp_imm jmp         far_jmp_mem jmp         far_ret retf            int_imm int
iret iretd iretq        sysret sysretq          sysexit sysexitq        jrcxz jcxz jecxz
in_dx in                in_imm in               out_dx out              out_imm out
movs movsb movsw movsd movsq                    cmps cmpsb cmpsw cmpsd cmpsq
stos stosb stosw stosd stosq                    lods lodsb lodsw lodsd lodsq
scas scasb scasw scasd scasq                    ins insb insw insd      outs outsb outsw outsd
cbw cwde cdqe           cwd cdq cqo             imul1 imul              imul2 imul
imul3 imul              shl sal                 xlat xlatb              cmpxchg8b cmpxchg16b
mov_from_cr mov         mov_to_cr mov           mov_from_dr mov         mov_to_dr mov
mov_from_seg mov        mov_to_seg mov          push_seg push           pop_seg pop
pusha pushad            popa popad              pushf pushfd pushfq     popf popfd popfq
fwait wait              nop reservednop         fence lfence mfence sfence
clflush clflushopt clwb
xsave xsave64           xsavec xsavec64         xsaveopt xsaveopt64     xrstor xrstor64
fxsave fxsave64         fxrstor fxrstor64
mova movaps movapd movdqa movntps movntpd movntdq movntdqa
movu movups movupd movdqu lddqu                 movq_mmx movq movntq    movd movq
movlp movlps movlpd     movlp_store movlps movlpd
movhp movhps movhpd     movhp_store movhps movhpd
movss_store movss       movsd_store movsd       movq_store movq
pand andps andpd        pandn andnps andnpd     por orps orpd           pxor xorps xorpd
psllw_imm psllw         pslld_imm pslld         psllq_imm psllq         psrlw_imm psrlw
psrld_imm psrld         psrlq_imm psrlq         psraw_imm psraw         psrad_imm psrad
pextrw_sse4 pextrw      pextrd pextrq           pinsrd pinsrq
pcmpestri pcmpestri64   pcmpestrm pcmpestrm64
`;

/** Reads the list: words of two or more to an entry, entries two blanks or a line apart. */
const STANDS_FOR = new Map(
  LIST.split(/\n|\s{2,}/)
    .filter((entry) => entry !== "")
    .map((entry) => entry.split(" "))
    .map(([own, ...names]) => [own, new Set(names)]),
);

/** Whether our mnemonic can be what the reference calls `reference`. */
export function sameMnemonic(own: string, reference: string): boolean {
  return own === reference || (STANDS_FOR.get(own)?.has(reference) ?? false);
}

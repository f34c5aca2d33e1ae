/**
 * Instruction forms: MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA, in the notation of `forms.ts`. Specification: SDM vol. 2, appendix A.
 *
 * Packed-integer operations that exist for MMX and XMM share a mnemonic; `P,Q` are MMX registers, `V,W` XMM.
 */
export const SSE_FORMS = `
NP 0F 10    movu    Vx,Wx
NP 0F 11    movu    Wx,Vx
66 0F 10    movu    Vx,Wx
66 0F 11    movu    Wx,Vx
F3 0F 10    movss   Vx,Wd
F3 0F 11    movss_store Wd,Vx
F2 0F 10    movsd   Vx,Wq
F2 0F 11    movsd_store Wq,Vx
NP 0F 12m   movlp   Vx,Mq
NP 0F 12r   movhlps Vx,Wx
NP 0F 13m   movlp_store Mq,Vx
66 0F 12m   movlp   Vx,Mq
66 0F 13m   movlp_store Mq,Vx
F3 0F 12    movsldup Vx,Wa
F2 0F 12    movddup Vx,Wq
NP 0F 14    unpcklps Vx,Wa
66 0F 14    unpcklpd Vx,Wa
NP 0F 15    unpckhps Vx,Wa
66 0F 15    unpckhpd Vx,Wa
NP 0F 16m   movhp   Vx,Mq
NP 0F 16r   movlhps Vx,Wx
NP 0F 17m   movhp_store Mq,Vx
66 0F 16m   movhp   Vx,Mq
66 0F 17m   movhp_store Mq,Vx
F3 0F 16    movshdup Vx,Wa
NP 0F 28    mova    Vx,Wa
NP 0F 29    mova    Wa,Vx
66 0F 28    mova    Vx,Wa
66 0F 29    mova    Wa,Vx
NP 0F 2A    cvtpi2ps Vx,Qq
66 0F 2A    cvtpi2pd Vx,Qq
F3 0F 2A    cvtsi2ss Vx,Ey
F2 0F 2A    cvtsi2sd Vx,Ey
NP 0F 2Bm   mova    Ma,Vx
66 0F 2Bm   mova    Ma,Vx
NP 0F 2C    cvttps2pi Pq,Wq
66 0F 2C    cvttpd2pi Pq,Wa
F3 0F 2C    cvttss2si Gy,Wd
F2 0F 2C    cvttsd2si Gy,Wq
NP 0F 2D    cvtps2pi Pq,Wq
66 0F 2D    cvtpd2pi Pq,Wa
F3 0F 2D    cvtss2si Gy,Wd
F2 0F 2D    cvtsd2si Gy,Wq
NP 0F 2E    ucomiss Vx,Wd
66 0F 2E    ucomisd Vx,Wq
NP 0F 2F    comiss  Vx,Wd
66 0F 2F    comisd  Vx,Wq
NP 0F 50r   movmskps Gy,Wx
66 0F 50r   movmskpd Gy,Wx
NP 0F 51    sqrtps  Vx,Wa
66 0F 51    sqrtpd  Vx,Wa
F3 0F 51    sqrtss  Vx,Wd
F2 0F 51    sqrtsd  Vx,Wq
NP 0F 52    rsqrtps Vx,Wa
F3 0F 52    rsqrtss Vx,Wd
NP 0F 53    rcpps   Vx,Wa
F3 0F 53    rcpss   Vx,Wd
NP 0F 54    pand    Vx,Wa
66 0F 54    pand    Vx,Wa
NP 0F 55    pandn   Vx,Wa
66 0F 55    pandn   Vx,Wa
NP 0F 56    por     Vx,Wa
66 0F 56    por     Vx,Wa
NP 0F 57    pxor    Vx,Wa
66 0F 57    pxor    Vx,Wa
NP 0F 58    addps   Vx,Wa
66 0F 58    addpd   Vx,Wa
F3 0F 58    addss   Vx,Wd
F2 0F 58    addsd   Vx,Wq
NP 0F 59    mulps   Vx,Wa
66 0F 59    mulpd   Vx,Wa
F3 0F 59    mulss   Vx,Wd
F2 0F 59    mulsd   Vx,Wq
NP 0F 5A    cvtps2pd Vx,Wq
66 0F 5A    cvtpd2ps Vx,Wa
F3 0F 5A    cvtss2sd Vx,Wd
F2 0F 5A    cvtsd2ss Vx,Wq
NP 0F 5B    cvtdq2ps Vx,Wa
66 0F 5B    cvtps2dq Vx,Wa
F3 0F 5B    cvttps2dq Vx,Wa
NP 0F 5C    subps   Vx,Wa
66 0F 5C    subpd   Vx,Wa
F3 0F 5C    subss   Vx,Wd
F2 0F 5C    subsd   Vx,Wq
NP 0F 5D    minps   Vx,Wa
66 0F 5D    minpd   Vx,Wa
F3 0F 5D    minss   Vx,Wd
F2 0F 5D    minsd   Vx,Wq
NP 0F 5E    divps   Vx,Wa
66 0F 5E    divpd   Vx,Wa
F3 0F 5E    divss   Vx,Wd
F2 0F 5E    divsd   Vx,Wq
NP 0F 5F    maxps   Vx,Wa
66 0F 5F    maxpd   Vx,Wa
F3 0F 5F    maxss   Vx,Wd
F2 0F 5F    maxsd   Vx,Wq
66 0F 6C    punpcklqdq Vx,Wa
66 0F 6D    punpckhqdq Vx,Wa
NP 0F 6E    movd    Pq,Ey
66 0F 6E    movd    Vx,Ey
NP 0F 7E    movd    Ey,Pq
66 0F 7E    movd    Ey,Vx
NP 0F 6F    movq_mmx Pq,Qq
NP 0F 7F    movq_mmx Qq,Pq
66 0F 6F    mova    Vx,Wa
66 0F 7F    mova    Wa,Vx
F3 0F 6F    movu    Vx,Wx  ?sse2
F3 0F 7F    movu    Wx,Vx  ?sse2
F3 0F 7E    movq    Vx,Wq
66 0F D6    movq_store Wq,Vx
NP 0F 70    pshufw  Pq,Qq,Iu
66 0F 70    pshufd  Vx,Wa,Iu
F3 0F 70    pshufhw Vx,Wa,Iu
F2 0F 70    pshuflw Vx,Wa,Iu
NP 0F 71/2r psrlw_imm Qq,Iu
66 0F 71/2r psrlw_imm Wx,Iu
NP 0F 71/4r psraw_imm Qq,Iu
66 0F 71/4r psraw_imm Wx,Iu
NP 0F 71/6r psllw_imm Qq,Iu
66 0F 71/6r psllw_imm Wx,Iu
NP 0F 72/2r psrld_imm Qq,Iu
66 0F 72/2r psrld_imm Wx,Iu
NP 0F 72/4r psrad_imm Qq,Iu
66 0F 72/4r psrad_imm Wx,Iu
NP 0F 72/6r pslld_imm Qq,Iu
66 0F 72/6r pslld_imm Wx,Iu
NP 0F 73/2r psrlq_imm Qq,Iu
66 0F 73/2r psrlq_imm Wx,Iu
66 0F 73/3r psrldq Wx,Iu
NP 0F 73/6r psllq_imm Qq,Iu
66 0F 73/6r psllq_imm Wx,Iu
66 0F 73/7r pslldq Wx,Iu
NP 0F 77    emms    -
66 0F 7C    haddpd  Vx,Wa
F2 0F 7C    haddps  Vx,Wa
66 0F 7D    hsubpd  Vx,Wa
F2 0F 7D    hsubps  Vx,Wa
NP 0F C2    cmpps   Vx,Wa,Iu
66 0F C2    cmppd   Vx,Wa,Iu
F3 0F C2    cmpss   Vx,Wd,Iu
F2 0F C2    cmpsd   Vx,Wq,Iu
NP 0F C4    pinsrw  Pq,Ew,Iu
66 0F C4    pinsrw  Vx,Ew,Iu
NP 0F C5r   pextrw  Gy,Qq,Iu
66 0F C5r   pextrw  Gy,Wx,Iu
NP 0F C6    shufps  Vx,Wa,Iu
66 0F C6    shufpd  Vx,Wa,Iu
66 0F D0    addsubpd Vx,Wa
F2 0F D0    addsubps Vx,Wa
F3 0F D6r   movq2dq Vx,Qq
F2 0F D6r   movdq2q Pq,Wx
NP 0F D7r   pmovmskb Gy,Qq
66 0F D7r   pmovmskb Gy,Wx
66 0F E6    cvttpd2dq Vx,Wa
F3 0F E6    cvtdq2pd Vx,Wq
F2 0F E6    cvtpd2dq Vx,Wa
NP 0F E7m   movq_mmx Mq,Pq  ?sse
66 0F E7m   mova    Ma,Vx
F2 0F F0m   movu    Vx,Mx  ?sse3
NP 0F F7r   maskmovq Pq,Qq
66 0F F7r   maskmovdqu Vx,Wx
NP 0F 60    punpcklbw Pq,Qd
66 0F 60    punpcklbw Vx,Wa
NP 0F 61    punpcklwd Pq,Qd
66 0F 61    punpcklwd Vx,Wa
NP 0F 62    punpckldq Pq,Qd
66 0F 62    punpckldq Vx,Wa
mmx 63 packsswb
mmx 64 pcmpgtb
mmx 65 pcmpgtw
mmx 66 pcmpgtd
mmx 67 packuswb
mmx 68 punpckhbw
mmx 69 punpckhwd
mmx 6A punpckhdq
mmx 6B packssdw
mmx 74 pcmpeqb
mmx 75 pcmpeqw
mmx 76 pcmpeqd
mmx D1 psrlw
mmx D2 psrld
mmx D3 psrlq
mmx D4 paddq
mmx D5 pmullw
mmx D8 psubusb
mmx D9 psubusw
mmx DA pminub
mmx DB pand
mmx DC paddusb
mmx DD paddusw
mmx DE pmaxub
mmx DF pandn
mmx E0 pavgb
mmx E1 psraw
mmx E2 psrad
mmx E3 pavgw
mmx E4 pmulhuw
mmx E5 pmulhw
mmx E8 psubsb
mmx E9 psubsw
mmx EA pminsw
mmx EB por
mmx EC paddsb
mmx ED paddsw
mmx EE pmaxsw
mmx EF pxor
mmx F1 psllw
mmx F2 pslld
mmx F3 psllq
mmx F4 pmuludq
mmx F5 pmaddwd
mmx F6 psadbw
mmx F8 psubb
mmx F9 psubw
mmx FA psubd
mmx FB psubq
mmx FC paddb
mmx FD paddw
mmx FE paddd
mmx 38_00 pshufb
mmx 38_01 phaddw
mmx 38_02 phaddd
mmx 38_03 phaddsw
mmx 38_04 pmaddubsw
mmx 38_05 phsubw
mmx 38_06 phsubd
mmx 38_07 phsubsw
mmx 38_08 psignb
mmx 38_09 psignw
mmx 38_0A psignd
mmx 38_0B pmulhrsw
mmx 38_1C pabsb
mmx 38_1D pabsw
mmx 38_1E pabsd
NP 0F 3A 0F palignr Pq,Qq,Iu
66 0F 3A 0F palignr Vx,Wa,Iu
66 0F 38 10 pblendvb Vx,Wa
66 0F 38 14 blendvps Vx,Wa
66 0F 38 15 blendvpd Vx,Wa
66 0F 38 17 ptest   Vx,Wa
66 0F 38 20 pmovsxbw Vx,Wq
66 0F 38 21 pmovsxbd Vx,Wd
66 0F 38 22 pmovsxbq Vx,Ww
66 0F 38 23 pmovsxwd Vx,Wq
66 0F 38 24 pmovsxwq Vx,Wd
66 0F 38 25 pmovsxdq Vx,Wq
66 0F 38 28 pmuldq  Vx,Wa
66 0F 38 29 pcmpeqq Vx,Wa
66 0F 38 2Am mova   Vx,Ma  ?sse4_1
66 0F 38 2B packusdw Vx,Wa
66 0F 38 30 pmovzxbw Vx,Wq
66 0F 38 31 pmovzxbd Vx,Wd
66 0F 38 32 pmovzxbq Vx,Ww
66 0F 38 33 pmovzxwd Vx,Wq
66 0F 38 34 pmovzxwq Vx,Wd
66 0F 38 35 pmovzxdq Vx,Wq
66 0F 38 37 pcmpgtq Vx,Wa
66 0F 38 38 pminsb  Vx,Wa
66 0F 38 39 pminsd  Vx,Wa
66 0F 38 3A pminuw  Vx,Wa
66 0F 38 3B pminud  Vx,Wa
66 0F 38 3C pmaxsb  Vx,Wa
66 0F 38 3D pmaxsd  Vx,Wa
66 0F 38 3E pmaxuw  Vx,Wa
66 0F 38 3F pmaxud  Vx,Wa
66 0F 38 40 pmulld  Vx,Wa
66 0F 38 41 phminposuw Vx,Wa
66 0F 3A 08 roundps Vx,Wa,Iu
66 0F 3A 09 roundpd Vx,Wa,Iu
66 0F 3A 0A roundss Vx,Wd,Iu
66 0F 3A 0B roundsd Vx,Wq,Iu
66 0F 3A 0C blendps Vx,Wa,Iu
66 0F 3A 0D blendpd Vx,Wa,Iu
66 0F 3A 0E pblendw Vx,Wa,Iu
66 0F 3A 14 pextrb  Eb,Vx,Iu        edword
66 0F 3A 15 pextrw_sse4 Ew,Vx,Iu    edword
66 0F 3A 16 pextrd  Ey,Vx,Iu
66 0F 3A 17 extractps Ed,Vx,Iu
66 0F 3A 20 pinsrb  Vx,Eb,Iu        edword
66 0F 3A 21 insertps Vx,Wd,Iu
66 0F 3A 22 pinsrd  Vx,Ey,Iu
66 0F 3A 40 dpps    Vx,Wa,Iu
66 0F 3A 41 dppd    Vx,Wa,Iu
66 0F 3A 42 mpsadbw Vx,Wa,Iu
66 0F 3A 60 pcmpestrm Vx,Wx,Iu y
66 0F 3A 61 pcmpestri Vx,Wx,Iu y
66 0F 3A 62 pcmpistrm Vx,Wx,Iu
66 0F 3A 63 pcmpistri Vx,Wx,Iu
66 0F 3A 44 pclmulqdq Vx,Wa,Iu
66 0F 38 DB aesimc  Vx,Wa
66 0F 38 DC aesenc  Vx,Wa
66 0F 38 DD aesenclast Vx,Wa
66 0F 38 DE aesdec  Vx,Wa
66 0F 38 DF aesdeclast Vx,Wa
66 0F 3A DF aeskeygenassist Vx,Wa,Iu
NP 0F 38 C8 sha1nexte Vx,Wa
NP 0F 38 C9 sha1msg1 Vx,Wa
NP 0F 38 CA sha1msg2 Vx,Wa
NP 0F 38 CB sha256rnds2 Vx,Wa
NP 0F 38 CC sha256msg1 Vx,Wa
NP 0F 38 CD sha256msg2 Vx,Wa
NP 0F 3A CC sha1rnds4 Vx,Wa,Iu
`;

/**
 * Instruction forms: general-purpose and control flow. One line a form: opcode, mnemonic, operands, attributes.
 * The notation is explained in `forms.ts`. Specification: SDM vol. 2, appendix A (opcode maps).
 */
export const INTEGER_FORMS = `
00          add     Eb,Gb       lock
01          add     Ev,Gv       lock
02          add     Gb,Eb
03          add     Gv,Ev
04          add     AL,Ib
05          add     rAX,Iz
08          or      Eb,Gb       lock
09          or      Ev,Gv       lock
0A          or      Gb,Eb
0B          or      Gv,Ev
0C          or      AL,Ib
0D          or      rAX,Iz
10          adc     Eb,Gb       lock
11          adc     Ev,Gv       lock
12          adc     Gb,Eb
13          adc     Gv,Ev
14          adc     AL,Ib
15          adc     rAX,Iz
18          sbb     Eb,Gb       lock
19          sbb     Ev,Gv       lock
1A          sbb     Gb,Eb
1B          sbb     Gv,Ev
1C          sbb     AL,Ib
1D          sbb     rAX,Iz
20          and     Eb,Gb       lock
21          and     Ev,Gv       lock
22          and     Gb,Eb
23          and     Gv,Ev
24          and     AL,Ib
25          and     rAX,Iz
28          sub     Eb,Gb       lock
29          sub     Ev,Gv       lock
2A          sub     Gb,Eb
2B          sub     Gv,Ev
2C          sub     AL,Ib
2D          sub     rAX,Iz
30          xor     Eb,Gb       lock
31          xor     Ev,Gv       lock
32          xor     Gb,Eb
33          xor     Gv,Ev
34          xor     AL,Ib
35          xor     rAX,Iz
38          cmp     Eb,Gb
39          cmp     Ev,Gv
3A          cmp     Gb,Eb
3B          cmp     Gv,Ev
3C          cmp     AL,Ib
3D          cmp     rAX,Iz
80/0        add     Eb,Ib       lock
80/1        or      Eb,Ib       lock
80/2        adc     Eb,Ib       lock
80/3        sbb     Eb,Ib       lock
80/4        and     Eb,Ib       lock
80/5        sub     Eb,Ib       lock
80/6        xor     Eb,Ib       lock
80/7        cmp     Eb,Ib
81/0        add     Ev,Iz       lock
81/1        or      Ev,Iz       lock
81/2        adc     Ev,Iz       lock
81/3        sbb     Ev,Iz       lock
81/4        and     Ev,Iz       lock
81/5        sub     Ev,Iz       lock
81/6        xor     Ev,Iz       lock
81/7        cmp     Ev,Iz
82/0        add     Eb,Ib       lock,i64
82/1        or      Eb,Ib       lock,i64
82/2        adc     Eb,Ib       lock,i64
82/3        sbb     Eb,Ib       lock,i64
82/4        and     Eb,Ib       lock,i64
82/5        sub     Eb,Ib       lock,i64
82/6        xor     Eb,Ib       lock,i64
82/7        cmp     Eb,Ib       i64
83/0        add     Ev,Ib       lock
83/1        or      Ev,Ib       lock
83/2        adc     Ev,Ib       lock
83/3        sbb     Ev,Ib       lock
83/4        and     Ev,Ib       lock
83/5        sub     Ev,Ib       lock
83/6        xor     Ev,Ib       lock
83/7        cmp     Ev,Ib
27          daa     -           i64
2F          das     -           i64
37          aaa     -           i64
3F          aas     -           i64
D4          aam     Iu          i64
D5          aad     Iu          i64
40+r        inc     Zv          i64
48+r        dec     Zv          i64
50+r        push    Zv          d64
58+r        pop     Zv          d64
06          push_seg S0         i64,v
0E          push_seg S1         i64,v
16          push_seg S2         i64,v
1E          push_seg S3         i64,v
0F A0       push_seg S4         d64,v
0F A8       push_seg S5         d64,v
07          pop_seg S0          i64,v
17          pop_seg S2          i64,v
1F          pop_seg S3          i64,v
0F A1       pop_seg S4          d64,v
0F A9       pop_seg S5          d64,v
60          pusha   -           i64,v
61          popa    -           i64,v
62m         bound   Gv,Ma       i64
63          arpl    Ew,Gw       i64
63          movsxd  Gv,Ez       o64
68          push    Iz          d64
6A          push    Ib          d64
69          imul3   Gv,Ev,Iz
6B          imul3   Gv,Ev,Ib
6C          ins     b           rep
6D          ins     z           rep
6E          outs    b           rep
6F          outs    z           rep
70          jo      Jb          f64
71          jno     Jb          f64
72          jb      Jb          f64
73          jae     Jb          f64
74          je      Jb          f64
75          jne     Jb          f64
76          jbe     Jb          f64
77          ja      Jb          f64
78          js      Jb          f64
79          jns     Jb          f64
7A          jp      Jb          f64
7B          jnp     Jb          f64
7C          jl      Jb          f64
7D          jge     Jb          f64
7E          jle     Jb          f64
7F          jg      Jb          f64
0F 80       jo      Jz          f64
0F 81       jno     Jz          f64
0F 82       jb      Jz          f64
0F 83       jae     Jz          f64
0F 84       je      Jz          f64
0F 85       jne     Jz          f64
0F 86       jbe     Jz          f64
0F 87       ja      Jz          f64
0F 88       js      Jz          f64
0F 89       jns     Jz          f64
0F 8A       jp      Jz          f64
0F 8B       jnp     Jz          f64
0F 8C       jl      Jz          f64
0F 8D       jge     Jz          f64
0F 8E       jle     Jz          f64
0F 8F       jg      Jz          f64
84          test    Eb,Gb
85          test    Ev,Gv
A8          test    AL,Ib
A9          test    rAX,Iz
F6/0        test    Eb,Ib
F6/1        test    Eb,Ib
F7/0        test    Ev,Iz
F7/1        test    Ev,Iz
86          xchg    Eb,Gb       lock
87          xchg    Ev,Gv       lock
88          mov     Eb,Gb
89          mov     Ev,Gv
8A          mov     Gb,Eb
8B          mov     Gv,Ev
8C          mov_from_seg Ev,Sw
8D m        lea     Gv,M
8E          mov_to_seg Sw,Ew
8F/0        pop     Ev          d64
90+r        xchg    Zv,rAX
90          nop     -
F3 90       pause   -
98          cbw     v
99          cwd     v
9A          far_call_imm Ap     v,i64,end
9B          fwait   -           ?fpu
9C          pushf   v           d64
9D          popf    v           d64,end
9E          sahf    -
9F          lahf    -
A0          mov     AL,Ob
A1          mov     rAX,Ov
A2          mov     Ob,AL
A3          mov     Ov,rAX
A4          movs    b           rep
A5          movs    v           rep
A6          cmps    b           rep
A7          cmps    v           rep
AA          stos    b           rep
AB          stos    v           rep
AC          lods    b           rep
AD          lods    v           rep
AE          scas    b           rep
AF          scas    v           rep
B0+r        mov     Zb,Ib
B8+r        mov     Zv,Iv
C0/0        rol     Eb,Iu
C0/1        ror     Eb,Iu
C0/2        rcl     Eb,Iu
C0/3        rcr     Eb,Iu
C0/4        shl     Eb,Iu
C0/5        shr     Eb,Iu
C0/6        shl     Eb,Iu
C0/7        sar     Eb,Iu
C1/0        rol     Ev,Iu
C1/1        ror     Ev,Iu
C1/2        rcl     Ev,Iu
C1/3        rcr     Ev,Iu
C1/4        shl     Ev,Iu
C1/5        shr     Ev,Iu
C1/6        shl     Ev,Iu
C1/7        sar     Ev,Iu
D0/0        rol     Eb,1
D0/1        ror     Eb,1
D0/2        rcl     Eb,1
D0/3        rcr     Eb,1
D0/4        shl     Eb,1
D0/5        shr     Eb,1
D0/6        shl     Eb,1
D0/7        sar     Eb,1
D1/0        rol     Ev,1
D1/1        ror     Ev,1
D1/2        rcl     Ev,1
D1/3        rcr     Ev,1
D1/4        shl     Ev,1
D1/5        shr     Ev,1
D1/6        shl     Ev,1
D1/7        sar     Ev,1
D2/0        rol     Eb,CL
D2/1        ror     Eb,CL
D2/2        rcl     Eb,CL
D2/3        rcr     Eb,CL
D2/4        shl     Eb,CL
D2/5        shr     Eb,CL
D2/6        shl     Eb,CL
D2/7        sar     Eb,CL
D3/0        rol     Ev,CL
D3/1        ror     Ev,CL
D3/2        rcl     Ev,CL
D3/3        rcr     Ev,CL
D3/4        shl     Ev,CL
D3/5        shr     Ev,CL
D3/6        shl     Ev,CL
D3/7        sar     Ev,CL
C2          ret     Iw          f64,end
C3          ret     -           f64,end
C4m         les     Gv,Mp       i64,end
C5m         lds     Gv,Mp       i64,end
C6/0        mov     Eb,Ib
C7/0        mov     Ev,Iz
C8          enter   Iw,I2       d64,v
C9          leave   -           d64,v
CA          far_ret Iw          v,end
CB          far_ret -           v,end
CC          int3    -           end
CD          int_imm Iu          end
CE          into    -           i64,end
CF          iret    v           end
D6          salc    -           i64
D7          xlat    -           seg
E0          loopne  Jb          f64
E1          loope   Jb          f64
E2          loop    Jb          f64
E3          jrcxz   Jb          f64
E4          in_imm  b,Iu
E5          in_imm  z,Iu
E6          out_imm b,Iu
E7          out_imm z,Iu
EC          in_dx   b
ED          in_dx   z
EE          out_dx  b
EF          out_dx  z
E8          call    Jz          f64
E9          jmp     Jz          f64,end
EA          far_jmp_imm Ap      v,i64,end
EB          jmp     Jb          f64,end
F1          int1    -           end
F4          hlt     -           end
F5          cmc     -
F6/2        not     Eb          lock
F7/2        not     Ev          lock
F6/3        neg     Eb          lock
F7/3        neg     Ev          lock
F6/4        mul     Eb
F7/4        mul     Ev
F6/5        imul1   Eb
F7/5        imul1   Ev
F6/6        div     Eb
F7/6        div     Ev
F6/7        idiv    Eb
F7/7        idiv    Ev
F8          clc     -
F9          stc     -
FA          cli     -
FB          sti     -
FC          cld     -
FD          std     -
FE/0        inc     Eb          lock
FE/1        dec     Eb          lock
FF/0        inc     Ev          lock
FF/1        dec     Ev          lock
FF/2        call_near Ev        f64
FF/3m       far_call_mem Mp     v,end
FF/4        jmp_near Ev         f64,end
FF/5m       far_jmp_mem Mp      v,end
FF/6        push    Ev          d64
0F 0B       ud      -           end
0F B9       ud      Gd,Ed       end
0F FF       ud      Gd,Ed       end
0F 0D       nop     Ev
0F 18       nop     Ev
0F 19       nop     Ev
0F 1A       nop     Ev
0F 1B       nop     Ev
0F 1C       nop     Ev
0F 1D       nop     Ev
0F 1E       nop     Ev
0F 1F       nop     Ev
0F 40       cmovo   Gv,Ev
0F 41       cmovno  Gv,Ev
0F 42       cmovb   Gv,Ev
0F 43       cmovae  Gv,Ev
0F 44       cmove   Gv,Ev
0F 45       cmovne  Gv,Ev
0F 46       cmovbe  Gv,Ev
0F 47       cmova   Gv,Ev
0F 48       cmovs   Gv,Ev
0F 49       cmovns  Gv,Ev
0F 4A       cmovp   Gv,Ev
0F 4B       cmovnp  Gv,Ev
0F 4C       cmovl   Gv,Ev
0F 4D       cmovge  Gv,Ev
0F 4E       cmovle  Gv,Ev
0F 4F       cmovg   Gv,Ev
0F 90       seto    Eb
0F 91       setno   Eb
0F 92       setb    Eb
0F 93       setae   Eb
0F 94       sete    Eb
0F 95       setne   Eb
0F 96       setbe   Eb
0F 97       seta    Eb
0F 98       sets    Eb
0F 99       setns   Eb
0F 9A       setp    Eb
0F 9B       setnp   Eb
0F 9C       setl    Eb
0F 9D       setge   Eb
0F 9E       setle   Eb
0F 9F       setg    Eb
0F A2       cpuid   -
0F A3       bt      Ev,Gv
0F AB       bts     Ev,Gv       lock
0F B3       btr     Ev,Gv       lock
0F BB       btc     Ev,Gv       lock
0F BA/4     bt      Ev,Iu
0F BA/5     bts     Ev,Iu       lock
0F BA/6     btr     Ev,Iu       lock
0F BA/7     btc     Ev,Iu       lock
0F A4       shld    Ev,Gv,Iu
0F A5       shld    Ev,Gv,CL
0F AC       shrd    Ev,Gv,Iu
0F AD       shrd    Ev,Gv,CL
0F AF       imul2   Gv,Ev
0F B0       cmpxchg Eb,Gb       lock
0F B1       cmpxchg Ev,Gv       lock
0F B2m      lss     Gv,Mp       end
0F B4m      lfs     Gv,Mp       end
0F B5m      lgs     Gv,Mp       end
0F B6       movzx   Gv,Eb
0F B7       movzx   Gv,Ew
0F BE       movsx   Gv,Eb
0F BF       movsx   Gv,Ew
F3 0F B8    popcnt  Gv,Ev
0F BC       bsf     Gv,Ev
0F BD       bsr     Gv,Ev
F3 0F BC    tzcnt   Gv,Ev
F3 0F BD    lzcnt   Gv,Ev
0F C0       xadd    Eb,Gb       lock
0F C1       xadd    Ev,Gv       lock
NP 0F C3m   movnti  My,Gy
0F C7/1m    cmpxchg8b Mq        lock,y
0F C8+r     bswap   Zv
NP 0F 38 F0m movbe  Gv,Mv
NP 0F 38 F1m movbe  Mv,Gv
66 0F 38 F0m movbe  Gv,Mv
66 0F 38 F1m movbe  Mv,Gv
F2 0F 38 F0 crc32   Gd,Eb
F2 0F 38 F1 crc32   Gd,Ev
66 0F 38 F6 adcx    Gy,Ey
F3 0F 38 F6 adox    Gy,Ey
L0 NP 0F 38 F2 andn    Gy,By,Ey
L0 NP 0F 38 F3/1 blsr  By,Ey
L0 NP 0F 38 F3/2 blsmsk By,Ey
L0 NP 0F 38 F3/3 blsi  By,Ey
L0 NP 0F 38 F5 bzhi    Gy,Ey,By
L0 F3 0F 38 F5 pext    Gy,By,Ey
L0 F2 0F 38 F5 pdep    Gy,By,Ey
L0 F2 0F 38 F6 mulx    Gy,By,Ey
L0 NP 0F 38 F7 bextr   Gy,Ey,By
L0 66 0F 38 F7 shlx    Gy,Ey,By
L0 F3 0F 38 F7 sarx    Gy,Ey,By
L0 F2 0F 38 F7 shrx    Gy,Ey,By
L0 F2 0F 3A F0 rorx    Gy,Ey,Iu
`;

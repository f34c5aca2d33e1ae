/**
 * Instruction forms: system, in the notation of `forms.ts`. Specification: SDM vol. 2, appendix A.
 */
export const SYSTEM_FORMS = `
0F 00/0     sldt    Ev
0F 00/1     str     Ev
0F 00/2     lldt    Ew          end
0F 00/3     ltr     Ew          end
0F 00/4     verr    Ew
0F 00/5     verw    Ew
0F 01/0m    sgdt    M           v
0F 01/1m    sidt    M           v
0F 01/2m    lgdt    M           v
0F 01/3m    lidt    M           v
0F 01/4     smsw    Ev
0F 01/6     lmsw    Ew          end
0F 01/7m    invlpg  M           end
NP 0F 01 =C8 monitor -
NP 0F 01 =C9 mwait   -           end
NP 0F 01 =CA clac    -
NP 0F 01 =CB stac    -
NP 0F 01 =D0 xgetbv  -
NP 0F 01 =D1 xsetbv  -           end
0F 01 =F8   swapgs  -           o64
0F 01 =F9   rdtscp  -
0F 02       lar     Gv,Ew
0F 03       lsl     Gv,Ew
0F 05       syscall -           o64,end
0F 06       clts    -           end
0F 07       sysret  y           o64,end
0F 08       invd    -           end
0F 09       wbinvd  -           end
0F 20 r     mov_from_cr Rq,Cq
0F 21 r     mov_from_dr Rq,Cq
0F 22 r     mov_to_cr Cq,Rq     end
0F 23 r     mov_to_dr Cq,Rq     end
0F 30       wrmsr   -           end
0F 31       rdtsc   -
0F 32       rdmsr   -
0F 33       rdpmc   -
0F 34       sysenter -          end
0F 35       sysexit y           end
0F AA       ud      -           end
NP 0F AE/0m fxsave  M           y
NP 0F AE/1m fxrstor M           y
NP 0F AE/2m ldmxcsr Md
NP 0F AE/3m stmxcsr Md
NP 0F AE/4m xsave   M           y
NP 0F AE/5m xrstor  M           y
NP 0F AE/6m xsaveopt M          y
NP 0F C7/4m xsavec  M           y
NP 0F AE/7m clflush Mb  ?clflush
66 0F AE/7m clflush Mb  ?clflushopt
66 0F AE/6m clflush Mb  ?clwb
NP 0F AE/5r fence   -  ?sse2
NP 0F AE/6r fence   -  ?sse2
NP 0F AE/7r fence   -  ?sse
F3 0F AE/0r rdfsbase Ry         o64
F3 0F AE/1r rdgsbase Ry         o64
F3 0F AE/2r wrfsbase Ry         o64
F3 0F AE/3r wrgsbase Ry         o64
NP 0F C7/6r rdrand  Rv
66 0F C7/6r rdrand  Rv
NP 0F C7/7r rdseed  Rv
66 0F C7/7r rdseed  Rv
F3 0F C7/7r rdpid   Rq
66 0F 38 82m invpcid Gq,M       end
`;

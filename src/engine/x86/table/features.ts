/**
 * Which CPUID feature announces an instruction form: by mnemonic here, by `?feature` in the listing where forms of one
 * mnemonic differ, and for the SSE listing by what its mandatory prefix and registers say. Forms that are not named
 * belong to every x86-64 CPU; so do hints, which are NOPs where they are not known (PREFETCHh, PREFETCHW, PAUSE, ENDBR).
 *
 * Specification: SDM vol. 2, "CPUID Feature Flag" of each instruction; vol. 1 §5.
 */
import type { FeatureName } from "../../../spec/cpuid.js";

const BY_FEATURE: Partial<Record<FeatureName, string>> = {
  cmov: "cmovo cmovno cmovb cmovae cmove cmovne cmovbe cmova cmovs cmovns cmovp cmovnp cmovl cmovge cmovle cmovg",
  tsc: "rdtsc",
  msr: "rdmsr wrmsr",
  cx8: "cmpxchg8b",
  sep: "sysenter sysexit",
  fxsr: "fxsave fxrstor",
  mmx: "emms",
  sse: `ldmxcsr stmxcsr cvtps2pi cvttps2pi pshufw maskmovq`,
  sse2: `movnti cvtps2pd cvtss2sd cvtdq2ps cvttps2dq cvtdq2pd pshufhw movq movq2dq pmuludq psubq`,
  sse3: "movsldup movshdup movddup haddps haddpd hsubps hsubpd addsubps addsubpd",
  ssse3: `pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw pabsb pabsw
    pabsd palignr`,
  sse4_1: `pblendvb blendvps blendvpd ptest pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq pmuldq pcmpeqq
    packusdw pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw
    pmaxud pmulld phminposuw roundps roundpd roundss roundsd blendps blendpd pblendw pextrb pextrw_sse4 pextrd
    extractps pinsrb insertps pinsrd dpps dppd mpsadbw`,
  sse4_2: "crc32 pcmpgtq pcmpestrm pcmpestri pcmpistrm pcmpistri",
  popcnt: "popcnt",
  abm: "lzcnt",
  movbe: "movbe",
  bmi1: "tzcnt andn blsr blsmsk blsi bextr",
  bmi2: "bzhi pext pdep mulx shlx sarx shrx rorx",
  adx: "adcx adox",
  aes: "aesimc aesenc aesenclast aesdec aesdeclast aeskeygenassist",
  pclmulqdq: "pclmulqdq",
  sha_ni: "sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2 sha1rnds4",
  rdrand: "rdrand",
  rdseed: "rdseed",
  rdpid: "rdpid",
  rdtscp: "rdtscp",
  invpcid: "invpcid",
  fsgsbase: "rdfsbase rdgsbase wrfsbase wrgsbase",
  smap: "clac stac",
  monitor: "monitor mwait",
  xsave: "xsave xrstor xgetbv xsetbv",
  xsaveopt: "xsaveopt",
  xsavec: "xsavec",
  syscall: "syscall sysret",
};

/** Mnemonics of the SSE listing whose form with only MMX registers came with SSE. */
const MMX_FORMS_OF_SSE = new Set(
  "pinsrw pextrw pmovmskb pminub pmaxub pavgb pavgw pmulhuw pminsw pmaxsw psadbw".split(" "),
);

/** What the form with a 64-bit operand needs instead. */
const WITH_64_BITS: Readonly<Record<string, FeatureName>> = { cmpxchg8b: "cx16" };
/** What the form needs in 64-bit code; elsewhere it needs nothing. */
const IN_64_BIT_CODE: Readonly<Record<string, FeatureName>> = { lahf: "lahf_lm", sahf: "lahf_lm" };

const byMnemonic: ReadonlyMap<string, FeatureName> = new Map(
  Object.entries(BY_FEATURE).flatMap(([feature, names]) =>
    names.split(/\s+/).map((name): [string, FeatureName] => [name, feature as FeatureName]),
  ),
);

/** What decides the feature of a form. */
interface FormShape {
  readonly mnemonic: string;
  readonly prefix: string;
  readonly operands: readonly { readonly kind: string }[];
}

/** A form of the SSE listing that nothing names: by registers and prefix. */
function bySseShape({ mnemonic, prefix, operands }: FormShape): FeatureName {
  const uses = (kinds: string): boolean => operands.some((o) => kinds.includes(o.kind));
  if (uses("PQ") && !uses("VW")) return MMX_FORMS_OF_SSE.has(mnemonic) ? "sse" : "mmx";
  return prefix === "NP" || prefix === "F3" ? "sse" : "sse2";
}

/** Features of a form; `listed` is the one that its line names, `sse` whether it is of the SSE listing. */
export function featuresOf(form: FormShape, listed: FeatureName | undefined, sse: boolean): FormFeatures {
  const { mnemonic } = form;
  const always = listed ?? byMnemonic.get(mnemonic) ?? (sse ? bySseShape(form) : undefined);
  return { always, with64Bits: WITH_64_BITS[mnemonic], in64BitCode: IN_64_BIT_CODE[mnemonic] };
}

export interface FormFeatures {
  readonly always?: FeatureName | undefined;
  readonly with64Bits?: FeatureName | undefined;
  readonly in64BitCode?: FeatureName | undefined;
}

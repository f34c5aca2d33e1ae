/**
 * What people call a CPU's features: our own names, those of Linux's /proc/cpuinfo, QEMU's, compilers'. Letters' case and
 * the signs - _ . do not count. Names only; what a machine announces is `cpu-features.ts`.
 *
 * Sources: Linux 6.12, arch/x86/include/asm/cpufeatures.h; QEMU 7.2 to 10, target/i386/cpu.c (feature_word_info, and the
 * aliases in x86_cpu_initfn).
 */
import { FEATURE_BITS, type FeatureName } from "../spec/cpuid.js";

/** Other names of our features, where they differ by more than case and signs. */
const OTHER_NAMES: Partial<Record<FeatureName, readonly string[]>> = {
  sse3: ["pni"],
  pclmulqdq: ["pclmuldq", "pclmul"],
  tsc_deadline_timer: ["tsc-deadline"],
  sha_ni: ["sha"],
  aes: ["aes-ni"],
  abm: ["lzcnt"],
  prefetchw: ["3dnowprefetch"],
  nx: ["xd"],
  lm: ["i64"],
  // What Linux shows for the one bit, by the two MSRs behind it.
  spec_ctrl: ["ibrs", "ibpb"],
  invariant_tsc: ["invtsc", "constant_tsc", "nonstop_tsc"],
};

/** Families of features that the CPU has none of: the beginnings of their names. */
const LACKED_FAMILIES = /^(avx512|avx10|amx|sgx|vmx|svm|sev|kvm|hv|hwp|cqm|tdx)/;

/** The other features that Linux or QEMU have a name for and the CPU does not have. */
const LACKED = `3dnow 3dnowext acc_power ace ace2 ace2_en ace_en acpi amd_dcm amd_lbr_pmc_freeze amd_lbr_v2 amd_ppin amd-no-ssb
  amd-psfd amd-ssbd amd-stibp aperfmperf arch_lbr arch_perfmon art auto-ibrs avic avx_vnni avx-ifma avx-ne-convert
  avx-vnni-int16 avx-vnni-int8 bhi-ctrl bpext brs bts bus_lock_detect cat_l2 cat_l3 cdp_l2 cdp_l3 centaur_mcr cid
  cldemote clzero cmp_legacy cmpccxadd core-capability cpb cppc cpuid_fault cr8_legacy cxmmx cyrix_arr dca ddpd-u
  debug_swap decodeassists ds ds_cpl dtes64 dtherm dts enqcmd epb ept ept_ad est extapic extd_apicid fb-clear fbsdp-no
  fdp-excptn-only flexpriority flushbyasid fma4 fred fsrc fsrs full-width-write fxsr_opt ffxsr fzrm gds-no gfni hfi hle
  hw_pstate ia64 ibrs_enhanced ibrs-all ibs ibt ida intel_ppin intel_pt intel-psfd intel-pt-lip ipred-ctrl irperf k6_mtrr
  la57 lam lbrv lfence-always-serializing lkgs longrun lrti lwp mba mcdt-no md_clear mds-no misalignsse mmxext movdir64b
  movdiri mp mpx mwaitx no-nested-data-bp nodeid_msr nonstop_tsc_s3 npt nrip_save null-sel-clr-base ospke osvw
  overflow_recov pause-filter pbe pcommit pconfig pdcm pebs perfctr_core perfctr_llc perfctr_nb perfmon_v2 pfthreshold
  phe phe_en pks pku pln pmm pmm_en pn prefetchiti proc_feedback pschange-mc-no psdp-no pts ptsc rapl rdctl-no rdpru
  rdt_a recovery rfds-clear rfds-no ring3mwait rng rng_en rrsba-ctrl rsba rtm sbdr-ssdp-no sdbg serialize sha512 skinit
  skip-l1dfl-vmentry sm3 sm4 smca sme smx split_lock_detect ss ssb-no ssbd sse4a stibp stibp-always-on succor taa-no tbm
  tce tm tm2 tme topoext tpr_shadow tsc_reliable tsc_scale tsx-ctrl tsx-ldtrk user_shstk v_spec_ctrl v_vmsave_vmload vaes
  vgif virt_ssbd vmcb_clean vmmcall vnmi vpclmulqdq vpid waitpkg wbnoinvd wdt wrmsrns x2avic xcrypt xcrypt-en xfd xop
  xsaveerptr xsaves xstore xstore-en xtpr zero-fcs-fds`;
/** Made when it is first needed: few starts need it. */
let lacked: ReadonlySet<string> | undefined;

const CONCLUDED = "Linux concludes it from other features";
/** Words of /proc/cpuinfo that are no feature of a CPU, and where they come from. */
const NO_FEATURES: ReadonlyMap<string, string> = new Map([
  ["ht", "it says that there are several CPUs (-smp)"],
  ...["cpuid", "nopl", "pti", "rep_good", "tsc_known_freq", "up", "xtopology", "invpcid_single"].map(
    (name) => [plain(name), CONCLUDED] as const,
  ),
]);

/** A name without what does not count in it. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, "");
}

const OWN = Object.keys(FEATURE_BITS) as FeatureName[];
const BY_NAME: ReadonlyMap<string, FeatureName> = new Map(
  OWN.flatMap((own) => [own, ...(OTHER_NAMES[own] ?? [])].map((name) => [plain(name), own] as const)),
);

/** Every name that stands for a feature of ours, as a person would write it: for guesses. */
export const FEATURE_NAMES: readonly string[] = OWN.flatMap((own) => [own, ...(OTHER_NAMES[own] ?? [])]);

/**
 * What a name stands for: one of our features; one that CPUs of other makes or years have and ours lacks; a word that only
 * looks like one, with the reason; or nothing.
 */
export type NamedFeature =
  | { kind: "ours"; feature: FeatureName }
  | { kind: "lacked" }
  | { kind: "no feature"; reason: string }
  | { kind: "unknown" };

/** Finds a feature by whatever name it is called. */
export function featureNamed(name: string): NamedFeature {
  const key = plain(name);
  const feature = BY_NAME.get(key);
  if (feature !== undefined) return { kind: "ours", feature };
  lacked ??= new Set(LACKED.split(/\s+/).map(plain));
  if (lacked.has(key) || LACKED_FAMILIES.test(key)) return { kind: "lacked" };
  const reason = NO_FEATURES.get(key);
  return reason === undefined ? { kind: "unknown" } : { kind: "no feature", reason };
}

/**
 * Linux's own selftests as static programs: out of Debian's linux-source, compiled by this host's gcc or else by Debian's in a guest
 * of ours, kept in the cache. Which ones, with which sources; how a guest runs all of them; what they found. Knows no test.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { filesFromDeb } from "../../src/guests/archives/deb.js";
import { defaultCacheFolder } from "../../src/guests/cache/folder.js";
import { requirePackages, requireTool } from "./requires.js";
import { runToEnd } from "./run-command.js";

/** Of Debian 12, as the headers of its C library are: sources and headers belong together. */
const SOURCE_PACKAGE = "linux-source-6.1";
const SOURCE_TAR = /^usr\/src\/linux-source-[\d.]+\.tar\.xz$/;
/** The package's members are stored, so that all of it is unpacked at once. */
const PACKAGE_SIZE = 2 ** 29;
const COMPILER = "debian:gcc,libc6-dev";
const COMPILE_TIME = "50m";
const FLAGS = "-O2 -s -w -static -pthread -D_GNU_SOURCE -I.. -I../include -I../..";

/** More than `NAME.c` is needed by these: further sources and flags. */
const MORE: Readonly<Record<string, string>> = {
  "size/get_size": "-ffreestanding -nostartfiles",
  "vDSO/vdso_test_abi": "parse_vdso.c",
  "vDSO/vdso_test_getcpu": "parse_vdso.c",
  "vDSO/vdso_test_gettimeofday": "parse_vdso.c",
  "memfd/memfd_test": "common.c",
  "openat2/openat2_test": "helpers.c",
  "openat2/resolve_test": "helpers.c",
};

/**
 * By folder. Not among them: what judges how fast a machine is (futex_requeue, posix_timers, set-timer-lat), what forks for minutes
 * (pidfd_test, pidfd_poll_test, syscall_numbering, sysret_ss_attrs), what depends on the size of the CPU's state (x86/sigaltstack),
 * and mov_ss_trap, which QEMU's TCG gets wrong.
 */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  breakpoints: ["breakpoint_test"],
  core: ["close_range_test"],
  exec: ["recursion-depth", "null-argv"],
  "futex/functional": [
    ...["futex_wait", "futex_waitv", "futex_wait_wouldblock", "futex_requeue_pi_mismatched_ops"],
    "futex_wait_private_mapped_file",
  ],
  ipc: ["msgque"],
  kcmp: ["kcmp_test"],
  membarrier: ["membarrier_test_single_thread", "membarrier_test_multi_thread"],
  memfd: ["memfd_test"],
  mqueue: ["mq_open_tests"],
  nsfs: ["owner", "pidns"],
  openat2: ["openat2_test", "resolve_test"],
  pidfd: ["pidfd_fdinfo_test", "pidfd_getfd_test", "pidfd_open_test", "pidfd_setns_test", "pidfd_wait"],
  proc: [
    ...["fd-002-posix-eq", "proc-empty-vm", "proc-multiple-procfs", "proc-pid-vm", "proc-self-map-files-001"],
    ...["proc-self-syscall", "proc-uptime-002", "self", "setns-dcache", "setns-sysvipc", "thread-self"],
  ],
  ptrace: ["get_syscall_info", "peeksiginfo"],
  rlimits: ["rlimits-per-userns"],
  sigaltstack: ["sas"],
  size: ["get_size"],
  timens: ["clock_nanosleep", "exec", "futex", "procfs", "timens", "timer", "timerfd"],
  timers: ["nanosleep"],
  vDSO: ["vdso_test_abi", "vdso_test_clock_getres", "vdso_test_getcpu", "vdso_test_gettimeofday"],
  x86: [
    ...["fsgsbase", "fsgsbase_restore", "ioperm", "iopl", "ldt_gdt", "ptrace_syscall", "sigtrap_loop"],
    ...["single_step_syscall", "syscall_arg_fault", "syscall_nt", "test_vsyscall"],
  ],
};

/** Each as `FOLDER/NAME`. */
export const SELFTESTS: readonly string[] = Object.entries(PROGRAMS).flatMap(([folder, names]) =>
  names.map((name) => `${folder}/${name}`),
);

/** For the guest's sh, in the folder of the selftests; `$1` is where the programs go. */
function compileScript(): string {
  const lines = SELFTESTS.map((program) => {
    const [folder, name] = [path.dirname(program), path.basename(program)];
    const more = `${folder === "x86" ? "-no-pie -std=gnu99" : ""} ${MORE[program] ?? ""}`;
    return `echo ${program}; mkdir -p "$1/${folder}"; (cd ${folder} && gcc ${FLAGS} -o "$1/${program}" ${name}.c ${more})`;
  });
  return ["set -e", ...lines].join("\n");
}

/** Half a minute of a CPU's time for each. */
async function compileInGuest(t: TestContext, work: string, programs: string, script: string): Promise<void> {
  const options = ["--timeout", COMPILE_TIME, "-m", "1G", "--root", COMPILER];
  const shares = ["--share", `${work}/tools:/tools`, "--share", `${programs}:/programs,rw`];
  const place = ["--cwd", "/tools/testing/selftests"];
  const command = ["sh", "-c", script, "sh", "/programs"];
  const built = await runToEnd(t, [...options, ...shares, ...place, "--", ...command]);
  if (built.status !== 0) throw new Error(`not compiled: ${built.out.toString()}${built.err}`);
}

/** The folder of the compiled programs, or undefined after the test was skipped. */
export async function compiledSelftests(t: TestContext): Promise<string | undefined> {
  const assume = ["binutils", "xz-utils"];
  const set = await requirePackages(t, { packages: [SOURCE_PACKAGE], assume });
  const source = set?.packages.find(({ name }) => name === SOURCE_PACKAGE);
  if (source === undefined) return undefined;
  const script = compileScript();
  const digest = createHash("sha256").update(source.sha256).update(script).digest("hex");
  const cache = path.join(defaultCacheFolder(), "tests");
  const folder = path.join(cache, `selftests-${digest}`);
  if (existsSync(folder)) return folder;
  const [tar, xz] = [requireTool(t, "tar"), requireTool(t, "xz")];
  if (tar === undefined || xz === undefined) return undefined;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(path.join(cache, "unfinished-"));
  try {
    const { bytes } = filesFromDeb(readFileSync(source.file), { tar: SOURCE_TAR }, PACKAGE_SIZE).tar;
    const parts = ["*/tools/testing/selftests", "*/tools/include", "*/arch/x86/include/asm"];
    const args = ["-xJ", "-C", work, "--strip-components=1", "--wildcards", ...parts];
    const unpacked = spawnSync(tar, args, { input: bytes, encoding: "utf8" });
    if (unpacked.status !== 0) throw new Error(`tar: ${unpacked.stderr}`);
    const programs = path.join(work, "programs");
    mkdirSync(programs);
    const selftests = path.join(work, "tools/testing/selftests");
    const here = spawnSync("sh", ["-c", script, "sh", programs], { cwd: selftests });
    if (here.status !== 0) await compileInGuest(t, work, programs, script);
    renameSync(programs, folder);
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A test that hangs is ended after this many seconds. */
const LIMIT_S = 120;

/** For a guest's sh: runs all that `$1` holds, in memory. Into a file, since programs write differently to a terminal and to a pipe. */
export const RUN_SELFTESTS = `
mkdir /tmp/selftests
cp -r "$1"/. /tmp/selftests
for each in ${SELFTESTS.join(" ")}; do
  cd "/tmp/selftests/\${each%/*}"
  printf '\\n=== %s\\n' "$each"
  timeout -s KILL ${LIMIT_S} "./\${each##*/}" </dev/null >/tmp/output 2>&1
  status=$?
  cat /tmp/output
  printf '\\n--- %s\\n' $status
done
`;

/** What one selftest found: its status, and the lines that say so. */
export interface SelftestResult {
  status: number;
  verdicts: string[];
}

/** Lines of TAP, and of the older selftests' own form. */
const VERDICT = /^\s*(ok |not ok |\[(OK|FAIL|PASS|SKIP|WARN)\]|Bail out!|# Totals)/;

/**
 * Process numbers, addresses and times differ from run to run. So does whether IRET clears a null selector of 1 to 3: processors do (SDM
 * volume 2, IRET, return to outer privilege level), QEMU 7.2 does not, and a kernel may return by SYSRET instead.
 */
function withoutNumbers(line: string): string {
  return line
    .trim()
    .replace(/GS\/BASE (changed .* because IRET is defective|remained .*)$/, "GS/BASE as IRET leaves it")
    .replace(/\b(0x)?[0-9a-f]{6,}\b/gi, "#")
    .replace(/\d+/g, "#");
}

/** By name, out of what `RUN_SELFTESTS` printed. */
export function selftestResults(output: string): Map<string, SelftestResult> {
  const results = new Map<string, SelftestResult>();
  for (const part of output.replaceAll("\r", "").split(/^=== /m).slice(1)) {
    const status = /^--- (\d+)$/m.exec(part)?.[1];
    const lines = part.split("\n");
    const verdicts = lines.filter((line) => VERDICT.test(line)).map(withoutNumbers);
    if (status !== undefined) results.set(lines[0], { status: Number(status), verdicts });
  }
  return results;
}

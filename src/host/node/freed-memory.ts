/**
 * Keeps little of the memory that this process has freed. V8's threads take some MiB for each function that they compile, and glibc would
 * keep it all once a kernel's file was read and given up (RATIONALE.md).
 */
/** At the end of each thread's heap. With less, every function that is compiled would have the system make its memory anew. */
const KEPT_BYTES = 0x400000;
/** What lies between pieces that are in use is given back this often. */
const INTERVAL_MS = 2_000;
/** Share of a CPU that the process has to have used in between. */
const AT_WORK = 0.1;

const US_PER_MS = 1000;

let timer: NodeJS.Timeout | undefined;

/** What ends sooner keeps nothing that anybody would miss, and does not wait for the calls. */
const FIRST_MS = 500;

/** Soon, to the end of the process, where the host has calls for it. Keeps no process alive. */
export function keepLittleFreedMemory(): void {
  timer ??= setTimeout(() => void begin(), FIRST_MS).unref();
}

async function begin(): Promise<void> {
  const freed = (await import("./native-calls.js")).nativeCalls()?.freedMemory();
  if (freed === undefined) return;
  freed.keepAtMost(KEPT_BYTES);
  let [atMs, used] = [performance.now(), process.cpuUsage()];
  timer = setInterval(() => {
    const { user, system } = process.cpuUsage(used);
    const share = (user + system) / US_PER_MS / (performance.now() - atMs);
    [atMs, used] = [performance.now(), process.cpuUsage()];
    if (share > AT_WORK) freed.giveBack();
  }, INTERVAL_MS).unref();
}

/** What a kernel says of the network that it waits for, and of the time that it was given. */
import { NO_ROOT } from "./linux-roots.js";
import { byLine, CONTROL, saidLines, valuesOf, type Facts, type Rule } from "./rule.js";

/** Lines at the end that may follow what is waited for. */
const LAST_LINES = 4;

function lastLines({ lines, console }: Facts): string[] {
  const shown = console
    .replace(CONTROL, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return [...lines.slice(-LAST_LINES), ...shown.slice(-LAST_LINES)];
}

function hasCard({ plan }: Facts): boolean {
  return plan.devices.some(({ type }) => type === "virtio-net");
}

/** A guest that goes on without a network is not told of. */
export const networkMissing: Rule = {
  id: "network-missing",
  find(facts) {
    if (hasCard(facts)) return undefined;
    const fromNet = valuesOf(facts.plan.commandLine, "root").at(-1) === "/dev/nfs";
    const waits = (fromNet ? saidLines(facts) : lastLines(facts)).findLast((one) =>
      /IP-Config: No network devices available|Waiting (?:up to \d+ more seconds? )?for (?:the )?network/i.test(
        one,
      ),
    );
    const noRoot = fromNet ? saidLines(facts).findLast((one) => NO_ROOT.test(one)) : undefined;
    const line = waits ?? noRoot;
    if (line === undefined) return undefined;
    return {
      sentence:
        waits === undefined
          ? "the root file system is on a network (root=/dev/nfs), and the machine has no network card"
          : "the guest waits for the network, and the machine has no network card",
      evidence: [line.trim()],
      remedy: [
        "--net user",
        ...(waits === undefined
          ? ["a kernel that mounts NFS by itself (CONFIG_ROOT_NFS, CONFIG_IP_PNP), or an initrd that does"]
          : []),
      ],
    };
  },
};

/** Complaints about clocks, which cost precision and seldom a boot: they come last. That an interrupt took long is the host's doing. */
export const clockComplaint = byLine({
  id: "clock-complaint",
  first: true,
  line: /Marking TSC unstable(?! due to boot parameter)|timekeeping watchdog on CPU|Clocksource tsc unstable|calibrate_delay_direct\(\) failed|calcru: runtime went backwards|Timecounter .*not found/i,
  sentence: () => "the kernel complains about the time that it was given",
  remedy: () => ["locore doctor --clocks measures the clocks of this host"],
});

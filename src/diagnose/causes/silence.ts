/** Kernels that run and are not heard. */
import { hasVirtioConsole, serialName } from "../console-place.js";
import { appendOption, valuesOf, type Facts, type Rule } from "./rule.js";

/** A kernel that has printed so few bytes is silent. */
const SILENT_BYTES = 64;
const SCREEN_CONSOLE = /^tty\d*$/;
const CONSOLE_WORD = /^(console|earlyprintk|earlycon)(=|$)/;

/** What reaches the machine's console. */
function reaching(facts: Facts): string[] {
  const { serialConsole, plan } = facts;
  return [
    ...(serialConsole === undefined ? [] : [serialName(serialConsole)]),
    ...(hasVirtioConsole(plan) ? ["hvc0"] : []),
  ];
}

function isSilent({ found }: Facts): boolean {
  return found.console.bytes < SILENT_BYTES && (found.log?.count ?? 0) > 0;
}

function remedyOf(facts: Facts): string[] {
  const [first] = reaching(facts);
  const { commandLine } = facts.plan;
  const remedy = first === undefined ? [] : [appendOption(commandLine, CONSOLE_WORD, `console=${first}`)];
  return SCREEN_CONSOLE.test(valuesOf(commandLine, "console").at(-1) ?? "tty0")
    ? [...remedy, "--screen shows a screen, for kernels that print to a VGA's text memory"]
    : remedy;
}

/** What is wrong with the consoles that a line names. */
function where(consoles: readonly string[], facts: Facts): string {
  const names = consoles.map((one) => one.split(",")[0]);
  const hasScreen = facts.plan.devices.some(({ type }) => type === "vga");
  if (names.length === 0) return "the command line has no console=, and without one Linux prints to a screen";
  const [last] = names.slice(-1);
  const words = `the command line says ${consoles.map((one) => `console=${one}`).join(" ")}`;
  if (SCREEN_CONSOLE.test(last))
    return `${words}, which is a screen${hasScreen ? "" : " that this machine does not have"}`;
  const heard = reaching(facts);
  return `${words}, and this machine ${heard.length === 0 ? "has none" : `has its console at ${heard.join(" and ")}`}`;
}

/** A kernel whose command line sends what it prints elsewhere. */
export const consoleElsewhere: Rule = {
  id: "console-elsewhere",
  find(facts) {
    const { plan, found } = facts;
    if (!isSilent(facts) || !/^Linux/.test(found.kernel ?? facts.lines[0] ?? "")) return undefined;
    const consoles = valuesOf(plan.commandLine, "console");
    const heard = reaching(facts);
    if (consoles.some((one) => heard.includes(one.split(",")[0]))) return undefined;
    const place = facts.serialConsole === undefined ? "the console" : "the serial port";
    return {
      sentence: `nothing of this kernel can reach ${place}: ${where(consoles, facts)}`,
      evidence: [
        `the console has shown ${found.console.bytes} bytes; the kernel has written ${found.log?.count ?? 0} lines to its log`,
      ],
      remedy: remedyOf(facts),
    };
  },
};

/** What a kernel says once its own drivers have started: before, a console may still come. */
const DRIVERS_STARTED =
  /Freeing unused kernel|clk: Disabling unused|Waiting for root device|VFS: (?:Unable|Cannot)|Run \S+ as init process|Kernel panic/;

/** A kernel that was told of our console and has no driver for it. */
export const consoleMissing: Rule = {
  id: "console-missing",
  find(facts) {
    const { plan, found, lines, end } = facts;
    const consoles = valuesOf(plan.commandLine, "console").map((one) => one.split(",")[0]);
    if (!isSilent(facts) || consoles.length === 0) return undefined;
    if (end === undefined && !lines.some((line) => DRIVERS_STARTED.test(line))) return undefined;
    const name = consoles.find((one) => reaching(facts).includes(one));
    if (name === undefined || lines.some((line) => line.includes(`console [${name}] enabled`)))
      return undefined;
    if (
      /\b(quiet|loglevel=[0-3])\b/.test(plan.commandLine) &&
      lines.some((line) => line.includes(`${name} `))
    )
      return undefined;
    return {
      sentence: `this kernel has no console ${name}: it prints nowhere until a driver for it comes, and none has`,
      evidence: [`no line "console [${name}] enabled" among ${found.log?.count ?? 0} of its log`],
      remedy:
        name === "hvc0"
          ? [appendOption(plan.commandLine, CONSOLE_WORD, "console=ttyS0"), "--console serial"]
          : [],
    };
  },
};

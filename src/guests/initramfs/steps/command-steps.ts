/** The steps that run one command: from where it gets its root to its status, with which the machine ends. */
import { ROOT_FOLDER, RUN_PATH, SERVING_FILE, rootPrefix, type RunCommandOptions } from "../run-options.js";
import {
  accountScript,
  launchScript,
  launchVariables,
  networkScript,
  servingScript,
} from "../run-scripts.js";
import { thread, whole } from "./carry.js";
import { BUSYBOX, child, runProgram, waitFor } from "./child.js";
import { PORTS, STREAMS } from "./descriptors.js";
import { GivingUp, switchOff } from "./give-up.js";
import { mountSteps, writes } from "./mount-steps.js";
import { openFor } from "./open-steps.js";
import { relayedSteps } from "./start-steps.js";
import { statusTable, STATUS_BYTES } from "./status-table.js";
import { Label, Step, type Place, type StepList } from "./step-list.js";
import { HEAD, INT_MASK, PLACES, WORD } from "./step-program.js";
import {
  CLOCK_REALTIME,
  E2BIG,
  ENOENT,
  ENOEXEC,
  F_OK,
  MS_MOVE,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RNDADDENTROPY,
  RNDRESEEDCRNG,
  SIGKILL,
  TIOCSCTTY,
  X_OK,
} from "./system-calls.js";

/** As docker has it. */
const STATUS = { ours: 125, notExecuted: 126, notFound: 127 } as const;
const FILE_MODE = 0o644;
const EVERY_PROCESS = -1;
const BITS_A_BYTE = 8;
const BYTE = 0xff;
/** Of the variables that the kernel's command line has given it; more are cut off. */
const MOST_INHERITED = 64;

/** The clock shows the time, and the random numbers are others than those of whoever went on from here before. */
function renewSteps(list: StepList, seed: Uint8Array, failed: Label): void {
  list.call("clock_settime", [CLOCK_REALTIME, PLACES.head + HEAD.time], { failed });
  reseedSteps(list, seed, failed);
}

/** The kernel gets random bytes and makes its random numbers anew: `random(4)`. */
export function reseedSteps(list: StepList, seed: Uint8Array, failed: Label): void {
  const [add, begin, close] = [new Step(), new Step(), new Step()];
  const pool = new Uint8Array(BITS_A_BYTE + seed.length);
  new Uint32Array(pool.buffer, 0, 2).set([seed.length * BITS_A_BYTE, seed.length]);
  pool.set(seed, BITS_A_BYTE);
  openFor(list, [add, begin, close], ["/dev/urandom", O_RDONLY | O_CLOEXEC], failed);
  list.call("ioctl", [0, RNDADDENTROPY, list.bytes(pool)], { as: add, failed });
  list.call("ioctl", [0, RNDRESEEDCRNG], { as: begin, failed });
  list.call("close", [0], { as: close });
}

/** The child says why on its standard error, and ends. */
function refuse(list: StepList, why: string, status: number): void {
  list.write(CHILD.stderr, `locore: ${why}\n`);
  list.call("exit_group", [status]);
}

function refuseAsTooLong(list: StepList, name: string): void {
  refuse(list, `${name}: its arguments and its environment are too long`, STATUS.notExecuted);
}

const CHILD = { stdin: 0, stdout: 1, stderr: 2 } as const;

function streamsOfChild(
  list: StepList,
  { terminal, separateErrors }: RunCommandOptions,
  noTerminal: Label,
): void {
  list.call("setsid");
  if (terminal) {
    const moves = Object.values(CHILD).map((number) => ({ number, step: new Step() }));
    openFor(
      list,
      moves.map(({ step }) => step),
      ["/dev/hvc0", O_RDWR | O_CLOEXEC],
      noTerminal,
    );
    for (const { number, step } of moves) list.call("dup2", [0, number], { as: step });
    list.call("ioctl", [CHILD.stdin, TIOCSCTTY, 1]);
  } else {
    list.call("dup2", [STREAMS.stdin, CHILD.stdin]);
    list.call("dup2", [STREAMS.stdout, CHILD.stdout]);
  }
  if (!terminal || separateErrors) list.call("dup2", [STREAMS.stderr, CHILD.stderr]);
}

function variables(environment: RunCommandOptions["environment"]): Map<string, string> {
  const own: [string, string][] = [
    ["PATH", RUN_PATH],
    ["HOME", "/root"],
    ["USER", "root"],
    ["LOGNAME", "root"],
  ];
  return new Map([...own, ...environment]);
}

/** These, and behind them what process 1 has of others. */
function environmentOf(list: StepList, given: ReadonlyMap<string, string>): Place {
  const texts = [...given].map(([name, value]) => `${name}=${value}`);
  const environment = list.texts(texts, MOST_INHERITED);
  const inherit = new Step();
  list.call("load", [PLACES.environment, -1], { store: inherit.argument(1) });
  const behind: Place = (layout) => environment(layout) + WORD * texts.length;
  const names = list.texts([...given.keys()].map((name) => `${name}=`));
  list.call("copy", [behind, 0, names, MOST_INHERITED], { as: inherit });
  return environment;
}

/** Where a command of this name may lie, in the order in which it is looked for. */
function candidates(name: string, path: string): string[] {
  if (name === "") return [];
  if (name.includes("/")) return [name];
  return path.split(":").map((folder) => (folder === "" ? name : `${folder}/${name}`));
}

/** Becomes the command. */
function executeSteps(
  list: StepList,
  { folder, folderMayMiss, ...options }: RunCommandOptions,
  command: readonly string[],
): void {
  const noFolder = new Label();
  list.call("chdir", [list.text(folder)], folderMayMiss ? {} : { failed: noFolder });
  const given = variables(options.environment);
  const environment = environmentOf(list, given);
  const [name = ""] = command;
  const paths = candidates(name, given.get("PATH") ?? "");
  const result = list.words([0]);
  const refused = new Label();
  for (const path of paths) {
    const byShell = new Label();
    const next = new Label();
    // A kernel makes a whole new memory before it finds that there is no such file.
    list.call("access", [list.text(path), X_OK], { failed: next });
    list.call("access", [list.text(`${path}/.`), F_OK], { value: 0, equal: next });
    list.call("execve", [list.text(path), list.texts(command), environment], {
      store: result,
      value: ENOEXEC,
      equal: byShell,
      failed: refused,
    });
    // As a shell does: a text that does not say who reads it is one of its own.
    list.place(byShell);
    list.call("execve", [list.text("/bin/sh"), list.texts(["sh", path, ...command.slice(1)]), environment]);
    list.place(next);
  }
  const there = new Label();
  for (const path of paths) {
    const next = new Label();
    // A folder is only meant by who says where it is.
    if (path !== name) list.call("access", [list.text(`${path}/.`), F_OK], { value: 0, equal: next });
    list.call("access", [list.text(path), F_OK], { value: 0, equal: there });
    list.place(next);
  }
  refuse(list, `${name}: not found`, STATUS.notFound);
  list.place(refused);
  const [noInterpreter, tooLong] = [new Label(), new Label()];
  list.call("load", [result, -1], { value: ENOENT, equal: noInterpreter });
  list.call("load", [result, -1], { value: E2BIG, equal: tooLong });
  list.place(there);
  refuse(list, `${name}: cannot be executed`, STATUS.notExecuted);
  list.place(noInterpreter);
  refuse(list, `${name}: the interpreter or loader that it names is not there`, STATUS.notExecuted);
  list.place(tooLong);
  refuseAsTooLong(list, name);
  list.place(noFolder);
  refuse(list, `folder ${folder}: not there`, STATUS.ours);
}

/** The child: in its session, its root and its folder. */
function commandOf(list: StepList, options: RunCommandOptions, command: readonly string[]): void {
  const isElsewhere = rootPrefix(options.root) !== "";
  const [notMoved, noTerminal] = [new Label(), new Label()];
  streamsOfChild(list, options, noTerminal);
  if (isElsewhere) {
    list.call("chdir", [list.text(ROOT_FOLDER)]);
    list.call("mount", [list.text("."), list.text("/"), 0, MS_MOVE], { failed: notMoved });
  }
  if (options.user !== undefined) {
    const words = ["sh", "-c", launchScript(options), "sh", ...command];
    const environment = environmentOf(list, launchVariables(options));
    list.call("execve", [list.text(BUSYBOX), list.texts(words), environment]);
    refuseAsTooLong(list, command[0]);
  } else {
    if (isElsewhere) {
      list.call("chroot", [list.text(".")]);
      list.call("chdir", [list.text("/")]);
    }
    executeSteps(list, options, command);
  }
  list.place(notMoved);
  refuse(list, "the root cannot be moved to its place", STATUS.ours);
  list.place(noTerminal);
  refuse(list, "the guest's terminal cannot be opened", STATUS.ours);
}

/** Signals come as a byte each, from when there is a command. */
function signalSteps(list: StepList, { toGroup, toOne }: { toGroup: Step; toOne: Step }): void {
  thread(list, () => {
    const over = new Label();
    const heard = list.words([0]);
    const next = list.here();
    list.call("read", [PORTS.control, heard, 1], { value: 0, equal: over, failed: over });
    list.call("load", [heard, BYTE], { store: toGroup.argument(1) });
    list.call("load", [heard, BYTE], { store: toOne.argument(1) });
    const alone = new Label();
    list.call("kill", [0, 0], { as: toGroup, failed: alone, next });
    list.place(alone);
    list.call("kill", [0, 0], { as: toOne, failed: next, next });
    list.place(over);
  });
}

/** Says what the command came to. */
function statusSteps(list: StepList, raw: Place): void {
  const { byItself, bySignal } = statusTable();
  const say = new Step();
  const [first, second] = [new Step(), new Step()];
  const [exited, said] = [new Label(), new Label()];
  const utf8 = new TextEncoder();
  list.call("load", [raw, BYTE], { store: first.argument(1), value: 0, equal: exited });
  list.set(say.argument(1), list.bytes(utf8.encode(bySignal)));
  list.call("add", [say.argument(1), 0, STATUS_BYTES], { as: first, next: said });
  list.place(exited);
  list.set(say.argument(1), list.bytes(utf8.encode(byItself)));
  const secondByte: Place = (layout) => raw(layout) + 1;
  list.call("load", [secondByte, BYTE], { store: second.argument(1) });
  list.call("add", [say.argument(1), 0, STATUS_BYTES], { as: second });
  list.place(said);
  list.call("write", [PORTS.control, 0, STATUS_BYTES], { as: say });
}

/** One command, and the end of the machine. */
function runSteps(
  list: StepList,
  options: RunCommandOptions,
  { command, failed }: { command: readonly string[]; failed: Label },
): void {
  list.write(PORTS.control, "ready\n");
  const [wait, group] = [new Step(), new Step()];
  const signals = { toGroup: new Step(), toOne: new Step() };
  const id = list.words([0]);
  child(list, { store: id, failed, body: () => commandOf(list, options, command) });
  list.call("load", [id, INT_MASK], { store: wait.value });
  list.call("load", [id, INT_MASK], { store: signals.toOne.argument(0) });
  list.call("load", [id, INT_MASK], { store: group.argument(1) });
  list.call("add", [signals.toGroup.argument(0), 0, -1], { as: group });
  signalSteps(list, signals);
  for (const end of Object.values(STREAMS)) list.call("close", [end]);
  const raw = list.words([0]);
  waitFor(list, raw, wait);
  // What is still running ends with the command, as in a container; the kernel lets none of them multiply meanwhile.
  list.call("kill", [EVERY_PROCESS, SIGKILL]);
  relayedSteps(list, options);
  if (writes(options)) list.call("sync");
  statusSteps(list, raw);
  switchOff(list);
}

function writeFileSteps(list: StepList, path: string, text: string, lost: Label): void {
  const bytes = new TextEncoder().encode(text);
  const [write, close] = [new Step(), new Step()];
  openFor(list, [write, close], [path, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE], lost);
  whole(list, "write", [0, list.bytes(bytes), bytes.length], { as: write, lost });
  list.call("close", [0], { as: close });
}

/** What a machine does that has loaded its modules. `seed`: it has waited, and its clock and random numbers are to be renewed. */
export function commandSteps(list: StepList, options: RunCommandOptions, seed?: Uint8Array): void {
  const givingUp = new GivingUp();
  if (seed !== undefined)
    renewSteps(list, seed, givingUp.for("setup: the guest's clock and random numbers cannot be renewed"));
  const { hostname, command } = options;
  list.call("sethostname", [list.text(hostname), Buffer.byteLength(hostname)]);
  mountSteps(list, options, givingUp);
  if (command === "from host") {
    writeFileSteps(
      list,
      SERVING_FILE,
      servingScript(options),
      givingUp.for("setup: there is no room for a file"),
    );
    list.call("exit_group", [0]);
  } else {
    for (const script of [networkScript(options), accountScript(options)])
      // It says itself why it fails.
      if (script !== undefined) runProgram(list, ["sh", "-c", script], givingUp.silent);
    const failed = givingUp.for("setup: the guest's kernel starts no process");
    runSteps(list, options, { command, failed });
  }
  givingUp.finish(list);
}

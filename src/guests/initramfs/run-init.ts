/**
 * The text of /init for `locore run`: loads the modules and finds the ports, then leaves the rest to the program of steps (`steps/`), which
 * becomes process 1: it waits for its command where a host hands one over, puts the root together, runs the command and tells the host
 * what became of it. Where the host says again and again what is to run, this shell stays process 1. Text only; `run-initramfs.ts`
 * packs it.
 *
 * What comes before the command is known, here and there, knows nothing of it, of folders and of this host but its name: a machine that
 * is saved while it waits serves every command.
 *
 * The streams are named ports of a virtio console (`RUN_PORTS`). The control port carries
 *   guest  `waiting`       a line: it has come to the point where it is handed its steps
 *   guest  `waiting alike` the same, and its kernel makes no random numbers anew: they would be alike in each run that goes on from there
 *   host   steps           behind a head that says their length and the time (`PLACES.head`)
 *   guest  `ready`         the command is about to be started
 *   guest  `failed WHY`    it cannot be: what is missing is said for people
 *   host   signals         a byte each, by their numbers, to the command and its process group
 *   guest  `status N`      it has ended by itself; all it wrote was sent before
 *   guest  `signal N`      the same, by a signal
 *
 * Process 1 keeps the initramfs as its root, whatever root the command gets: it needs nothing from there.
 */
import { EXEC_PORTS } from "./exec-init.js";
import { shellQuote } from "./init-script.js";
import {
  MODULES_FOLDER,
  RUN_FAILED,
  RUN_FOLDER,
  RUN_PATH,
  RUN_PORTS,
  SERVING_FILE,
  STEPS_FILE,
  type RunStartOptions,
} from "./run-options.js";
import { LAUNCH } from "./run-scripts.js";
import { PORTS as DESCRIPTORS } from "./steps/descriptors.js";
import { folderPlaces } from "./steps/mount-steps.js";
import { pipedOutputs } from "./steps/start-steps.js";

/** Where each folder will lie, and what is written to it meanwhile: ready before the command is known. */
function shareLines(tags: readonly string[]): string[] {
  if (tags.length === 0) return [];
  const folders = tags.flatMap((tag) => Object.values(folderPlaces(tag)));
  return [
    `mkdir -p ${RUN_FOLDER}/upper`,
    `mount -t tmpfs -o mode=755 tmpfs ${RUN_FOLDER}/upper`,
    `mkdir -p ${folders.map(shellQuote).join(" ")}`,
  ];
}

/** Mounts, and what ends the machine. */
const BEGIN = `#!/bin/busybox sh
export PATH=${RUN_PATH}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
control=
end() { poweroff -f; }
fail() {
  echo "${RUN_FAILED}$1" >/dev/console
  [ -z "$control" ] || echo "failed $1" >&9
  end
}
# Another init that was asked for takes the place of this one.
read -r line </proc/cmdline
lockup=1
for word in $line; do
  case $word in
    init=*) exec "\${word#init=}" ;;
    softlockup_panic=*) lockup= ;;
  esac
done
# From here on: the kernel may have unpacked this archive for longer than it lets a CPU be stuck.
[ -z "$lockup" ] || echo 1 >/proc/sys/kernel/softlockup_panic
for each in ${MODULES_FOLDER}/*; do
  [ -e "$each" ] || break
  insmod "$each" || fail "module \${each##*/}: the kernel does not take it"
done
`;

/** Finds the ports by their names; `NEEDED` is what has to be there. */
function findPorts(names: Readonly<Record<string, string>>, needed: string): string {
  const cases = Object.entries(names).map(portCase).join("\n");
  return PORTS.replace("NAMES", () => cases).replace("NEEDED", () => needed);
}

function portCase([role, name]: [string, string]): string {
  return `    ${name}) ${role}=$each ;;`;
}

const PORTS = `
ports() {
  for each in /sys/class/virtio-ports/*/name; do
    read -r name 2>/dev/null <"$each" || continue
    each=\${each%/name}
    each=/dev/\${each##*/}
    case $name in
NAMES
    esac
  done
}
[ -d /sys/bus/virtio ] || fail 'virtio: this kernel has no virtio, neither built in nor as a module'
tries=0
until ports; NEEDED; do
  tries=$((tries + 1))
  [ $tries -lt 1000 ] || fail 'virtio: this kernel finds no virtio console (it needs virtio_mmio and virtio_console)'
  usleep 2000
done
exec 9<>"$control"
control=open
`;
/** A shell's question whether all these ports are there, and with a terminal its device. */
function neededPorts(names: Readonly<Record<string, string>>, terminal: boolean): string {
  const ports = Object.keys(names).map((role) => `[ -n "$${role}" ]`);
  return [...ports, ...(terminal ? ["[ -c /dev/hvc0 ]"] : [])].join(" && ");
}

/** Opens the ports of one command's streams, and becomes the program of steps. */
function becomeLines(start: RunStartOptions): string[] {
  const outputs = pipedOutputs(start).map((name) => `${DESCRIPTORS[name]}>"$${name}"`);
  const input = start.terminal ? [] : [`${DESCRIPTORS.stdin}<"$stdin"`];
  return [
    ...(outputs.length + input.length === 0 ? [] : [`exec ${[...input, ...outputs].join(" ")}`]),
    // What the command has of the environment is what the kernel's command line gave it, and what it is told.
    "unset PATH PWD OLDPWD SHLVL",
    `exec ${STEPS_FILE}`,
  ];
}

/** The steps do what has to be done once; the host's words are heard by this shell. */
function servingLines(): string[] {
  return [
    `launch=${shellQuote(LAUNCH)}`,
    `${STEPS_FILE} || fail 'setup: the root was not put together'`,
    `. ${SERVING_FILE}`,
  ];
}

/** The archive has /bin/busybox, /dev/console, `STEPS_FILE`, and `MODULES_FOLDER` with its modules in the order of their names. */
export function runInitScript(start: RunStartOptions): string {
  const { terminal, serving = false, tags = [] } = start;
  const ports = serving ? EXEC_PORTS : RUN_PORTS;
  return [
    BEGIN,
    findPorts(ports, neededPorts(ports, serving || terminal)),
    "ifconfig lo up 2>/dev/null",
    ...shareLines(tags),
    ...(serving ? servingLines() : becomeLines(start)),
    "",
  ].join("\n");
}

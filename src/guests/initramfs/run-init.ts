/**
 * The text of /init for `locore run`: loads the modules and finds the streams, then does what the command's own text says: puts the root
 * together, runs one command, and tells the host what became of it. Text only; `run-initramfs.ts` packs it.
 *
 * The two texts meet at one point. The first knows nothing of the command, of folders and of this host but its name: a machine that is
 * saved there serves every command. The second comes by the control port, or lies in the archive for who hands nothing over.
 *
 * The streams are named ports of a virtio console (`RUN_PORTS`). On the control port each side writes lines:
 *   guest  `waiting`       it has come to that point
 *   guest  `waiting alike` the same, and its kernel makes no random numbers anew: they would be alike in each run that goes on from there
 *   host   not in lines: the command's text, for its shell (`take-program.ts`)
 *   host   `signal NAME`   to the command and its process group
 *   guest  `ready`         the command is about to be started
 *   guest  `failed WHY`    it cannot be: what is missing is said for people
 *   guest  `status N`      it has ended, as a shell has its status; all it wrote was sent before
 *
 * Process 1 keeps the initramfs as its root, whatever root the command gets: it needs nothing from there. A port can be opened
 * once only and a program may open /dev/stderr anew, so that each stream is a pipe with `cat` between it and its port.
 */
import { EXEC_PORTS, execLines } from "./exec-init.js";
import { shellQuote } from "./init-script.js";

/** Names of the ports. */
export const RUN_PORTS = {
  control: "locore.control",
  stdin: "locore.stdin",
  stdout: "locore.stdout",
  stderr: "locore.stderr",
} as const;

/** What the guest's console says where there is no control port to say it on; the reason follows. */
export const RUN_FAILED = "locore: failed ";

/** A folder of the host as the guest mounts it. */
export interface RunMount {
  /** The tag of the share. */
  tag: string;
  /** Absolute path in the guest. */
  at: string;
  /** What the guest writes reaches the host; otherwise it stays in the guest's memory. */
  writable: boolean;
  /** A kernel that cannot mount it goes without. */
  optional: boolean;
}

/** Where the command's root is. */
export type RunRoot =
  /** The initramfs itself. */
  | { kind: "initramfs" }
  /** A shared folder, by its tag. */
  | { kind: "share"; tag: string; writable: boolean }
  /** A disk: its device, and the name of its file system where it is known. */
  | { kind: "disk"; device: string; type: string | undefined };

/** What a guest is told of its network. */
export interface RunAddress {
  /** With the bits of its prefix: 10.0.3.2/24. */
  readonly address: string;
  readonly gateway?: string;
}

/** What the first text depends on. */
export interface RunStartOptions {
  /** The command's standard streams are the console hvc0, its controlling terminal; otherwise three pipes. */
  terminal: boolean;
  /** On a terminal: standard error is a stream of its own all the same. */
  separateErrors: boolean;
  /** The host says again and again what is to run: there are the ports for it. */
  serving?: boolean;
  /** Of the folders that this machine has; absent: none. Where they will be mounted is not known yet. */
  tags?: readonly string[];
}

/** What the second depends on. */
export interface RunCommandOptions {
  /** The guest's name. It is told late: the host of a machine that goes on may have another one than that which booted it. */
  hostname: string;
  /** The command and its arguments; "from host": the host says again and again what is to run (`exec-init.ts`). */
  command: readonly string[] | "from host";
  /** Of the environment, besides what every command has. */
  environment: readonly (readonly [name: string, value: string])[];
  /** Absolute. */
  folder: string;
  /** Where it is not there, the root is. */
  folderMayMiss: boolean;
  /** `NAME`, or numbers as `UID` or `UID:GID`. Absent: root. */
  user: string | undefined;
  root: RunRoot;
  mounts: readonly RunMount[];
  /**
   * The guest has a network card: its network says by DHCP what it is, or the guest is told. "alone": by DHCP, and nobody else is on its link.
   * Absent: it has none.
   */
  network?: "dhcp" | "alone" | RunAddress;
  /** What carries the folders. Absent: virtiofs. */
  sharedOver?: "virtiofs" | "9p";
  /** As the first text has it. */
  terminal: boolean;
  /** On a terminal: standard error is a stream of its own all the same. */
  separateErrors: boolean;
}

export const RUN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where the initramfs has what is ours. */
export const RUN_FOLDER = "/locore";
export const MODULES_FOLDER = `${RUN_FOLDER}/modules`;
/** Where the archive has the second text, if nobody hands one over. */
export const COMMAND_FILE = `${RUN_FOLDER}/run`;
/** Where it has the program that takes it otherwise (`take-program.ts`). */
export const TAKE_FILE = `${RUN_FOLDER}/take`;

/** What this shell holds of the streams for the command: its standard input, output and error. */
const HELD = { stdin: 7, stdout: 5, stderr: 6 } as const;
/** Nobody but the command keeps them: a stream ends when all have let go of it. */
const LET_GO = `${HELD.stdin}<&- ${HELD.stdout}>&- ${HELD.stderr}>&-`;

/**
 * Hands a variable over to the command. Until it starts it has another name: our shells have variables too, and see PATH and IFS.
 */
export function givenVariable(name: string, value: string): string {
  return `export LOCORE_V_${name}=${shellQuote(value)} LOCORE_VARIABLES="$LOCORE_VARIABLES ${name}"`;
}

/**
 * Starts the command in its own root, folder and environment: the last thing that runs before it. A name without a slash is looked
 * for here, since busybox would take its own program of that name. The command's variables get their names when nothing else is left to
 * do: its words are then the shell's arguments alone.
 */
const LAUNCH = `
cd "$LOCORE_FOLDER" 2>/dev/null || [ -n "$LOCORE_MAY_MISS" ] || { echo "locore: folder $LOCORE_FOLDER: not there" >&2; exit 125; }
user=$LOCORE_USER
name=$1
shift
path=
case $name in
*/*) path=$name ;;
*)
  IFS=:
  for folder in \${LOCORE_V_PATH-$PATH}; do
    if [ -f "$folder/$name" ]; then
      [ -x "$folder/$name" ] && { path=$folder/$name; break; }
      path=\${path:-$folder/$name}
    fi
  done
  unset IFS
  ;;
esac
if [ ! -e "$path" ]; then
  echo "locore: $name: not found" >&2
  exit 127
fi
if [ -d "$path" ] || [ ! -x "$path" ]; then
  echo "locore: $name: cannot be executed" >&2
  exit 126
fi
if [ -n "$user" ]; then
  set -- su -p -s "$path" "$user" "$@"
else
  set -- -a "$name" "$path" "$@"
fi
unset LOCORE_FOLDER LOCORE_MAY_MISS LOCORE_USER
# One that is named twice is handed over once, as it was said last.
for LOCORE_EACH in $LOCORE_VARIABLES; do
  eval "[ -z \\"\\\${LOCORE_V_$LOCORE_EACH+1}\\" ] ||
    { export $LOCORE_EACH=\\"\\$LOCORE_V_$LOCORE_EACH\\"; unset LOCORE_V_$LOCORE_EACH; }"
done
unset LOCORE_VARIABLES LOCORE_EACH
exec "$@"
`;

const MOUNT_FUNCTIONS = `
# A folder of the host; what is written stays in memory unless it is writable.
share() {
  [ -d "$2" ] || mkdir -p "$2"
  if [ "$3" = rw ]; then
    mount $share_as "$1" "$2" || fail "share: the host's folder for $2 cannot be mounted"
    writable=1
    return
  fi
  mount $share_as -r "$1" "/locore/lower/$1" || fail "share: the host's folder for $2 cannot be mounted"
  mount -t overlay -o "lowerdir=/locore/lower/$1,upperdir=/locore/upper/$1/new,workdir=/locore/upper/$1/work" overlay "$2" ||
    fail "share: no overlay over $2"
}
# What every program expects, in a root that is not the initramfs.
system() {
  for each in proc sys dev run tmp; do mkdir -p "$1/$each"; done
  mount -t proc proc "$1/proc"
  mount -t sysfs sysfs "$1/sys"
  devices "$1"
  mount -t tmpfs -o mode=755 tmpfs "$1/run"
  mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
}
`;

/** How each is mounted; 512,000 bytes is as much as a message of Linux's has. */
const MOUNT_AS = {
  virtiofs: "-t virtiofs",
  "9p": "-t 9p -o trans=virtio,version=9p2000.L,msize=512000",
} as const;

function rootLines({ root, mounts, sharedOver = "virtiofs" }: RunCommandOptions): string[] {
  const top = root.kind === "initramfs" ? "" : "/locore/root";
  const lines: string[] = [`share_as=${shellQuote(MOUNT_AS[sharedOver])}`];
  if (root.kind === "share")
    lines.push(`share ${shellQuote(root.tag)} ${top} ${root.writable ? "rw" : "ro"}`);
  if (root.kind === "disk") {
    const type = root.type === undefined ? "" : `-t ${shellQuote(root.type)} `;
    lines.push(
      `mkdir -p ${top}`,
      `mount ${type}${shellQuote(root.device)} ${top} || fail "root: no file system that this kernel reads on ${root.device}"`,
      "writable=1",
    );
  }
  if (top !== "") lines.push(`system ${top}`);
  for (const { tag, at, writable, optional } of mounts) {
    const call = `share ${shellQuote(tag)} ${shellQuote(top + at)} ${writable ? "rw" : "ro"}`;
    lines.push(optional ? `(fail() { exit 1; }; ${call}) 2>/dev/null` : call);
  }
  return lines;
}

/** What udhcpc calls with what it was told. */
const LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip link set "$interface" mtu "\${mtu:-1500}"
ip address add "$ip/$mask" dev "$interface"
ip route add default via "\${router%% *}" dev "$interface"
for each in $dns; do echo "nameserver $each"; done >/locore/resolv.conf
`;

/** On a link of its own nobody else can have the guest's IPv6 address: none is asked for a second whether it is free. */
const ALONE = `
dad=/proc/sys/net/ipv6/conf/eth0/accept_dad
[ -e $dad ] && echo 0 >$dad`;

/** The network is there before the command is. */
const CARD_UP =
  "ip link set eth0 up 2>/dev/null || fail 'network: this kernel finds no network card (it needs virtio_mmio and virtio_net)'";

/** Its nameserver is in the command's root, whatever that has of its own. */
const BY_DHCP = `
printf %s LEASE_TEXT >/locore/lease
chmod 755 /locore/lease
udhcpc -f -q -n -t 10 -T 1 -i eth0 -s /locore/lease >/dev/null 2>&1 || fail 'network: there is no answer to the DHCP client; by a cable addr=ADDRESS/BITS gives an address'
resolver() {
  file=$1/etc/resolv.conf
  link=$(readlink "$file")
  case $link in
    /*) file=$1$link ;;
    ?*) file=$1/etc/$link ;;
  esac
  mkdir -p "\${file%/*}"
  [ -e "$file" ] || : >"$file"
  mount --bind /locore/resolv.conf "$file"
}
`;

function networkLines({ network, root }: RunCommandOptions): string[] {
  if (network === undefined) return [];
  if (typeof network !== "string") {
    const { address, gateway } = network;
    const route = gateway === undefined ? [] : [`ip route add default via ${shellQuote(gateway)} dev eth0`];
    return [CARD_UP, `ip address add ${shellQuote(address)} dev eth0`, ...route];
  }
  const top = root.kind === "initramfs" ? "''" : "/locore/root";
  const lease = BY_DHCP.replace("LEASE_TEXT", () => shellQuote(LEASE));
  return [...(network === "alone" ? [ALONE] : []), CARD_UP, lease, `resolver ${top}`];
}

function accountLines({ user, root }: RunCommandOptions): string[] {
  const numbers = /^(\d+)(?::(\d+))?$/.exec(user ?? "");
  const top = root.kind === "initramfs" ? "" : "/locore/root";
  if (user === undefined) return [`account= home=/root`];
  if (numbers === null)
    return [
      `account=${shellQuote(user)}`,
      `home=$(grep "^$account:" ${top}/etc/passwd | cut -d: -f6)`,
      `[ -n "$home" ] || fail "user: there is no user $account in the root's /etc/passwd"`,
    ];
  const [, uid, gid = uid] = numbers;
  return [
    `account=$(grep -m1 "^[^:]*:[^:]*:${uid}:${gid}:" ${top}/etc/passwd | cut -d: -f1)`,
    `home=$(grep -m1 "^[^:]*:[^:]*:${uid}:${gid}:" ${top}/etc/passwd | cut -d: -f6)`,
    `if [ -z "$account" ]; then`,
    `  account=locore-${uid} home=/`,
    `  echo "$account:x:${uid}:${gid}::/:/bin/sh" >>${top}/etc/passwd`,
    "fi",
  ];
}

function startLines(options: RunCommandOptions, command: readonly string[]): string[] {
  const { terminal, separateErrors, root, folder, folderMayMiss, environment } = options;
  const exports = environment.map(([name, value]) => `  ${givenVariable(name, value)}`);
  const session = terminal ? "setsid -c" : "setsid";
  const errors = terminal && !separateErrors ? "2>&1" : `2>&${HELD.stderr}`;
  const streams = terminal ? `</dev/hvc0 >/dev/hvc0 ${errors}` : `<&${HELD.stdin} >&${HELD.stdout} ${errors}`;
  const chroot = root.kind === "initramfs" ? "" : "chroot . ";
  return [
    "(",
    "  read -r pid _ </proc/self/stat",
    '  echo "$pid" >/locore/pid',
    ...(chroot === "" ? [] : ["  cd /locore/root && mount --move . / || exit 125"]),
    `  export PATH=${RUN_PATH} HOME="$home" USER="\${account:-root}" LOGNAME="\${account:-root}"`,
    ...exports,
    `  export LOCORE_FOLDER=${shellQuote(folder)} LOCORE_MAY_MISS=${folderMayMiss ? "1" : ""} LOCORE_USER="$account"`,
    `  exec ${session} ${chroot}sh -c "$launch" sh ${command.map(shellQuote).join(" ")} ${streams} ${LET_GO} 9>&-`,
    ")",
    "status=$?",
  ];
}

/**
 * Between the streams and their ports. Each pipe is opened at both ends before anything is started, so that nothing waits for the other
 * end; 4 keeps it alive meanwhile, 8 is the relay's end.
 */
function relayLines({
  terminal,
  separateErrors,
}: Pick<RunStartOptions, "terminal" | "separateErrors">): string[] {
  const lines: string[] = [];
  const output = (name: "stdout" | "stderr"): void => {
    const pipe = `/locore/${name}`;
    lines.push(
      `exec 4<>${pipe} ${HELD[name]}>${pipe} 8<${pipe} 4>&-`,
      `cat <&8 >"$${name}" 8<&- ${LET_GO} 9>&- & relays="$relays $!"`,
      "exec 8<&-",
    );
  };
  if (!terminal) {
    output("stdout");
    const pipe = "/locore/stdin";
    lines.push(
      `exec 4<>${pipe} ${HELD.stdin}<${pipe} 8>${pipe} 4>&-`,
      `cat "$stdin" >&8 8>&- ${LET_GO} 9>&- & input=$!`,
      "exec 8>&-",
    );
  }
  if (!terminal || separateErrors) output("stderr");
  return lines;
}

/** Where each folder will lie, and what is written to it meanwhile: ready before the command is known. */
function shareLines(tags: readonly string[]): string[] {
  if (tags.length === 0) return [];
  const folders = tags.flatMap((tag) => [
    `/locore/lower/${tag}`,
    `/locore/upper/${tag}/new`,
    `/locore/upper/${tag}/work`,
  ]);
  return [
    "mkdir -p /locore/upper",
    "mount -t tmpfs -o mode=755 tmpfs /locore/upper",
    `mkdir -p ${folders.map(shellQuote).join(" ")}`,
  ];
}

/** Mounts, and what ends the machine. */
const BEGIN = `#!/bin/busybox sh
export PATH=${RUN_PATH}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
devices() {
  mount -t devtmpfs devtmpfs "$1/dev"
  mkdir -p "$1/dev/pts" "$1/dev/shm"
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts "$1/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
}
devices ''
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
control= relays= input= writable=
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

const SIGNALS = `
# Signals from the host, until it closes.
while read -r word signal <&9; do
  [ "$word" = signal ] || continue
  until [ -s /locore/pid ]; do usleep 1000; done
  read -r pid </locore/pid
  kill "-$signal" "-$pid" || kill "-$signal" "$pid"
done 2>/dev/null ${LET_GO} &
listener=$!
`;

const END = `
others() {
  for child in $children; do
    case " $listener $relays $input " in *" $child "*) ;; *) return 0 ;; esac
  done
  return 1
}
# What is still running ends with the command, as in a container. All are stopped first, so that none can multiply meanwhile.
finish() {
  children=all
  read -r children 2>/dev/null </proc/1/task/1/children
  if others; then
    kill -STOP -1
    for each in /proc/[0-9]*; do
      each=\${each#/proc/}
      case " 1 $listener $relays " in *" $each "*) ;; *) kill -9 "$each" ;; esac
    done 2>/dev/null
    kill -CONT -1
  fi
  exec ${LET_GO}
  [ -z "$relays" ] || wait $relays
  [ -z "$writable" ] || sync
  echo "status $status" >&9
  end
}
`;

/** Until here every run of a machine is the same. */
const WAIT = `
[ -e ${COMMAND_FILE} ] || ${TAKE_FILE} >${COMMAND_FILE} || fail 'setup: the command was not handed over'
. ${COMMAND_FILE}
finish
`;

/** The first text. The archive has /bin/busybox, /dev/console, `MODULES_FOLDER` with its modules in the order of their names. */
export function runInitScript({
  terminal,
  separateErrors,
  serving = false,
  tags = [],
}: RunStartOptions): string {
  const ports = serving ? EXEC_PORTS : RUN_PORTS;
  const streams = [
    "mkfifo /locore/stdin /locore/stdout /locore/stderr",
    ...relayLines({ terminal, separateErrors }),
  ];
  return [
    BEGIN,
    findPorts(ports, neededPorts(ports, serving || terminal)),
    MOUNT_FUNCTIONS,
    `launch=${shellQuote(LAUNCH)}`,
    END,
    "ifconfig lo up 2>/dev/null",
    ...shareLines(tags),
    ...(serving ? [] : streams),
    WAIT,
  ].join("\n");
}

/** What the host says, until it ends the machine. */
function servingLines({ root, environment }: RunCommandOptions): string[] {
  const own = root.kind !== "initramfs";
  const account = '"${account:-root}"';
  const variables = [
    `export PATH=${RUN_PATH} HOME="$home" USER=${account} LOGNAME=${account} LOCORE_USER="$account"`,
    ...environment.map(([name, value]) => givenVariable(name, value)),
  ];
  return [
    // Process 1 sees its own root by absolute paths still, and stands in that of the commands.
    own ? "cd /locore/root && mount --move . / || fail 'root: it cannot be moved to its place'" : "cd /",
    `chroot=${own ? "'chroot .'" : ""}`,
    `variables() {\n${variables.join("\n")}\n}`,
    ...execLines(),
  ];
}

/** One command; what ends the machine with it stands behind. */
function commandLines(options: RunCommandOptions, command: readonly string[]): string[] {
  return [SIGNALS, "echo ready >&9", ...startLines(options, command)];
}

/** The second text. */
export function runCommandScript(options: RunCommandOptions): string {
  const { command, hostname } = options;
  return [
    `hostname ${shellQuote(hostname)}`,
    ...rootLines(options),
    ...networkLines(options),
    ...accountLines(options),
    ...(command === "from host" ? servingLines(options) : commandLines(options, command)),
    "",
  ].join("\n");
}

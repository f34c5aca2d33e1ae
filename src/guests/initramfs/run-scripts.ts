/**
 * What of a run is said to a shell in the guest: how a command is started as somebody else than root; its network, and who
 * it runs as. Text only.
 */
import { shellQuote } from "./init-script.js";
import { execLines } from "./exec-init.js";
import { ROOT_FOLDER, RUN_FAILED, RUN_PATH, rootPrefix, type RunCommandOptions } from "./run-options.js";

const GIVEN = "LOCORE_V_";

/**
 * Hands a variable over to the command. Until it starts it has another name: our shells have variables too, and see PATH and IFS.
 */
export function givenVariable(name: string, value: string): string {
  return `export ${GIVEN}${name}=${shellQuote(value)} LOCORE_VARIABLES="$LOCORE_VARIABLES ${name}"`;
}

/**
 * Starts the command in its own root, folder and environment: the last thing that runs before it. A name without a slash is looked
 * for here, since busybox would take its own program of that name. The command's variables get their names when nothing else is left to
 * do: its words are then the shell's arguments alone.
 */
export const LAUNCH = `
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
  set -- su -p -s "$path" -- "$user" "$@"
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
  const top = shellQuote(rootPrefix(root));
  const lease = BY_DHCP.replace("LEASE_TEXT", () => shellQuote(LEASE));
  return [...(network === "alone" ? [ALONE] : []), CARD_UP, lease, `resolver ${top}`];
}

function accountLines({ user, root }: RunCommandOptions): string[] {
  const numbers = /^(\d+)(?::(\d+))?$/.exec(user ?? "");
  const top = rootPrefix(root);
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

/** Where the account is that a command has: its name and its home, in a line each. */
const ACCOUNT_FILE = "/locore/account";

/** In a process of its own, which ends with 1 when it has said why. */
const FAIL = `fail() {
  echo "${RUN_FAILED}$1" >/dev/console
  echo "failed $1" >&9
  exit 1
}`;

/** Brings the network up; undefined: there is none. */
export function networkScript(options: RunCommandOptions): string | undefined {
  const lines = networkLines(options);
  return lines.length === 0 ? undefined : [FAIL, ...lines].join("\n");
}

/** Finds out who the command runs as; undefined: root. */
export function accountScript(options: RunCommandOptions): string | undefined {
  if (options.user === undefined) return undefined;
  return [FAIL, ...accountLines(options), `printf '%s\\n' "$account" "$home" >${ACCOUNT_FILE}`].join("\n");
}

/** Starts the command that the shell's arguments are as somebody else than root, from where its root is to be. */
export function launchScript({ root, folder, folderMayMiss }: RunCommandOptions): string {
  const account = '"${account:-root}"';
  return [
    `{ read -r account; read -r home; } <${ACCOUNT_FILE}`,
    `export PATH=${RUN_PATH} HOME="$home" USER=${account} LOGNAME=${account}`,
    `export LOCORE_FOLDER=${shellQuote(folder)} LOCORE_MAY_MISS=${folderMayMiss ? "1" : ""} LOCORE_USER="$account"`,
    `exec ${root.kind === "initramfs" ? "" : "chroot . "}sh -c ${shellQuote(LAUNCH)} sh "$@"`,
  ].join("\n");
}

/** The environment that it needs: the command's own, by other names until the command starts. */
export function launchVariables({ environment }: RunCommandOptions): Map<string, string> {
  const given = environment.map(([name, value]) => [`${GIVEN}${name}`, value] as const);
  const names = environment.map(([name]) => ` ${name}`).join("");
  return new Map([...given, ["LOCORE_VARIABLES", names]]);
}

/** What process 1 does for a host that says again and again what is to run (`exec-init.ts`); it has `fail` and `launch`. */
export function servingScript(options: RunCommandOptions): string {
  const { root, environment } = options;
  const own = root.kind !== "initramfs";
  const account = '"${account:-root}"';
  const variables = [
    `export PATH=${RUN_PATH} HOME="$home" USER=${account} LOGNAME=${account} LOCORE_USER="$account"`,
    ...environment.map(([name, value]) => givenVariable(name, value)),
  ];
  return [
    ...networkLines(options),
    ...accountLines(options),
    // Process 1 sees its own root by absolute paths still, and stands in that of the commands.
    own ? `cd ${ROOT_FOLDER} && mount --move . / || fail 'root: it cannot be moved to its place'` : "cd /",
    `chroot=${own ? "'chroot .'" : ""}`,
    `variables() {\n${variables.join("\n")}\n}`,
    ...execLines(),
    "",
  ].join("\n");
}

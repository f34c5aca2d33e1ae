/**
 * The text of the initramfs's /init: mounts what every program expects, runs the caller's command line or a shell
 * on the console, reports the exit status, ends the machine. Text only; `initramfs.ts` packs it.
 *
 * The protocol on the console, which callers may parse:
 *   `locore: init`      first line, as soon as user space runs
 *   `locore: exit N`    last line; N is the exit status of the command or shell, 0–255
 */

/** How the guest ends the machine after the command or shell. */
export type GuestEnd = "poweroff" | "reboot" | "halt";

export interface InitOptions {
  /** Whether `COMMAND_PATH` is there to be run. */
  command: boolean;
  /** Whether an interactive shell follows. */
  shell: boolean;
  end: GuestEnd;
  /** For TERM in the guest. */
  terminal: string;
}

/** Where the caller's command line lies, as a script for sh. */
export const COMMAND_PATH = "locore/command";
/** The console line that user space begins with. */
export const INIT_LINE = "locore: init";
/** What the last console line begins with; the exit status follows. */
export const EXIT_LINE = "locore: exit ";

/** Puts a word in single quotes for sh. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * The exit status a console shows, or undefined when it shows none. The line may follow output that did not end its
 * own line; the last one counts.
 */
export function exitStatusIn(console: string): number | undefined {
  const found = [...console.matchAll(/locore: exit (\d+)\s*$/gm)].at(-1);
  return found === undefined ? undefined : Number(found[1]);
}

/** The shell by its path: without one, busybox would take itself even where a package brought another. */
const SHELL = "/bin/sh";
/** A FIFO through which the exit status of what runs on the console comes back. */
const STATUS_PATH = "/locore/status";

/**
 * One program on the console in a session of its own, so that Ctrl-C, Ctrl-Z and job control work. Process 1 must
 * not wait for it as a foreground command, because traps would run only afterwards; and `&` would leave the program
 * deaf to Ctrl-C, because a shell starts background commands with SIGINT ignored. The second `setsid` finds itself
 * a session leader, so it forks and its parent returns at once: neither of both.
 */
function onConsole(program: string): string[] {
  const session = `trap : INT QUIT; ${program}; echo $? >${STATUS_PATH}`;
  return [
    `setsid setsid cttyhack ${SHELL} -c ${shellQuote(session)} </dev/console >/dev/console 2>&1`,
    `until read -r status <${STATUS_PATH}; do :; done 2>/dev/null`,
  ];
}

/** The script. It needs /bin/busybox, and /dev/console from the archive before devtmpfs is mounted. */
export function initScript({ command, shell, end, terminal }: InitOptions): string {
  const lines = [
    "#!/bin/busybox sh",
    `echo ${shellQuote(INIT_LINE)}`,
    "export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root",
    `export TERM=${shellQuote(terminal)}`,
    "/bin/busybox mount -t proc proc /proc",
    "/bin/busybox mount -t sysfs sysfs /sys",
    "/bin/busybox mount -t devtmpfs devtmpfs /dev",
    "/bin/busybox --install -s",
    "hostname locore",
    "ifconfig lo up 2>/dev/null",
    "# Nothing may follow the last line: 0 silences even the kernel's own word on powering down.",
    `finish() { sync; echo 0 >/proc/sys/kernel/printk; echo "${EXIT_LINE}$1"; "$2" -f; }`,
    "# What `halt`, `poweroff` and `reboot` send to process 1.",
    'trap "finish 0 halt" USR1',
    'trap "finish 0 poweroff" USR2',
    'trap "finish 0 reboot" TERM',
    "cd /root",
    `mkfifo ${STATUS_PATH}`,
    "status=0",
    ...(command ? onConsole(`${SHELL} /${COMMAND_PATH}`) : []),
    ...(shell ? onConsole(`${SHELL} -l`) : []),
    `finish "$status" ${end}`,
    "",
  ];
  return lines.join("\n");
}

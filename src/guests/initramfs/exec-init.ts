/**
 * How /init serves a host that has it run one command after another, some at once. Text only; `run-init.ts` puts it behind what
 * makes the root and the network.
 *
 * There are `EXEC_SLOTS` slots, and each runs one command at a time. A slot has three named ports:
 *   in    host   `job ID BYTES MODE` and so many bytes: a script of the shell's that sets the command and its environment;
 *                IDs grow.
 *                MODE stream: its standard input follows in pieces, each `BYTES` and so many bytes; `0` is its end
 *                MODE terminal: it runs on the console hvc0, nothing follows
 *   out, err     what the command writes
 * On the control port each side writes lines:
 *   host   `signal SLOT ID NAME`  to the command of that job and its process group; KILL is for its whole session
 *   host   `slots`                which slots are free: each is said, then `ready`
 *   guest  `ready`                commands may come; which slots are free was said before
 *   guest  `failed WHY`           they cannot: what is missing is said for people
 *   guest  `status SLOT N`        the command has ended, as a shell has its status; all it wrote was sent before
 *   guest  `free SLOT`            the next one may come; nothing of the last one's input is left
 *   guest  `busy SLOT`            a command runs there
 *
 * What a command leaves running goes on. So its pipes are its own, made anew for each, and a relay that waits for more of what nobody
 * may ever write is ended: that it waits is read from /proc/PID/syscall.
 */

/** Commands at once. */
export const EXEC_SLOTS = 4;

/** The ports of a slot. */
export interface SlotPorts {
  readonly input: string;
  readonly output: string;
  readonly errors: string;
}

/** Names of the ports of a slot, from 0. */
export function slotPorts(slot: number): SlotPorts {
  return { input: `locore.${slot}.in`, output: `locore.${slot}.out`, errors: `locore.${slot}.err` };
}

export const EXEC_CONTROL = "locore.control";

const SLOTS = Array.from({ length: EXEC_SLOTS }, (_, slot) => slot);

/** All ports by the variables of the script. */
export const EXEC_PORTS: Readonly<Record<string, string>> = {
  control: EXEC_CONTROL,
  ...Object.fromEntries(
    SLOTS.flatMap((slot) => {
      const { input, output, errors } = slotPorts(slot);
      return [
        [`in${slot}`, input],
        [`out${slot}`, output],
        [`err${slot}`, errors],
      ];
    }),
  ),
};

const SLOT = `
# Whether process $1 waits in system call $2 for its descriptor $3.
waits() {
  read -r call descriptor _ 2>/dev/null <"/proc/$1/syscall" && [ "$call $descriptor" = "$2 $3" ]
}
gone() {
  read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" || return 0
  [ "$state" = Z ]
}
# Until relay $1 has passed on all that was written; whoever still could write is not waited for.
relayed() {
  until gone "$1"; do
    waits "$1" 0 0x0 && { kill "$1"; break; }
    usleep 1000
  done 2>/dev/null
  wait "$1"
}
feed() {
  while read -r length <&3 && [ "$length" -gt 0 ]; do
    dd bs="$length" count=1 iflag=fullblock <&3 2>/dev/null
  done
}
# Until the input is over; what nobody reads is dropped.
fed() {
  until gone "$1"; do
    read -r child _ <"/proc/$1/task/$1/children" && waits "$child" 1 0x1 && kill "$child"
    usleep 2000
  done 2>/dev/null
  wait "$1"
}
begin() {
  read -r pid _ </proc/self/stat
  echo "$job $pid" >"$here/pid"
  variables
  export LOCORE_FOLDER=/ LOCORE_MAY_MISS=
}
slot() {
  here=/locore/slots/$1
  mkdir -p "$here"
  while read -r word job length mode <&3; do
    [ "$word" = job ] || continue
    : >"$here/busy"
    dd bs="$length" count=1 iflag=fullblock <&3 >"$here/job" 2>/dev/null
    fed=
    if [ "$mode" = terminal ]; then
      ( begin; . "$here/job"; exec setsid -c $chroot sh -c "$launch" sh "$@" ) </dev/hvc0 >/dev/hvc0 2>&1 3<&- 4>&- 5>&- 9>&-
      status=$?
    else
      rm -f "$here/in" "$here/out" "$here/err"
      mkfifo "$here/in" "$here/out" "$here/err"
      cat <"$here/out" >&4 3<&- 5>&- 9>&- & out=$!
      cat <"$here/err" >&5 3<&- 4>&- 9>&- & errors=$!
      feed >"$here/in" 4>&- 5>&- 9>&- & fed=$!
      ( begin; . "$here/job"; exec setsid $chroot sh -c "$launch" sh "$@" ) <"$here/in" >"$here/out" 2>"$here/err" 3<&- 4>&- 5>&- 9>&-
      status=$?
      relayed $out
      relayed $errors
    fi
    echo "$job" >"$here/over"
    rm -f "$here/pid"
    echo "status $1 $status" >&9
    [ -z "$fed" ] || fed "$fed"
    rm -f "$here/busy"
    echo "free $1" >&9
  done
}
`;

const LISTENER = `
# Kills a session, and what it starts meanwhile; its leader last, so that its end is the end of all.
session() {
  kill -STOP "$1"
  for pass in 1 2 3 4 5 6 7 8 9; do
    found=
    for each in $(cat /proc/[0-9]*/stat | sed -n "s/^\\([0-9]*\\) (.*) [^Z] [0-9]* [0-9]* $1 .*/\\1/p"); do
      [ "$each" = "$1" ] || { kill -KILL "$each"; found=1; }
    done
    [ -n "$found" ] || break
  done
  kill -KILL "$1"
}
# The job may come later than the signal for it; one that never comes is not waited for.
tell() {
  here=/locore/slots/$1
  tries=0
  until read -r job pid <"$here/pid" && [ "$job" = "$2" ] && [ -n "$pid" ]; do
    read -r over <"$here/over" && [ "$over" -ge "$2" ] && return
    tries=$((tries + 1))
    [ $tries -lt 2000 ] || return
    usleep 1000
  done
  if [ "$3" = KILL ]; then session "$pid"; else kill "-$3" "-$pid" || kill "-$3" "$pid"; fi
}
# What the host says, until it ends the machine.
listen() {
  while read -r word slot job signal <&9; do
    case $word in
    signal) tell "$slot" "$job" "$signal" ;;
    slots)
      for each in ${SLOTS.join(" ")}; do
        if [ -e "/locore/slots/$each/busy" ]; then echo "busy $each"; else echo "free $each"; fi >&9
      done
      echo ready >&9
      ;;
    esac
  done 2>/dev/null
}
`;

/** From the ports, the root and the account to the first command, and for ever. */
export function execLines(): string[] {
  return [
    SLOT,
    LISTENER,
    ...SLOTS.map((slot) => `slot ${slot} 3<"$in${slot}" 4>"$out${slot}" 5>"$err${slot}" &`),
    `for each in ${SLOTS.join(" ")}; do echo "free $each" >&9; done`,
    "echo ready >&9",
    "listen &",
    "while :; do wait; sleep 1; done",
  ];
}

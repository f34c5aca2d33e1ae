/** Steps that carry bytes: all of them, from one descriptor to another, and in threads of their own. */
import { handDescriptor } from "./open-steps.js";
import { BUFFER_BYTES, INT, PLACES } from "./step-program.js";
import { Label, Step, type StepList, type Word } from "./step-list.js";
import { F_SETFD, FD_CLOEXEC, O_CLOEXEC, THREAD } from "./system-calls.js";

/** Reads or writes until so many bytes are done, the call's third argument; `lost` follows where there are no more. */
export function whole(
  list: StepList,
  name: "read" | "write",
  args: readonly [descriptor: number, address: Word, bytes: Word],
  { as = new Step(), lost }: { as?: Step; lost: Label },
): void {
  const [forward, left] = [new Step(), new Step()];
  const again = list.here();
  list.call(name, args, { as, store: forward.argument(1), value: 0, equal: lost, failed: lost });
  list.call("add", [as.argument(1), 0, 1], { as: forward });
  list.call("load", [forward.argument(1), -1], { store: left.argument(1) });
  const done = new Label();
  list.call("add", [as.argument(2), 0, -1], { as: left, value: 0, equal: done, next: again });
  list.place(done);
}

/** A pipe, whose ends get these numbers and are closed by `execve`; `failed` follows where there can be none. */
export function pipe(
  list: StepList,
  { reads, writes }: { reads: number; writes: number },
  failed: Label,
): void {
  const ends = list.words([0]);
  list.call("pipe2", [ends, O_CLOEXEC], { failed });
  for (const [at, number] of [reads, writes].entries()) {
    const [moved, closed] = [new Step(), new Step()];
    handDescriptor(list, (layout) => ends(layout) + INT * at, [moved, closed]);
    list.call("dup3", [0, number, O_CLOEXEC], { as: moved, failed });
    list.call("close", [0], { as: closed });
  }
}

/** `execve` closes it. */
export function closedByExecve(list: StepList, descriptor: number): void {
  list.call("fcntl", [descriptor, F_SETFD, FD_CLOEXEC]);
}

/** A thread of its own carries out what `body` puts there, which ends it. */
export function thread(list: StepList, body: () => void): void {
  const [begin, behind] = [new Label(), new Label()];
  list.call("clone", [THREAD], { value: 0, equal: begin, next: behind });
  list.place(begin);
  body();
  list.call("exit");
  list.place(behind);
}

/** Who carries bytes from one descriptor to another until there are no more, or nobody takes them; then it closes both. */
export interface Relay {
  from: number;
  to: number;
  /** Which of the buffers it has. */
  buffer: number;
  /** Where it says with a byte that it is over. */
  over?: number;
}

/** Starts one. */
export function relay(list: StepList, { from, to, buffer, over }: Relay): void {
  const address = PLACES.buffers + BUFFER_BYTES * buffer;
  thread(list, () => {
    const ended = new Label();
    const write = new Step();
    const next = list.here();
    list.call("read", [from, address, BUFFER_BYTES], {
      store: write.argument(2),
      value: 0,
      equal: ended,
      failed: ended,
    });
    list.set(write.argument(1), address);
    whole(list, "write", [to, 0, 0], { as: write, lost: ended });
    list.go(next);
    list.place(ended);
    list.call("close", [from]);
    list.call("close", [to]);
    if (over !== undefined) list.write(over, ".");
  });
}

/** Steps that run a program of busybox's and wait for it. */
import { RUN_PATH } from "../run-options.js";
import { PORTS } from "./descriptors.js";
import { Label, Step, type Place, type StepList } from "./step-list.js";
import { INT_MASK } from "./step-program.js";
import { F_SETFD } from "./system-calls.js";

export const BUSYBOX = "/bin/busybox";
const NOT_STARTED = 127;
const ANY = -1;

/** A child that shares the memory until it is another program: what `body` puts there, which does not come back. Its number is stored. */
export function child(
  list: StepList,
  { store, failed, body }: { store: Place; failed: Label; body: () => void },
): void {
  const [begin, behind] = [new Label(), new Label()];
  list.call("vfork", [], { value: 0, equal: begin, next: behind, failed, store });
  list.place(begin);
  body();
  list.place(behind);
}

/** Until the child ends whose number `Step.value` of what is given here gets; whoever else ends has no other parent. */
export function waitFor(list: StepList, status: Place, as: Step): void {
  const [ended, again] = [new Label(), new Label()];
  list.place(again);
  list.call("wait4", [ANY, status, 0, 0], { as, value: 0, equal: ended, failed: ended, next: again });
  list.place(ended);
}

/** Runs a program of busybox's on the console; `failed` follows if it does not end with 0. */
export function runProgram(list: StepList, words: readonly string[], failed: Label): void {
  const [wait, status] = [new Step(), list.words([-1])];
  child(list, {
    store: wait.value,
    failed,
    body: () => {
      // It may have to say why it fails.
      list.call("fcntl", [PORTS.control, F_SETFD, 0]);
      list.call("execve", [list.text(BUSYBOX), list.texts(words), list.texts([`PATH=${RUN_PATH}`])]);
      list.call("exit_group", [NOT_STARTED]);
    },
  });
  waitFor(list, status, wait);
  const fine = new Label();
  list.call("load", [status, INT_MASK], { value: 0, equal: fine, next: failed });
  list.place(fine);
}

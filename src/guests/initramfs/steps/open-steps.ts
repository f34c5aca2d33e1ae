/** Steps that open files, whose numbers the steps that use them get when they are carried out. */
import type { Label, Step, StepList, Word } from "./step-list.js";
import { INT_MASK } from "./step-program.js";

/** The number that lies at an address becomes these steps' first argument. */
export function handDescriptor(list: StepList, address: Word, users: readonly Step[]): void {
  for (const user of users) list.call("load", [address, INT_MASK], { store: user.argument(0) });
}

/** Opens a file for these steps, as their first argument; `failed` follows where it cannot be opened. */
export function openFor(
  list: StepList,
  users: readonly Step[],
  [file, flags, mode = 0]: readonly [file: string, flags: number, mode?: number],
  failed: Label,
): void {
  const descriptor = list.words([0]);
  list.call("open", [list.text(file), flags, mode], { store: descriptor, failed });
  handDescriptor(list, descriptor, users);
}

/** Steps that end the machine. */
import { RUN_FAILED } from "../run-options.js";
import { CONSOLE, PORTS } from "./descriptors.js";
import { Label, type StepList } from "./step-list.js";
import { POWER_OFF, REBOOT_MAGIC } from "./system-calls.js";

/** What is on disks first. */
export function switchOff(list: StepList): void {
  list.call("sync");
  list.call("reboot", [...REBOOT_MAGIC, POWER_OFF]);
  list.call("exit_group", [1]);
}

/** Says why to the host and on the console, and ends the machine. */
export function giveUp(list: StepList, why: string): void {
  list.write(CONSOLE, `${RUN_FAILED}${why}\n`);
  list.write(PORTS.control, `failed ${why}\n`);
  switchOff(list);
}

/** A label for what gives up, which is put behind all other steps. */
export class GivingUp {
  readonly #labels = new Map<string, Label>();
  /** What has been said already. */
  readonly silent = new Label();

  for(why: string): Label {
    const label = this.#labels.get(why) ?? new Label();
    this.#labels.set(why, label);
    return label;
  }

  finish(list: StepList): void {
    for (const [why, label] of this.#labels) {
      list.place(label);
      giveUp(list, why);
    }
    list.place(this.silent);
    switchOff(list);
  }
}

/**
 * Hardware tasks: the checks before the switch, and those in the new task.
 *
 * Specification: SDM vol. 3A §7.3, table 7-1; vol. 2 (JMP, CALL, IRET).
 */
import {
  CODE_READABLE,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  addressOf,
  ax,
  byte,
  dword,
  dx,
  eax,
  gate32,
  segmentDescriptor,
  word,
} from "../../support/asm/index.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import {
  TS,
  NP,
  SS_FAULT,
  GP,
  TYPE_TASK_GATE,
  LINK,
  EIP,
  ESP,
  CS,
  SS,
  DS,
  LDT,
  FLAG_NT,
  task,
  begin,
  busy,
  holds,
  STACKS,
} from "../support/tasks.js";
import type { Task } from "../support/tasks.js";

function refusals(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const other = task(g);
  const tss = (fields: { limit?: number; present?: boolean }): number =>
    g.descriptor(
      segmentDescriptor({
        base: other.base,
        limit: layout.TSS_LIMIT,
        type: TYPE_TSS_AVAILABLE,
        granular: false,
        ...fields,
      }),
    );
  const gate = (selector: number, present = true): number =>
    g.descriptor(gate32({ selector, offset: 0, type: TYPE_TASK_GATE, present }));
  const refused = (selector: number, vector: number, error: number, note: string, onQemu = {}): void => {
    g.fault({ vector, error, note: `JMP: ${note}`, onQemu }, () => a.jmpFar(selector, 0));
    g.fault({ vector, error, note: `CALL: ${note}`, onQemu }, () => a.callFar(selector, 0));
  };
  const absent = tss({ present: false });
  const short = tss({ limit: layout.TSS_LIMIT - 1 });
  refused(layout.TSS_SELECTOR, GP, layout.TSS_SELECTOR, "a busy task");
  refused(absent, NP, absent, "a TSS that is not present");
  refused(short, TS, short, "a TSS that is too short");
  refused(other.selector | 3, GP, other.selector, "RPL above the TSS's DPL");
  const absentGate = gate(other.selector, false);
  refused(absentGate, NP, absentGate, "a gate that is not present");
  refused(gate(0x64), GP, 0x64, "a gate to the LDT", { vector: TS });
  refused(gate(layout.KERNEL_DATA), GP, layout.KERNEL_DATA, "a gate to data");
  refused(gate(0x400), GP, 0x400, "a gate to beyond the GDT");
  refused(gate(absent), NP, absent, "a gate to a TSS that is not present");
  refused(gate(0), GP, 0, "a gate to the null descriptor");
  const back = (link: number, vector: number, error: number, note: string): void => {
    a.mov(word(layout.TSS + LINK), link)
      .pushf()
      .pop(eax)
      .or(eax, FLAG_NT)
      .push(eax)
      .popf();
    g.fault({ vector, error, note: `IRET: ${note}` }, () => a.iret());
  };
  back(0, TS, 0, "a null link");
  back(0x64, TS, 0x64, "a link to the LDT");
  back(other.selector, TS, other.selector, "a task that is not busy");
  back(layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "data");
  busy(g, layout.TSS_SELECTOR, true, "after all that the current task");
  a.str(ax);
  g.expect(ax, layout.TSS_SELECTOR, "TR has not changed");
  g.exit();
}

/** Checks that come after the switch: handlers are tasks, so that any stack will do. */
function newTaskFaults(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const bad = task(g);
  const handlers = new Map<number, Task>();
  for (const vector of [TS, NP, SS_FAULT, GP]) {
    const handler = task(g);
    handlers.set(vector, handler);
    g.gates.set(vector, { selector: handler.selector, offset: 0, type: TYPE_TASK_GATE });
  }
  const segment = (fields: Parameters<typeof segmentDescriptor>[0]): number =>
    g.descriptor(segmentDescriptor(fields));
  const absentCode = segment({ type: CODE_READABLE, big: true, present: false });
  const absentData = segment({ type: DATA_WRITABLE, big: true, present: false });
  const readOnly = segment({ type: DATA_READ_ONLY, big: true });
  const shortCode = segment({ type: CODE_READABLE, big: true, granular: false, limit: 0xfff });
  const absentLdt = segment({ type: TYPE_LDT, granular: false, limit: 7, present: false });
  const check = (field: number, value: number, vector: number, error: number, note: string): void => {
    const handler = handlers.get(vector)!;
    const label = a.fresh("handler");
    const standard = { [CS]: layout.KERNEL_CODE, [LDT]: 0 }[field] ?? layout.KERNEL_DATA;
    a.mov(dword(bad.base + field), value).mov(dword(bad.base + EIP), addressOf("target"));
    a.mov(byte(layout.GDT + bad.selector + 5), 0x89);
    a.mov(dword(handler.base + EIP), addressOf(label)).mov(dword(handler.base + ESP), STACKS + 0x8000);
    a.jmpFar(bad.selector, 0);
    const main = a.here;
    a.org(main + 0x100)
      .label(label)
      .pop(eax);
    g.expect(eax, error, `${note}: error code`);
    a.mov(dx, word(handler.base + LINK));
    g.expect(dx, bad.selector, `${note}: belongs to the new task`);
    holds(g, bad.base + EIP, "target", `${note}: whose EIP is saved`);
    a.jmpFar(layout.TSS_SELECTOR, 0);
    const next = a.here;
    a.org(main).jmp(next);
    a.org(next).mov(dword(bad.base + field), standard);
  };
  check(LDT, layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "LDTR names no LDT");
  check(LDT, 0x0c, TS, 0x0c, "LDTR names the LDT");
  check(LDT, absentLdt, TS, absentLdt, "an LDT that is not present");
  check(CS, 0, TS, 0, "a null CS");
  check(CS, layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "data as CS");
  check(CS, layout.USER_CODE32 & ~3, TS, layout.USER_CODE32 & ~3, "CS with DPL 3 and RPL 0");
  check(CS, 0x400, TS, 0x400, "CS beyond the GDT");
  check(CS, absentCode, NP, absentCode, "CS is not present");
  check(SS, 0, TS, 0, "a null SS");
  check(SS, layout.KERNEL_DATA | 3, TS, layout.KERNEL_DATA, "SS with RPL 3");
  check(SS, layout.USER_DATA_SELECTOR & ~3, TS, layout.USER_DATA_SELECTOR & ~3, "SS with DPL 3");
  check(SS, readOnly, TS, readOnly, "a read-only SS");
  check(SS, absentData, SS_FAULT, absentData, "SS is not present");
  check(DS, layout.TSS_SELECTOR, TS, layout.TSS_SELECTOR, "a TSS as DS");
  check(DS, absentData, NP, absentData, "DS is not present");
  check(DS, layout.KERNEL_DATA | 3, TS, layout.KERNEL_DATA, "DS with RPL above its DPL");
  check(CS, shortCode, GP, 0, "EIP beyond the limit of CS");
  g.exit();
  a.label("target").hlt();
}

/** What a switch of tasks is refused for. */
export function taskFaultGuests(): Guest[] {
  return [
    guest(
      "refusals before the switch",
      { mode: 32, cites: "SDM vol. 3A table 7-1; vol. 2A, JMP, IRET" },
      refusals,
    ),
    guest(
      "refusals in the new task",
      {
        mode: 32,
        cites: "SDM vol. 3A §7.3, table 7-1",
        notOnQemu: "QEMU 7.2 saves the EIP of the old task and has #TS for an absent stack; the SDM is right",
      },
      newTaskFaults,
    ),
  ];
}

/** The first steps: each start mode runs, records, faults and resumes. */
import { al, ax, cx, eax, ecx, qword, rax, rbx, rcx } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest } from "../support/guest.js";
import * as layout from "../support/layout.js";

export function smokeGuests(): Guest[] {
  return [
    guest(
      "64-bit mode: registers, memory, an exception and user mode",
      { cites: "SDM vol. 3A §6.14" },
      (g) => {
        prologue(g.a);
        g.a.mov(rax, 0x1122334455667788n).mov(qword(layout.DATA), rax).mov(rbx, qword(layout.DATA));
        g.expect(rbx, 0x1122334455667788n, "a value through memory");
        g.fault({ vector: 6, cs: layout.KERNEL_CODE, note: "UD2" }, (a) => a.ud2());
        g.user(() => {
          g.a.mov(rcx, 42);
          g.a.mov(rax, rcx);
          g.expect(rax, 42, "a value from user mode");
          g.fault(
            { vector: 13, cs: layout.USER_CODE64, ss: layout.USER_DATA_SELECTOR, note: "CLI at CPL 3" },
            (a) => a.cli(),
          );
        });
        g.expect(rax, 42, "RAX survives the way back");
        g.exit();
      },
    ),
    guest(
      "32-bit protected mode: registers, memory, an exception",
      { mode: 32, cites: "SDM vol. 3A §6.12" },
      (g) => {
        prologue(g.a);
        g.a.mov(eax, 0x12345678).add(eax, 1);
        g.expect(eax, 0x12345679, "a sum");
        g.fault({ vector: 6, cs: layout.KERNEL_CODE, note: "UD2" }, (a) => a.ud2());
        g.a.mov(ecx, 1);
        g.exit(7);
      },
    ),
    guest("real mode: registers, memory", { mode: 16, cites: "SDM vol. 3A §20.1" }, (g) => {
      g.a.mov(ax, 0x1234).mov(cx, ax).add(al, 1);
      g.expect(cx, 0x1234, "a value through registers");
      g.expect(ax, 0x1235, "a sum");
      g.exit(3);
    }),
  ];
}

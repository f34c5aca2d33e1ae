/** R1.10 Commands in a guest that has booted, as in the first start of a machine. */
import { Vm } from "../../src/vm/index.js";
import { CASE_OPTIONS, execCases } from "./exec-cases.js";

execCases(() => Vm.start({ ...CASE_OPTIONS, cold: true }));

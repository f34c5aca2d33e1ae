/** The collector of garbage, called by name: for tests of what is kept. */
import v8 from "node:v8";
import vm from "node:vm";

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc") as () => void;

/** Everything that nobody has any more is gone when it returns. What a `WeakRef` gave in this turn of the event loop stays. */
export function collectGarbage(): void {
  collect();
}

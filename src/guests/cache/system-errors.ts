/** The names of system errors by their numbers. Node's own table lacks some that disks give, as EDQUOT. */
import { constants } from "node:os";

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The name of errno(3) number `number`, e.g. "ENOSPC"; undefined for one that this system does not have. */
export function systemErrorName(number: number): string | undefined {
  return NAMES.get(number);
}

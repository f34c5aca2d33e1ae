/** The ACPI machine language as a device of one's own needs it, the `aml` of the public library. */
export {
  device,
  eisaId,
  integer,
  interruptResource,
  ioResource,
  memoryResource,
  method,
  name,
  notify,
  pack,
  resources,
  string,
} from "../firmware/acpi/aml.js";
export type { Aml } from "../firmware/acpi/aml.js";

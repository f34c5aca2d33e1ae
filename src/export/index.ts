/** A kernel and its machine for another monitor, with what is lost on the way. The one door into this folder. */
import { exportDom0less } from "./dom0less.js";
import {
  exportBhyve,
  exportCloudHypervisor,
  exportCrosvm,
  exportFirecracker,
  exportKvmtool,
  exportLibvirt,
  exportQemu,
} from "./monitors.js";
import type { Export, ExportRequest, ExportTarget } from "./request.js";
import { exportXl } from "./xl.js";

export { EXPORT_TARGETS } from "./request.js";
export { convertedNote } from "./taken-kernel.js";
export type { ConvertedFile, Export, ExportFile, ExportRequest, ExportTarget, Loss } from "./request.js";

/** Names that are a file's, a device-tree node's and a guest's at once. */
const GUEST_NAME = /^[A-Za-z][\w.-]{0,30}$/;

const TARGETS: Readonly<Record<ExportTarget, (request: ExportRequest) => Export>> = {
  xl: exportXl,
  dom0less: exportDom0less,
  qemu: exportQemu,
  firecracker: exportFirecracker,
  "cloud-hypervisor": exportCloudHypervisor,
  crosvm: exportCrosvm,
  kvmtool: exportKvmtool,
  bhyve: exportBhyve,
  libvirt: exportLibvirt,
};

/**
 * Writes the configuration that a target needs. Pure.
 * Throws FormatError for a kernel that the target does not boot; RangeError for a name or text that its syntax cannot hold.
 */
export function exportGuest(request: ExportRequest, target: ExportTarget): Export {
  if (request.name !== undefined && !GUEST_NAME.test(request.name)) {
    throw new RangeError(
      `the name "${request.name}": expected a letter, then up to 30 letters, digits, "-", "_" or "."`,
    );
  }
  return TARGETS[target](request);
}

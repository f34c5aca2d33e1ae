/** Modules of a Debian kernel of the catalogue, for an initramfs: what that kernel does not have built in. */
import type { TestContext } from "node:test";
import type { InitramfsOptions } from "../../src/guests/index.js";
import { requireGuest, requirePackages } from "./requires.js";

/** Only what only serves to install it. */
const ASSUMED = ["kmod", "linux-base", "initramfs-tools"];

/** Drivers of virtio devices on the MMIO transport, in the order in which they are loaded. */
export const VIRTIO_MODULES = ["virtio_ring", "virtio", "virtio_mmio"] as const;

/** Files of an initramfs, and the words that load them. */
export interface KernelModules {
  packages: NonNullable<InitramfsOptions["packages"]>;
  /** For sh. */
  load: string;
}

/** The modules of these names, loaded in this order, or undefined after the test was skipped. */
export async function kernelModules(
  t: TestContext,
  guest: string,
  names: readonly string[],
): Promise<KernelModules | undefined> {
  const kernel = await requireGuest(t, guest);
  if (kernel === undefined) return undefined;
  const request = { packages: [`${kernel.package}=${kernel.version}`], assume: ASSUMED };
  const packages = await requirePackages(t, request);
  if (packages === undefined) return undefined;
  const wanted = new RegExp(`^(?!.*/(${names.join("|")})\\.ko$)`);
  const paths = names.map((name) => `$(find /lib/modules -name ${name}.ko)`);
  return {
    packages: { ...packages, omit: [wanted] },
    load: paths.map((path) => `insmod ${path} || echo "insmod failed"`).join("\n"),
  };
}

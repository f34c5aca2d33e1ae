/** Packages as Debian has them, made small: what fetching guests from an archive of ours needs. */
import type { RepositoryPackage } from "./apt-repository.js";

const META = "linux-image-cloud-amd64";

/** The kernel's metapackage and the package behind it; the kernel's bytes are `kernel`. */
export function kernelPackages(revision: string, kernel = `kernel ${revision}`): RepositoryPackage[] {
  const real = `linux-image-6.1.0-${revision}-cloud-amd64`;
  return [
    { name: META, version: `6.1.${revision}-1`, depends: `kmod, ${real} (= 6.1.${revision}-1)`, files: [] },
    {
      name: real,
      version: `6.1.${revision}-1`,
      files: [
        { name: `./boot/vmlinuz-6.1.0-${revision}-cloud-amd64`, text: kernel },
        { name: `./boot/config-6.1.0-${revision}-cloud-amd64`, text: "CONFIG_PVH=y\n" },
      ],
    },
  ];
}

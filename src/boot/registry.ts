/**
 * The loaders there are. A new boot protocol is one line here; callers may add their own at run time (R1.1).
 */
import { elf32Loader, elf64Loader } from "./elf/elf.js";
import { linuxLoader } from "./linux/linux.js";
import { firmwareLoader } from "./bios/firmware.js";
import type { Loader } from "./loader.js";
import { multiboot1Loader } from "./multiboot1/multiboot1.js";
import { multiboot2Loader } from "./multiboot2/multiboot2.js";
import { pvhLoader } from "./pvh/pvh.js";

/**
 * In the order they are asked. The kernel's own entry first: it is what its makers test. Then PVH, made for machines
 * like this one (nothing of a BIOS is assumed, 64-bit module addresses). Multiboot2 before Multiboot, because it
 * carries the RSDP and where a relocated image lies. Plain ELF after them: it tells the kernel least. Firmware is
 * another kind of file.
 */
const BUILT_IN: readonly Loader[] = [
  linuxLoader,
  pvhLoader,
  multiboot2Loader,
  multiboot1Loader,
  elf64Loader,
  elf32Loader,
  firmwareLoader,
];

/** An ordered set of loaders with unique names. */
export class LoaderRegistry {
  readonly #loaders: Loader[];

  constructor(loaders: readonly Loader[] = BUILT_IN) {
    this.#loaders = [];
    for (const loader of loaders) this.register(loader);
  }

  /** Adds a loader, to be asked after those there are. Throws RangeError if the name is taken. */
  register(loader: Loader): void {
    if (this.get(loader.name) !== undefined)
      throw new RangeError(`there is a loader "${loader.name}" already`);
    this.#loaders.push(loader);
  }

  get(name: string): Loader | undefined {
    return this.#loaders.find((loader) => loader.name === name);
  }

  all(): readonly Loader[] {
    return this.#loaders;
  }
}

/**
 * A guest that Xen on ARM starts by itself, without a first domain: a device-tree fragment for /chosen, and the commands
 * that put it, Xen and the kernel on QEMU's virt machine. Text only; nothing is read or written here.
 *
 * Specification: Xen, docs/features/dom0less.pandoc and docs/misc/arm/device-tree/booting.txt; Devicetree Specification
 * 0.4; overlay syntax of dtc 1.6.
 */
import { TWO_32 } from "../bytes/words.js";
import { alignUp } from "../bytes/align.js";
import { hex } from "../bytes/hex.js";
import { FormatError } from "../formats/format-error.js";
import { checkTaken, commentText, quoted, shellWord } from "./check.js";
import {
  commonLosses,
  memoryMib,
  type Export,
  type ExportFile,
  type ExportRequest,
  type Loss,
} from "./request.js";

/** Where modules lie in the machine's memory: 160 MiB above its start, clear of Xen, which QEMU puts low. */
const MODULE_BASE = 0x4a00_0000;
const MODULE_ALIGNMENT = 0x20_0000;
const KIB_PER_MIB = 1024;
/** Memory of the machine beyond the guest's: for Xen, and the modules' first copies. */
const XEN_SHARE_MIB = 512;
const LEAST_MIB = 1024;
const XEN_ARGUMENTS = "console=dtuart dtuart=/pl011@9000000 bootscrub=0";

const MACHINES = {
  arm: {
    qemu: "qemu-system-arm",
    machine: "virt,virtualization=on",
    cpu: "cortex-a15",
    xen: "xen-4.17-armhf",
    loader: "xen-armhf",
  },
  arm64: {
    qemu: "qemu-system-aarch64",
    machine: "virt,virtualization=on,gic-version=3",
    cpu: "cortex-a57",
    xen: "xen-4.17-arm64",
    loader: "xen-arm64",
  },
} as const;

/** The fragment and the commands. Throws FormatError for a kernel that Xen does not take, RangeError for text that cannot be held. */
export function exportDom0less(request: ExportRequest): Export {
  const { image } = request.kernel;
  if (image.arch !== "arm" && image.arch !== "arm64") {
    throw new FormatError("dom0less", {
      offset: 0,
      found: image.summary,
      expected: "a kernel for ARM",
      meaning: "Xen starts guests without a first domain on ARM only.",
    });
  }
  const machine = MACHINES[image.arch];
  checkTaken(request, machine.loader);
  const name = request.name ?? "domU1";
  const lost = [...commonLosses(request), ...diskLosses(request)];
  const cpus = request.cpus ?? 1;
  const notes = [
    "the guest's console is a PL011 (vpl011) at 0x22000000, which Xen shows on its own; Ctrl-A three times switches between the two",
    ...(cpus > 1 ? ["FreeBSD's port to Xen on ARM starts one vCPU only: give it 1"] : []),
  ];
  const modules = placeModules(request);
  const source = request.fileName ?? `${name}.dts`;
  const commands = commandsFor(machine, request, source, modules);
  const text = [
    `/* ${commentText(image.summary)}`,
    ...lost.map(({ what, why }) => ` * ${commentText(`Lost: ${what} (${why})`)}`),
    ...notes.map((note) => ` * ${commentText(`Note: ${note}`)}`),
    " */",
    ...fragment(request, name, modules),
  ];
  return { target: "dom0less", file: { name: source, text: `${text.join("\n")}\n` }, commands, lost, notes };
}

interface PlacedModule extends ExportFile {
  readonly kind: "kernel" | "ramdisk";
  readonly address: number;
}

function placeModules({ kernel, initrd }: ExportRequest): PlacedModule[] {
  const first: PlacedModule = { kind: "kernel", name: kernel.name, size: kernel.size, address: MODULE_BASE };
  if (initrd === undefined) return [first];
  const address = alignUp(MODULE_BASE + kernel.size, MODULE_ALIGNMENT);
  return [first, { kind: "ramdisk", name: initrd.name, size: initrd.size, address }];
}

/** A number as two cells. */
function cells(value: number): string {
  return `${hex(Math.floor(value / TWO_32))} ${hex(value % TWO_32)}`;
}

function fragment(request: ExportRequest, name: string, modules: readonly PlacedModule[]): string[] {
  const bootargs = request.commandLine;
  const module = ({ kind, address, size }: PlacedModule): string[] => [
    `    module@${address.toString(16)} {`,
    `      compatible = "multiboot,${kind}", "multiboot,module";`,
    `      reg = <${cells(address)} ${cells(size)}>;`,
    ...(kind === "kernel" && bootargs !== undefined ? [`      bootargs = ${quoted(bootargs)};`] : []),
    "    };",
  ];
  return [
    "/dts-v1/;",
    "/plugin/;",
    "&{/chosen} {",
    "  #address-cells = <2>;",
    "  #size-cells = <2>;",
    `  xen,xen-bootargs = ${quoted(XEN_ARGUMENTS)};`,
    `  ${name} {`,
    '    compatible = "xen,domain";',
    "    #address-cells = <2>;",
    "    #size-cells = <2>;",
    `    cpus = <${request.cpus ?? 1}>;`,
    `    memory = <${cells(memoryMib(request) * KIB_PER_MIB)}>; /* KiB */`,
    "    vpl011;",
    ...modules.flatMap(module),
    "  };",
    "};",
  ];
}

function commandsFor(
  machine: (typeof MACHINES)["arm" | "arm64"],
  request: ExportRequest,
  source: string,
  modules: readonly PlacedModule[],
): string[] {
  const memory = Math.max(LEAST_MIB, memoryMib(request) + XEN_SHARE_MIB);
  const base = (options: string): string =>
    `${machine.qemu} -M ${machine.machine}${options} -cpu ${machine.cpu} -m ${memory}`;
  const overlay = shellWord(`${source.replace(/\.dts$/, "")}.dtbo`);
  // A comma in the name of a file is doubled in QEMU's options.
  const loaders = modules.map(
    (one) =>
      `-device ${shellWord(`loader,file=${one.name.replaceAll(",", ",,")},addr=${hex(one.address)},force-raw=on`)}`,
  );
  return [
    `${base(",dumpdtb=virt.dtb")} -nographic`,
    `dtc -I dts -O dtb -o ${overlay} ${shellWord(source)}`,
    `fdtoverlay -i virt.dtb -o xen.dtb ${overlay}`,
    `${base("")} -kernel ${machine.xen} -dtb xen.dtb ${loaders.join(" ")} -nographic -no-reboot`,
  ];
}

function diskLosses({ disks }: ExportRequest): Loss[] {
  const why = "paravirtual disks need a first domain that serves them";
  return (disks ?? []).map((disk) => ({ what: `disk ${disk}`, why }));
}

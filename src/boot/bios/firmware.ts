/**
 * Loader "firmware": a raw PC firmware image (SeaBIOS, qboot, OVMF) from the reset vector (R1.8). The CPU starts as after
 * power-on; what the machine has the firmware learns through fw_cfg.
 *
 * Specification: Intel SDM vol. 3A §9.1.4, table 9-1.
 */
import type { FirmwareImage } from "../../formats/firmware/firmware.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { resetState } from "../../x86/entry-states.js";
import { OptionError, type BootFault } from "../boot-error.js";
import type { BootProtocol, LoadContext, Loader } from "../loader.js";

const NAME = "firmware";

export const firmwareLoader: Loader = {
  name: NAME,
  summary: "PC firmware (SeaBIOS, qboot, OVMF) from its reset vector",
  options: {},
  recognise(image, { firmware }) {
    if (image.format !== "firmware")
      return { fits: false, fault: notFirmware(image.summary), otherFormat: true };
    if (firmware === true) return { fits: false, fault: twice(image) };
    const why = `a raw image of ${image.bytes.length / 1024} KiB whose last 16 bytes hold a ${image.jump.text}`;
    return { fits: true, why, protocol: new FirmwareBoot() };
  },
};

function notFirmware(summary: string): BootFault {
  return {
    place: { kind: "file", offset: 0 },
    found: summary,
    expected: "raw firmware: no header, and a jump 16 bytes before its end",
    meaning: "This loader takes BIOS images; to run one before a kernel, give it with -o loader.bios=FILE.",
  };
}

function twice(image: FirmwareImage): BootFault {
  return {
    place: { kind: "option", name: "loader.bios" },
    found: `a BIOS for ${image.summary}`,
    expected: "firmware alone",
    meaning: "The image is the firmware: leave loader.bios out.",
  };
}

class FirmwareBoot implements BootProtocol {
  readonly entry = "reset vector";
  readonly isFirmware = true;

  layOutMemory({ initrd }: LoadContext): void {
    if (initrd === undefined) return;
    throw new OptionError("initrd", `"${initrd.name}"`, "none", "Firmware loads what it boots by itself.");
  }

  /** EDX is the CPU's signature, which the plan fills in: the loader does not know the CPUID table. */
  describeBootCpu(): CpuState {
    return resetState(0);
  }
}

/** QEMU's firmware configuration device as a part: on a machine that starts in its firmware. */
import { PC_PORTS } from "../../spec/pc-ports.js";
import type { PartType } from "../part.js";
import { standing } from "../standing.js";
import { FwCfg, fwCfgShape, initialFwCfgState, type FwCfgState } from "./fw-cfg.js";

export const fwCfgPart: PartType<FwCfgState> = {
  type: "fw_cfg",
  summary: "what firmware is told of the machine",
  place: standing("fw_cfg", { ports: [PC_PORTS.fwCfg, PC_PORTS.fwCfgDma] }),
  state: () => fwCfgShape,
  create(_part, wires, state = initialFwCfgState()) {
    const items = new Map((wires.machine.fwCfg ?? []).map(({ key, bytes }) => [key, bytes]));
    const fwCfg = new FwCfg(items, () => wires.memory(), state);
    wires.ports(0, fwCfg.classicPorts, "whole");
    wires.ports(1, fwCfg.dmaPorts, "whole");
    return { save: () => state };
  },
};

/** The network of a machine as its user asks for it, opened before the machine is made. */
import { parseNet, parsePublished, type NetAsked } from "../cli/net-option.js";
import { openNetwork } from "../cli/network.js";
import type { HostNetwork } from "../host/node/net/host-network.js";
import type { NetRequest } from "../host/node/net/net-request.js";
import { checkFaults } from "../net/faults.js";
import type { OnConnect } from "../net/door.js";
import { inWords } from "./option-words.js";
import type { AnyVmOptions, NetInput } from "./options.js";
import { VmError } from "./vm-error.js";

/** What the guest has of it, and what its host has. */
export interface NetWish {
  readonly asked: NetAsked;
  readonly request: NetRequest;
  readonly onConnect?: OnConnect;
}

function wordsOf({ allow, hostOk, mac, mtu }: NetInput): string {
  const only = allow?.length === 0 ? ["deny=*"] : (allow ?? []).map((one) => `allow=${one}`);
  const words = ["user", ...(hostOk === true ? ["host=yes"] : []), ...only];
  if (mac !== undefined) words.push(`mac=${mac}`);
  if (mtu !== undefined) words.push(`mtu=${mtu}`);
  return words.join(",");
}

function faultsOf({ faults }: NetInput): Pick<NetRequest, "faults"> {
  if (faults === undefined) return {};
  try {
    checkFaults(faults);
  } catch (error) {
    throw new VmError("option", "net.faults", {
      found: JSON.stringify(faults),
      expected: (error as Error).message,
    });
  }
  return { faults };
}

/** Undefined: none. Throws VmError "option". */
export function netWish(net: AnyVmOptions["net"]): NetWish | undefined {
  if (net === undefined || net === false) return undefined;
  const input = typeof net === "object" ? net : {};
  const words = typeof net === "string" ? net : wordsOf(input);
  const asked = inWords("net", words, () => parseNet(words));
  if (asked === undefined) return undefined;
  const { publish = [], onConnect, pcap } = input;
  const any = {
    mtu: asked.card.mtu,
    ...(asked.faults && { faults: asked.faults }),
    ...faultsOf(input),
    ...(pcap !== undefined && { capture: pcap }),
  };
  if ("cable" in asked) return { asked, request: { ...any, cable: asked.cable } };
  const published = inWords("net.publish", publish.join(" "), () => parsePublished(publish));
  return {
    asked,
    request: { ...any, policy: asked.policy, publish: published },
    ...(onConnect && { onConnect }),
  };
}

/** What a copy of a machine is given while that one runs: its ports of this host are taken, and so is the file of its frames. */
export function netOfCopy(net: NonNullable<AnyVmOptions["net"]>): NonNullable<AnyVmOptions["net"]> {
  if (typeof net !== "object") return net;
  const { publish: _ports, pcap: _frames, ...rest } = net;
  return rest;
}

/** Opens it; `mtu` is that of a guest that knows it already. Rejects with NetError. */
export function openWish(
  { request, onConnect }: NetWish,
  mtu: number | undefined,
  say: (line: string) => void,
): Promise<HostNetwork> {
  return openNetwork(mtu === undefined ? request : { ...request, mtu }, say, onConnect);
}

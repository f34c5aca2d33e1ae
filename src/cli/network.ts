/** A machine's network, opened before the machine is made: a port that is taken is said before anything runs. */
import { netName } from "../boot/options.js";
import { netChannel } from "../host/net-channel.js";
import type { NetRequest } from "../host/node/net/net-request.js";
import type { OnConnect } from "../net/door.js";
import type { HostNetwork, NetworkEvents } from "../host/node/net/host-network.js";

/** The channel of a machine's only network. */
export const NET_CHANNEL = netChannel(netName(0));

async function makeNetwork(request: NetRequest, events: NetworkEvents): Promise<HostNetwork> {
  if ("cable" in request) {
    const { CableNetwork } = await import("../host/node/net/cable-network.js");
    return new CableNetwork(request, events);
  }
  const { UserNetwork } = await import("../host/node/net/user-network.js");
  return new UserNetwork(request, events);
}

/**
 * Opens it. Rejects with NetError. `say`: told what the network has to say, a line at a time. `onConnect`: asked about connections of a
 * network in user mode.
 */
export async function openNetwork(
  request: NetRequest,
  say: (line: string) => void,
  onConnect?: OnConnect,
): Promise<HostNetwork> {
  const network = await makeNetwork(request, {
    say: (line) => say(`locore: network: ${line}`),
    ...(onConnect && { onConnect }),
  });
  try {
    await network.opened();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}

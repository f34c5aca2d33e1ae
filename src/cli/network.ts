/** A machine's network, opened before the machine is made: a port that is taken is said before anything runs. */
import { netName } from "../boot/options.js";
import { netChannel } from "../host/net-channel.js";
import type { NetRequest } from "../host/node/net/net-request.js";
import type { UserNetwork } from "../host/node/net/user-network.js";

/** The channel of a machine's only network. */
export const NET_CHANNEL = netChannel(netName(0));

/** Opens it. Rejects with NetError. `say`: told what the network has to say, a line at a time. */
export async function openNetwork(request: NetRequest, say: (line: string) => void): Promise<UserNetwork> {
  const { UserNetwork } = await import("../host/node/net/user-network.js");
  const network = new UserNetwork(request, { say: (line) => say(`locore: network: ${line}`) });
  try {
    await network.opened();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}

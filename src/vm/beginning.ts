/** How machines begin: their network, their thread, and what is done about what goes wrong until their guest runs. Knows no user's object. */
import { isOfState, NotResumed } from "../cli/run/not-resumed.js";
import type { RunRequest } from "../cli/run/request.js";
import { machineEnd } from "../machine/end.js";
import { openWish, type NetWish } from "./network.js";
import type { AnyVmOptions } from "./options.js";
import { afterPatience, checkPatience } from "./patience.js";
import { ServingSource } from "./serving-source.js";
import { VmHost, type HostOptions, type HostSource } from "./vm-host.js";

/** How a machine is begun. */
export interface Beginning extends Pick<HostOptions, "serving" | "maxResets"> {
  options: AnyVmOptions;
  wish: NetWish | undefined;
  /** Of a guest that knows it already. */
  mtu: number | undefined;
  source: (signal: AbortSignal) => Promise<HostSource>;
}

/** How long a guest may take to serve, where nobody says something else: a host that is busy is fifty times as slow as one that is not. */
const START_PATIENCE_MS = 300_000;

/** How it is known that a machine is to end. */
function endOf(signal: AbortSignal): string {
  const { reason } = signal as { reason: unknown };
  return reason instanceof Error ? `signal: ${reason.name}` : "signal";
}

/** Starts the thread; without one its network is closed. */
async function hosted(options: HostOptions): Promise<VmHost> {
  try {
    return new VmHost(options);
  } catch (error) {
    await options.network?.close();
    throw error;
  }
}

/** Opens the network, starts the thread and runs the machine; what was begun is undone when it does not come to that. */
export async function begun({ options, wish, mtu, source, ...rest }: Beginning): Promise<VmHost> {
  const { signal, timeoutMs, startTimeoutMs = START_PATIENCE_MS, jit, onMessage = () => undefined } = options;
  checkPatience("timeoutMs", timeoutMs);
  checkPatience("startTimeoutMs", startTimeoutMs);
  signal?.throwIfAborted();
  const network = wish && (await openWish(wish, mtu, onMessage));
  const host = await hosted({ network, jit, say: onMessage, ...rest });
  const never = new AbortController();
  const stop = (): void => host.stop(machineEnd("interrupted", endOf(signal!)));
  let isRunning = false;
  try {
    const made = await source(signal ?? never.signal);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop);
    isRunning = true;
    const callOff = afterPatience(timeoutMs, () =>
      host.stop(machineEnd("timeout", "time limit", `${timeoutMs} ms`)),
    );
    const forget = (): void => {
      callOff();
      signal?.removeEventListener("abort", stop);
    };
    host.end.then(forget, forget);
    await host.begin(made, startTimeoutMs);
    signal?.throwIfAborted();
    return host;
  } catch (error) {
    if (isRunning) {
      host.stop(machineEnd("interrupted", "it did not come to serve"));
      await host.end.catch(() => undefined);
    } else await host.abandon();
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * The same of a guest that serves commands. One that was kept and does not come to serve them is thrown away, and nobody has seen anything
 * of it: its kernel is booted.
 */
export async function begunServing(
  way: Omit<Beginning, "source">,
  request: RunRequest,
): Promise<{ host: VmHost; coldReason: string | undefined }> {
  const sources = new ServingSource(request);
  let host: VmHost;
  try {
    host = await begun({ ...way, source: (signal) => sources.find(signal) });
  } catch (error) {
    if (!(error instanceof NotResumed)) throw error;
    sources.forget(error.message);
    host = await begun({ ...way, source: (signal) => sources.boot(signal) });
    return { host, coldReason: sources.coldReason };
  }
  host.end.catch((error: unknown) => {
    if (isOfState(error)) sources.forget((error as Error).message);
  });
  return { host, coldReason: sources.coldReason };
}

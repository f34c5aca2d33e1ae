/** A machine's network as the thread has it that starts the machine, whatever its frames come to. */
import type { OnConnect } from "../../../net/door.js";
import type { SessionChannel } from "../session.js";

/** What the network tells its surroundings. */
export interface NetworkEvents {
  /** A line for people. */
  say(line: string): void;
  /** Asked about each new connection of a network in user mode. */
  onConnect?: OnConnect;
}

export interface HostNetwork {
  /** The host's end of the machine's channel. */
  readonly channel: SessionChannel;
  /** Once it is there. Rejects with NetError. */
  opened(): Promise<void>;
  /** Frames for the guest go here: gives how many bytes were taken. */
  connect(give: (bytes: Uint8Array) => number): void;
  close(): Promise<void>;
}

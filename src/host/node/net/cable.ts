/** What a card's cable can lead to, besides the network in user mode: who takes whole frames and gives some. */

export interface Cable {
  /** Once it is there. Rejects with NetError. */
  open(): Promise<void>;
  /** Takes a frame of the guest's, which is whole; it is lost where there is no room. */
  send(frame: Uint8Array): void;
  /** Whether so much waits that the guest is better held back. */
  readonly isFull: boolean;
  /** What of that was taken so far, in bytes: while it grows the peer is slow, not stuck. Zero where `isFull` never is. */
  readonly taken: number;
  /** Calls back once, when it is not any more. */
  onDrain(callback: () => void): void;
  /** There is room for frames for the guest again. */
  resume(): void;
  close(): Promise<void> | void;
}

/** The guest's end, as a cable sees it. */
export interface CableUser {
  /** Takes a frame for the guest, whose bytes it may keep; false where there is no room before `Cable.resume`. */
  frame(bytes: Uint8Array): boolean;
  /** A line for people. */
  say(line: string): void;
}

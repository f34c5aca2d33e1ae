/** One request of a guest's, as whoever carries it hands it over to the server of a share: bytes to be read, then room for the reply, each in pieces. */

/** Valid until the server's `serve` returns. */
export interface ShareMessage {
  /** Bytes of the request, and room for its reply. */
  readonly readable: number;
  readonly writable: number;
  /** In how many pieces they lie. */
  readonly readablePieces: number;
  readonly writablePieces: number;
  /** Copies what is to be read from `from` on into `into`; gives how many bytes it was. */
  copyFrom(from: number, into: Uint8Array): number;
  /** Copies `bytes` to the room from `from` on, which has room for them. */
  copyTo(from: number, bytes: Uint8Array): void;
  /** Hands `visit` the bytes of the request from `from` on, `length` of them, piece by piece; stops where it gives false. */
  read(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void;
  /** The same of the room. */
  write(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void;
}

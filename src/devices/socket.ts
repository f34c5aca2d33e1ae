/** How parts find one another: a socket is offered by one part and taken by others. */

/** A place to plug in; two sockets are the same only if they are one object. `T` is what is plugged in. */
export class Socket<T> {
  declare readonly offers: T;
  /** `name`: for people, "gated timer". */
  constructor(readonly name: string) {}
}

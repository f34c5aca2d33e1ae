/** A board that is exchanged while its machine runs, for one that is made from what it saved: what a restored machine has. */
import type { Socket } from "../../src/devices/socket.js";
import { buildBoard, type Board, type BoardContext, type BoardState } from "../../src/machine/board.js";
import type { TimerQueue } from "../../src/machine/timers.js";

export interface ExchangeableBoard {
  /** For `MachineOptions.board`. */
  make: (context: BoardContext, states: BoardState) => Board;
  /** From now on the machine has a board of that generation, with the state of the one that it had. Between two slices. */
  exchange: (generation: Uint8Array | undefined) => void;
}

export function exchangeableBoard(first: Uint8Array | undefined): ExchangeableBoard {
  let context: BoardContext;
  let board: Board;
  const build = (generation: Uint8Array | undefined, states: BoardState): void => {
    board = buildBoard({ ...context, generation }, states);
  };
  const present: Board = {
    get ports() {
      return board.ports;
    },
    get mmio() {
      return board.mmio;
    },
    get apics() {
      return board.apics;
    },
    find: <T>(socket: Socket<T>) => board.find(socket),
    save: () => board.save(),
  };
  return {
    make: (given, states) => {
      context = given;
      build(first, states);
      return present;
    },
    exchange: (generation) => {
      const states = board.save();
      // The alarms of its parts; those that are made arm theirs.
      (context.timers as TimerQueue).clear();
      build(generation, states);
    },
  };
}

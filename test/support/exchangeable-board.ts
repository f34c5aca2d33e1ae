/** A board that is exchanged while its machine runs, for one that is made from what it saved: what a restored machine has. */
import type { Socket } from "../../src/devices/socket.js";
import { buildBoard, type Board, type BoardContext, type BoardState } from "../../src/machine/board.js";
import type { TimerQueue } from "../../src/machine/timers.js";

export interface ExchangeableBoard {
  /** For `MachineOptions.board`. */
  make: (context: BoardContext, states: BoardState) => Board;
  /** Between two slices: from now on the machine has another board, of this generation or the same as before. */
  exchange: (generation?: Uint8Array) => void;
}

export function exchangeableBoard(): ExchangeableBoard {
  let context: BoardContext;
  let board: Board;
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
      board = buildBoard(context, states);
      return present;
    },
    exchange: (generation = context.generation) => {
      const states = board.save();
      // The alarms of its parts; those that are made arm theirs.
      (context.timers as TimerQueue).clear();
      context = { ...context, generation };
      board = buildBoard(context, states);
    },
  };
}

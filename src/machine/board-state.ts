import type { BoardState } from "./board.js";
export function checkBoardState(_p: unknown, _t: unknown, s: BoardState): BoardState {
  return s;
}

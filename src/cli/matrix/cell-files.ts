/** The files of `--out DIR`: all output of each cell, and its kernel's messages, by a name that a file may have. */
import { accessSync, constants, mkdirSync } from "node:fs";
import path from "node:path";
import { OutputFileError } from "../failure.js";
import type { Cell } from "./plan.js";

/** What a file's name takes over from a cell's. */
const NOT_IN_NAMES = /[^A-Za-z0-9.,_=+-]+/g;
const LONGEST_NAME = 100;

export interface CellFiles {
  output: string;
  kernel: string;
}

/** Makes the folder where it is not. Throws OutputFileError. */
export function makeCellFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new OutputFileError("folder", folder, cause);
  }
}

/** A cell's files: its number, from 1, keeps names apart that differ in nothing else. `cells` is how many there are. */
export function cellFiles(folder: string, { index, name }: Cell, cells: number): CellFiles {
  const number = String(index + 1).padStart(String(cells).length, "0");
  const readable = name.replace(/ (?=\S+=)/g, ",").replace(NOT_IN_NAMES, "_");
  const base = path.join(folder, `${number}-${readable.slice(0, LONGEST_NAME)}`);
  return { output: `${base}.log`, kernel: `${base}.kernel.log` };
}

/**
 * Guest RAM from a snapshot's file, read while the engine is loaded. It is another way to the same bytes: whatever is wrong with
 * the file is found out and said where the snapshot is opened.
 */
import type { PreparedMemory } from "../../engine/contract.js";
import { WasmPreparedMemory } from "../../engine/wasm/prepared-memory.js";
import { SnapshotFile } from "../../snapshot/file.js";
import { SECTION_TYPES } from "../../snapshot/format.js";
import { memoryShape } from "../../snapshot/memory-shape.js";
import { FAST_READING, isSnapshotFile, openSnapshotFile, type OpenFile } from "./snapshot-file.js";

/** A snapshot that is being read. */
export interface EarlyPages {
  path: string;
  file: OpenFile;
  /** Memory with all of RAM in it, checked; undefined where it has to be read as ever. Never rejects. */
  memory: Promise<PreparedMemory | undefined>;
}

/** Begins to read. The file stays open for as long as the thread lives. Throws the host's errors, and SnapshotError for no file. */
export function readEarly(path: string): EarlyPages {
  const file = openSnapshotFile(path);
  return { path, file, memory: readPages(file).catch(() => undefined) };
}

async function readPages(file: OpenFile): Promise<PreparedMemory | undefined> {
  const sections = new SnapshotFile(file, FAST_READING);
  const spec = sections.value(SECTION_TYPES.plan, memoryShape);
  const memory = new WasmPreparedMemory(spec);
  const pages = sections.pagePlaces(sections.runs(spec.ranges), (address, size) =>
    memory.view(address, size),
  );
  if (pages === undefined) return undefined;
  let crc = 0;
  await file.readAside(pages.offset, pages.places, (piece) => (crc = FAST_READING.checksum(piece, crc)));
  sections.checkPages(crc);
  return memory;
}

/** Begins to read the first of these words that is a snapshot's name; undefined where none is. */
export function readFirst(words: readonly string[]): EarlyPages | undefined {
  const name = words.find(isSnapshotFile);
  try {
    return name === undefined ? undefined : readEarly(name);
  } catch {
    return undefined;
  }
}

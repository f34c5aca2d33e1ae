/**
 * Lays out what QEMU's firmware configuration device holds: numbered items and named files with their directory. Knows
 * no device and no firmware.
 *
 * Specification: QEMU docs/specs/fw_cfg.rst.
 */
import { ByteView } from "../bytes/byte-view.js";
import { FW_CFG_DIRECTORY, FW_CFG_ID, FW_CFG_KEY, FW_CFG_SIGNATURE } from "../spec/fw-cfg.js";

/** One item as the device has it. */
export interface FwCfgItem {
  /** Selector key. */
  key: number;
  /** Its name in the directory; absent for a numbered item. */
  file?: string;
  bytes: Uint8Array;
}

/** `value` as `size` little-endian bytes. */
export function littleEndian(value: number, size: 2 | 4 | 8): Uint8Array {
  const view = new ByteView(new Uint8Array(size));
  if (size === 2) view.setU16(0, value);
  else if (size === 4) view.setU32(0, value);
  else view.setU64(0, value);
  return view.bytes;
}

/**
 * Every item: signature, version, the given numbered ones, and the files with their directory. Files are numbered in the
 * order of their names, as QEMU does, so that equal sets are equal devices.
 * Throws RangeError for a name of more than 55 characters or one that is there twice.
 */
export function fwCfgItems(
  numbered: readonly FwCfgItem[],
  files: ReadonlyMap<string, Uint8Array>,
): FwCfgItem[] {
  const named = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, bytes], index): FwCfgItem => ({ key: FW_CFG_KEY.FILE_FIRST + index, file, bytes }));
  const signature = Uint8Array.from(FW_CFG_SIGNATURE, (character) => character.charCodeAt(0));
  return [
    { key: FW_CFG_KEY.SIGNATURE, bytes: signature },
    { key: FW_CFG_KEY.ID, bytes: littleEndian(FW_CFG_ID.TRADITIONAL | FW_CFG_ID.DMA, 4) },
    ...numbered,
    { key: FW_CFG_KEY.FILE_DIRECTORY, bytes: directory(named) },
    ...named,
  ];
}

function directory(files: readonly FwCfgItem[]): Uint8Array {
  const { ENTRY_SIZE, KEY_OFFSET, NAME_OFFSET, NAME_SIZE } = FW_CFG_DIRECTORY;
  const view = new ByteView(new Uint8Array(4 + files.length * ENTRY_SIZE));
  view.setU32be(0, files.length);
  files.forEach(({ key, file = "", bytes }, index) => {
    if (file.length >= NAME_SIZE) throw new RangeError(`fw_cfg file name "${file}" is too long`);
    const at = 4 + index * ENTRY_SIZE;
    view.setU32be(at, bytes.length);
    view.setU16be(at + KEY_OFFSET, key);
    view.setLatin1(at + NAME_OFFSET, file);
  });
  return view.bytes;
}

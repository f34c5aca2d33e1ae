/**
 * VMCOREINFO: a page of text in which a Linux kernel tells crash tools where its structures are and how they are laid out. Words
 * are kept as they stand: "SYMBOL(prb)" and "OFFSET(printk_info.text_len)".
 *
 * Source: Linux kernel/vmcore_info.c (crash_core.c before 6.9), Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
import { SIZE_4K } from "../../spec/x86-system.js";
import { readText, type Ram } from "../ram.js";

/** Its first word; the page begins with it. */
const FIRST = "OSRELEASE=";
const FIRST_WORD = 0x4552_534f;

/** Words and their values; undefined where there is none. */
export function findVmcoreinfo(ram: Ram): ReadonlyMap<string, string> | undefined {
  for (const { start, size } of ram.ranges)
    for (let at = Math.ceil(start / SIZE_4K) * SIZE_4K; at < start + size; at += SIZE_4K) {
      if (ram.readU32(at) !== FIRST_WORD) continue;
      const text = readText(ram, at, SIZE_4K) ?? "";
      const lines = text.split("\n").filter((line) => line.includes("="));
      if (text.startsWith(FIRST) && lines.length > 2)
        return new Map(lines.map((line): [string, string] => splitAt(line, line.indexOf("="))));
    }
  return undefined;
}

function splitAt(line: string, at: number): [string, string] {
  return [line.slice(0, at), line.slice(at + 1)];
}

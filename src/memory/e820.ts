/**
 * The memory map that the guest is shown, derived from RAM and claims (R1.6): sorted, merged, disjoint. Never
 * kept by hand, so it cannot disagree with what was placed where.
 *
 * Specification: ACPI 6.5 §15.
 */
import { alignDown } from "../bytes/align.js";
import type { E820Entry, E820Type } from "../spec/e820.js";
import { SIZE_4K } from "../spec/x86-system.js";
import type { Aside, Region, RegionMap } from "./regions.js";

/** A stretch of addresses and what the map says there; `undefined` leaves it out. */
interface Paint {
  start: number;
  end: number;
  type: E820Type | undefined;
}

/**
 * Derives the map: RAM is "ram" except where a claim says otherwise; holes inside RAM are left out; claims
 * that the guest may reuse (type "ram") do not show, also where they lie in what was set aside.
 */
export function deriveE820(map: RegionMap): E820Entry[] {
  const over: Paint[] = [
    ...map.asides().flatMap((aside) => unclaimed(aside, map.regions())),
    ...map
      .regions()
      .filter((region) => region.e820 !== "ram")
      .map((region): Paint => ({ start: region.start, end: region.start + region.size, type: region.e820 })),
    ...map
      .holes()
      .map((hole): Paint => ({ start: hole.start, end: hole.start + hole.size, type: undefined })),
  ].sort((a, b) => a.start - b.start);
  const stretches: Paint[] = [];
  for (const range of map.ram) {
    let cursor = range.start;
    const end = range.start + range.size;
    for (const paint of over) {
      if (paint.end <= cursor || paint.start >= end) continue;
      if (paint.start > cursor) stretches.push({ start: cursor, end: paint.start, type: "ram" });
      stretches.push(paint);
      cursor = paint.end;
    }
    if (cursor < end) stretches.push({ start: cursor, end, type: "ram" });
  }
  return merge(stretches);
}

/**
 * What is left of memory that was set aside; not what lies between two claims of RAM in one page, or a kernel of many
 * small pieces would fill the map. `regions` ascend.
 */
function unclaimed({ start, size, e820 }: Aside, regions: readonly Region[]): Paint[] {
  const left: Paint[] = [];
  let cursor = start;
  let pageOfRam: number | undefined;
  for (const region of regions) {
    const end = region.start + region.size;
    if (end <= cursor || region.start >= start + size) continue;
    const within = region.e820 === "ram" && alignDown(region.start, SIZE_4K) === pageOfRam;
    if (region.start > cursor && !within) left.push({ start: cursor, end: region.start, type: e820 });
    cursor = end;
    pageOfRam = region.e820 === "ram" ? alignDown(end - 1, SIZE_4K) : undefined;
  }
  if (cursor < start + size) left.push({ start: cursor, end: start + size, type: e820 });
  return left;
}

/** Joins neighbours of one type and drops what is left out. */
function merge(stretches: readonly Paint[]): E820Entry[] {
  const entries: E820Entry[] = [];
  for (const { start, end, type } of stretches) {
    if (type === undefined) continue;
    const last = entries.at(-1);
    if (last !== undefined && last.type === type && last.start + last.size === start) {
      last.size += end - start;
    } else {
      entries.push({ start, size: end - start, type });
    }
  }
  return entries;
}

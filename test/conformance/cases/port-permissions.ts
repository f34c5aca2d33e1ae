/**
 * The I/O permission map at its edges: where it ends, accesses that straddle bytes, maps that are not there, IOPL.
 *
 * Specification: SDM vol. 1 §19.5.2 (I/O permission bit map); vol. 2 (IN, OUT).
 */
import { TYPE_TSS_AVAILABLE, cx, ecx, edx, systemDescriptor64 } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const GP = 13;
const MAP = 0x68;
const TSS_RSP0 = 4;
const TSS_IO_BASE = 0x66;
/** The TSSs of this guest, far enough apart for a whole map. */
const PLACE = layout.DATA + 0x4000;
const STRIDE = 0x4000;
const PORTS = 0x10000;

interface Map {
  /** Last byte of the TSS. */
  limit: number;
  base?: number;
  /** Ports that are refused. */
  closed?: number[];
}

type Width = 8 | 16 | 32;

/** Tries an IN at CPL 3; the byte behind the map's end holds zeros, so that only the limit refuses. */
function tries(
  g: GuestBuilder,
  map: Map,
  index: number,
  accesses: readonly [Width, number, boolean][],
  name: string,
): void {
  const { a } = g;
  const place = PLACE + index * STRIDE;
  const bytes = new Uint8Array(MAP + PORTS / 8 + 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(TSS_RSP0, layout.RSP0_TOP, true);
  view.setUint16(TSS_IO_BASE, map.base ?? MAP, true);
  for (const port of map.closed ?? []) bytes[MAP + (port >> 3)] |= 1 << (port & 7);
  g.data(place, bytes);
  const tss = g.descriptor(
    ...systemDescriptor64({ base: place, limit: map.limit, type: TYPE_TSS_AVAILABLE }),
  );
  a.mov(ecx, tss).ltr(cx);
  g.user(() => {
    for (const [width, port, allowed] of accesses) {
      a.mov(edx, port);
      const note = `${name}: ${width} bits at port 0x${port.toString(16)}`;
      if (allowed) a.in(width, "dx");
      else g.fault({ vector: GP, error: 0, note }, () => a.in(width, "dx"));
    }
  });
}

function edges(g: GuestBuilder): void {
  prologue(g.a);
  const closed = [9, 24, 39];
  const short = MAP + 8;
  tries(
    g,
    { limit: short, closed },
    0,
    [
      [8, 8, true],
      [8, 9, false],
      [16, 8, false],
      [16, 7, true],
      [32, 5, true],
      [32, 6, false],
      [32, 21, false],
      [32, 20, true],
      [16, 38, false],
      [8, 38, true],
      [16, 40, true],
      [8, 63, true],
      [16, 62, true],
      [16, 63, true],
      [32, 60, true],
      [8, 64, false],
      [32, 64, false],
    ],
    "a map of nine bytes",
  );
  tries(g, { limit: MAP }, 1, [[8, 0, false]], "a map of one byte");
  tries(
    g,
    { limit: MAP + 1 },
    2,
    [
      [8, 0, true],
      [8, 7, true],
      [8, 8, false],
    ],
    "a map of two bytes",
  );
  tries(g, { limit: MAP + 8, base: MAP + 9 }, 3, [[8, 0, false]], "a map behind the limit");
  tries(
    g,
    { limit: MAP + 8, base: 0xffff },
    4,
    [
      [8, 0, false],
      [32, 0x1234, false],
    ],
    "no map",
  );
  const whole = MAP + PORTS / 8;
  tries(
    g,
    { limit: whole, closed: [0xffff] },
    5,
    [
      [8, 0xfffe, true],
      [8, 0xffff, false],
      [16, 0xfffe, false],
    ],
    "all ports",
  );
  tries(
    g,
    { limit: whole - 1 },
    6,
    [
      [8, 0xfff7, true],
      [8, 0xfff8, false],
    ],
    "all ports without the last byte",
  );
  tries(g, { limit: MAP - 1 }, 7, [[8, 0, false]], "a TSS that ends before its map");
  g.exit();
}

export function portPermissionGuests(): Guest[] {
  return [guest("the permission map at its edges", { cites: "SDM vol. 1 §19.5.2" }, edges)];
}

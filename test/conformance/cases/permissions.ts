/**
 * The permission matrix: rights of a page and of the level above it × CR0.WP, SMEP, SMAP, NXE, RFLAGS.AC × CPL ×
 * kind of access, in 4-level, PAE and 32-bit paging, for every size of page. Expectations come from `access-model.ts`.
 *
 * Specification: SDM vol. 3A §4.3–4.8.
 */
import {
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  cr0,
  cr3,
  cr4,
  cx,
  eax,
  ecx,
  segmentDescriptor,
} from "../../support/asm/index.js";
import { CR0_WP, CR4_SMAP, CR4_SMEP, EFER_NXE, FLAG_AC, KINDS, judge } from "../support/access-model.js";
import type { Controls, Format, Kind } from "../support/access-model.js";
import {
  LDT_LIMIT,
  TSS_LIMIT,
  TSS_SIZE,
  emitRows,
  expectRow,
  pageContents,
  rowGates,
  touched,
} from "../support/access-rows.js";
import type { Page, Row } from "../support/access-rows.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { A, NX, P, PS, RW, US } from "../support/page-tables.js";

const ALL = P | RW | US;
const NOT_PRESENT = RW | US;
/** Beyond the 48 bits that CPUID shows. */
const BEYOND_MAXPHYADDR = 1n << 51n;
const TSS_IO_BASE = 0x66;
const TSS_STACK0 = 4;
const TSS32_SS0 = 8;
const CR0_BASE = 0x33;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const CR4_SSE = 0x600;
const EFER_LONG = 0x501;
/** Where the page and the TSS before it lie in memory. */
const FRAME = 0xc00000;
const TSS_FRAME = 0x280000;
/** The tables of 32-bit guests. */
const ROOT = 0x300000;
const TEST_TABLE = 0x301000;
const TSS_TABLE = 0x302000;
const TEST_DIRECTORY = 0x303000;
const LOW_DIRECTORY = 0x304000;
/** The page of 32-bit guests: the first one of its directory entry and its directory. */
const TEST = 0x40000000;
/** An entry that no translation uses, where there is no upper one with rights. */
const UNUSED_ENTRY = 0x305000;

/** A size of page in a format. */
interface Setting {
  format: Format;
  size: string;
  /** Flags of the leaf that do not vary. */
  fixed: bigint;
  /** Whether the entry above has rights. */
  upper: boolean;
  /** Whether the page before it can hold a TSS. */
  tss: boolean;
  /** Writes the tables. */
  build(g: GuestBuilder): Page;
}

/** Which part of the matrix a guest shows: QEMU departs from the manual in all but the first. */
const PARTS = ["rights", "updates", "reserved bits", "AC and implicit accesses"] as const;
type Part = (typeof PARTS)[number];

interface Rights {
  leaf: bigint;
  upper: bigint;
}

interface Cell extends Rights {
  controls: Controls;
  kind: Kind;
  user: boolean;
}

function long(level: number, linear: bigint, offset = 0): (g: GuestBuilder) => Page {
  return ({ tables }) => {
    const leafAddress = tables.map(linear, FRAME - offset, ALL, level, ALL);
    if (offset === 0) tables.map(linear - 0x1000n, TSS_FRAME, P | RW);
    return {
      linear: linear + BigInt(offset),
      frame: FRAME,
      leafAddress,
      leaf: BigInt(FRAME - offset),
      upperAddress: tables.entry(linear, level + 1),
      upper: tables.value(tables.entry(linear, level + 1)) & ~ALL,
    };
  };
}

/** PAE and 32-bit paging: RAM identity-mapped by large pages, the test page, the page of the TSS before it. */
function legacy(format: Format, large: boolean): (g: GuestBuilder) => Page {
  return (g) => {
    const pae = format === "PAE";
    const entry = pae ? 8 : 4;
    const shift = pae ? 21 : 22;
    const put = (address: number, value: bigint): void => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      g.data(address, bytes.subarray(0, entry));
    };
    const low = pae ? LOW_DIRECTORY : ROOT;
    const directory = pae ? TEST_DIRECTORY : ROOT;
    const mask = pae ? 0x1ff : 0x3ff;
    if (pae) g.words(ROOT, BigInt(LOW_DIRECTORY) | P, BigInt(TEST_DIRECTORY) | P);
    for (let at = 0; at < layout.RAM_SIZE; at += 1 << shift) {
      const user = at === (layout.USER_CODE & -(1 << shift)) ? US : 0n;
      put(low + entry * (at >>> shift), BigInt(at) | P | RW | PS | user);
    }
    put(low + entry * (((TEST - 1) >>> shift) & mask), BigInt(TSS_TABLE) | P | RW);
    put(TSS_TABLE + entry * mask, BigInt(TSS_FRAME) | P | RW);
    const directoryEntry = directory + entry * ((TEST >>> shift) & mask);
    g.a.mov(eax, (pae ? CR4_PAE : CR4_PSE) | CR4_SSE).movSystem(cr4, eax);
    g.a
      .mov(eax, ROOT)
      .movSystem(cr3, eax)
      .mov(eax, CR0_BASE | CR0_PG)
      .movSystem(cr0, eax);
    const place = { linear: BigInt(TEST), frame: FRAME, leaf: BigInt(FRAME) };
    return large
      ? { ...place, leafAddress: directoryEntry, upperAddress: UNUSED_ENTRY, upper: 0n }
      : { ...place, leafAddress: TEST_TABLE, upperAddress: directoryEntry, upper: BigInt(TEST_TABLE) };
  };
}

const SETTINGS: readonly Setting[] = [
  { format: "4-level", size: "4 KiB", fixed: 0n, upper: true, tss: true, build: long(1, 0x5020_0000n) },
  { format: "4-level", size: "2 MiB", fixed: PS, upper: true, tss: true, build: long(2, 0x1_0000_0000n) },
  {
    format: "4-level",
    size: "1 GiB",
    fixed: PS,
    upper: true,
    tss: false,
    build: long(3, 0x100_0000_0000n, FRAME),
  },
  { format: "PAE", size: "4 KiB", fixed: 0n, upper: true, tss: true, build: legacy("PAE", false) },
  { format: "PAE", size: "2 MiB", fixed: PS, upper: false, tss: true, build: legacy("PAE", true) },
  { format: "32-bit", size: "4 KiB", fixed: 0n, upper: true, tss: true, build: legacy("32-bit", false) },
  { format: "32-bit", size: "4 MiB", fixed: PS, upper: false, tss: true, build: legacy("32-bit", true) },
];

const BOTH = [false, true];

/** The entries to try: every right of the leaf under an upper entry that withholds one right at a time. */
function rightsOf(setting: Setting): Rights[] {
  const xds = setting.format === "32-bit" ? [0n] : [0n, NX];
  const leaves = [NOT_PRESENT];
  for (const us of [0n, US]) for (const rw of [0n, RW]) for (const xd of xds) leaves.push(P | us | rw | xd);
  const uppers = setting.upper ? [ALL, P | RW, P | US, NOT_PRESENT] : [ALL];
  if (setting.upper && setting.format !== "32-bit") uppers.push(ALL | NX);
  return leaves.flatMap((leaf) => uppers.map((upper) => ({ leaf, upper })));
}

/** The entries with a reserved bit: beyond MAXPHYADDR, at either level, and XD while EFER.NXE is clear. */
function reservedOf(setting: Setting): Rights[] {
  if (setting.format === "32-bit") return [];
  return [ALL, P, P | RW, ALL | NX].flatMap((leaf) => [
    { leaf: leaf | BEYOND_MAXPHYADDR, upper: ALL },
    { leaf: NOT_PRESENT | BEYOND_MAXPHYADDR, upper: ALL },
    ...(setting.upper
      ? [
          { leaf, upper: ALL | BEYOND_MAXPHYADDR },
          { leaf, upper: ALL | NX },
        ]
      : []),
    { leaf, upper: ALL },
  ]);
}

const CONTROLS: readonly Controls[] = Array.from({ length: 32 }, (_, i) => ({
  wp: (i & 1) !== 0,
  smep: (i & 2) !== 0,
  smap: (i & 4) !== 0,
  nxe: (i & 8) !== 0,
  ac: (i & 16) !== 0,
}));

/** What the bits of the entries make of a cell, whatever is done to the page. */
function reservedIn({ leaf, upper }: Rights): { beyond: boolean; noExecute: boolean } {
  const seen = (upper & P ? upper : 0n) | (upper & leaf & P ? leaf : 0n);
  return { beyond: (seen & BEYOND_MAXPHYADDR) !== 0n, noExecute: (seen & NX) !== 0n };
}

function partOf(reserved: boolean, controls: Controls, kind: Kind, user: boolean): Part {
  if (reserved) return "reserved bits";
  if (kind === "update") return "updates";
  const implicit = kind.startsWith("implicit");
  return implicit && controls.ac && controls.smap && !user ? "AC and implicit accesses" : "rights";
}

/** Every n-th cell of a part. */
function cellsOf(setting: Setting, part: Part, every: number): Cell[] {
  const cells: Cell[] = [];
  let count = 0;
  for (const rights of part === "reserved bits" ? reservedOf(setting) : rightsOf(setting)) {
    const { beyond, noExecute } = reservedIn(rights);
    for (const controls of CONTROLS) {
      const reserved = beyond || (noExecute && !controls.nxe);
      for (const kind of KINDS) {
        for (const user of BOTH) {
          // Level 0 asks no permission map.
          if (kind === "port map" && !(user && setting.tss)) continue;
          if (partOf(reserved, controls, kind, user) !== part) continue;
          if (count++ % every === 0) cells.push({ ...rights, controls, kind, user });
        }
      }
    }
  }
  return cells;
}

function describe({ leaf, upper, controls, kind, user }: Cell): string {
  const on = Object.entries(controls).flatMap(([name, set]) => (set ? [name] : []));
  const entries = `leaf ${leaf.toString(16)} under ${upper.toString(16)}`;
  return `${kind} at CPL ${user ? 3 : 0}, ${entries}, ${on.join(" ") || "nothing set"}`;
}

function rowOf(setting: Setting, page: Page, cell: Cell): Row {
  const { controls } = cell;
  const paging = setting.format === "32-bit" ? CR4_PSE : CR4_PAE;
  return {
    leaf: page.leaf | setting.fixed | cell.leaf,
    upper: page.upper | cell.upper,
    cr0: CR0_BASE | CR0_PG | (controls.wp ? CR0_WP : 0),
    cr4: paging | CR4_SSE | (controls.smep ? CR4_SMEP : 0) | (controls.smap ? CR4_SMAP : 0),
    efer: (setting.format === "4-level" ? EFER_LONG : 0) | (controls.nxe ? EFER_NXE : 0),
    flags: controls.ac ? FLAG_AC : 0,
    kind: cell.kind,
    user: cell.user,
  };
}

function expectCell(
  g: GuestBuilder,
  setting: Setting,
  page: Page,
  index: number,
  cell: Cell,
  row: Row,
): void {
  const { format } = setting;
  const entries = setting.upper ? [row.upper, row.leaf] : [row.leaf];
  const reserved = format === "32-bit" ? 0n : BEYOND_MAXPHYADDR;
  const { error, leafGains } = judge({ ...cell, format, entries, reserved });
  const through = error === undefined;
  const want = {
    error,
    cr2: page.linear + touched(cell.kind),
    cr2Mask: cell.kind === "implicit write" ? ~0xfffn : ~0n,
    leaf: row.leaf | leafGains,
    upper: through && setting.upper ? row.upper | A : row.upper,
    // Whether a walk that ends in a fault marks its entries as accessed is left open; D must stay clear.
    mask: through ? ~0n : ~A,
  };
  expectRow(g, index, want, describe(cell));
}

/** The TSS before the page, whose permission map the page is, and an LDT in the page. */
function systemSegments(g: GuestBuilder, page: Page, tss: boolean): void {
  const { a } = g;
  const view = new DataView(new ArrayBuffer(TSS_SIZE));
  view.setUint32(TSS_STACK0, layout.RSP0_TOP, true);
  if (g.mode === 32) view.setUint16(TSS32_SS0, layout.KERNEL_DATA, true);
  view.setUint16(TSS_IO_BASE, TSS_SIZE, true);
  g.data(TSS_FRAME + 0x1000 - TSS_SIZE, new Uint8Array(view.buffer));
  const declare = (base: bigint, limit: number, type: number): number => {
    const low = segmentDescriptor({ base: Number(base & 0xffffffffn), limit, type, granular: false });
    return g.mode === 64 ? g.descriptor(low, base >> 32n) : g.descriptor(low);
  };
  const task = declare(page.linear - BigInt(TSS_SIZE), TSS_LIMIT, TYPE_TSS_AVAILABLE);
  const table = declare(page.linear, LDT_LIMIT, TYPE_LDT);
  if (tss) a.mov(ecx, task).ltr(cx);
  a.mov(ecx, table).lldt(cx);
}

function matrix(setting: Setting, part: Part, every: number): (g: GuestBuilder) => void {
  return (g) => {
    rowGates(g);
    prologue(g.a);
    const page = setting.build(g);
    pageContents(g, page.frame);
    systemSegments(g, page, setting.tss);
    const cells = cellsOf(setting, part, every);
    const rows = cells.map((cell) => rowOf(setting, page, cell));
    cells.forEach((cell, i) => expectCell(g, setting, page, i, cell, rows[i]));
    emitRows(g, page, rows);
    g.exit();
  };
}

const CITES: Record<Part, string> = {
  rights: "SDM vol. 3A §4.6.1, §4.7, §4.8",
  updates: "SDM vol. 3A §4.7; §8.1.2 (bus locking)",
  "reserved bits": "SDM vol. 3A §4.5, §4.7",
  "AC and implicit accesses": "SDM vol. 3A §4.6, §4.6.1",
};
const NOT_ON_QEMU: Partial<Record<Part, string>> = {
  updates:
    "QEMU 7.2 with one CPU reads first and reports that; a read-modify-write is a write from the start",
  "reserved bits": "QEMU 7.2 reports RSVD without P; the SDM says that RSVD is only set where P is",
  "AC and implicit accesses":
    "QEMU 7.2 lets AC open user pages to accesses to descriptor tables; by the SDM it concerns explicit ones only",
};

/** The matrix as guests; `every` n-th cell of it. */
export function permissionGuests(every: number): Guest[] {
  return SETTINGS.flatMap((setting) =>
    PARTS.flatMap((part) => {
      if (part === "reserved bits" && setting.format === "32-bit") return [];
      const notOnQemu = NOT_ON_QEMU[part];
      const options = {
        mode: setting.format === "4-level" ? (64 as const) : (32 as const),
        cites: CITES[part],
        ...(notOnQemu === undefined ? {} : { notOnQemu }),
      };
      return [guest(`${setting.format}, ${setting.size}: ${part}`, options, matrix(setting, part, every))];
    }),
  );
}

/** What each pass of the region compiler made, as text: for dumps and golden tests. Knows no pass. */
import { printFunction } from "../ir/print.js";
import { HANDLER_SIGNATURE } from "../wasm/handler-builder.js";
import { disassemble } from "../wasm/disassemble.js";
import { PAGE_SIZE } from "../x86/layout.js";
import type { Dataflow } from "./dataflow.js";
import type { DecodedRecord } from "./decoded-record.js";
import type { FlagEntry } from "./flag-entries.js";
import type { Pending } from "./flags.js";
import type { NodeEnd, RegionGraph, RegionNode } from "./graph.js";
import type { Listing } from "./listing.js";
import type { Order } from "./order.js";
import { recordText } from "./record-text.js";
import type { NodeCode } from "./region-builder.js";
import type { Destination, Stub } from "./region-exits.js";
import { bitsOf, REGISTER_NAMES } from "./registers.js";

/** Hears what a pass made; `text` is only called when it is wanted. */
export type PassObserver = (pass: string, text: () => string) => void;

const lines = (list: readonly string[]): string => list.map((line) => `${line}\n`).join("");
const nodeName = (node: number): string => `n${node}`;
const nodeNames = (nodes: Iterable<number>): string => [...nodes].map(nodeName).join(" ") || "none";

function place(pageDistance: number, offset: number): string {
  const at = pageDistance + offset;
  return at < 0 ? `-0x${(-at).toString(16)}` : `+0x${at.toString(16)}`;
}

function endText(end: NodeEnd): string {
  if (end.kind === "next") return `on to ${nodeName(end.node)}`;
  return end.kind === "leave" ? "leaves for what follows" : "ends in a transfer";
}

function nodeLines(graph: RegionGraph, node: RegionNode, index: number): string[] {
  const marks = [node.entry && "entry", !node.open && "copy"].filter(Boolean).join(", ");
  return [
    `${nodeName(index)}${marks ? ` (${marks})` : ""}: ${endText(node.end)}`,
    ...node.records.map((record) => {
      const targets = graph.targets.get(record);
      const to = targets ? ` → ${targets.map(nodeName).join(" ")}` : "";
      return `  ${place(node.page.distance, record.offset)}  ${recordText(record)}${to}`;
    }),
  ];
}

/** Nodes with their instructions; places are relative to the page of the first node. */
export function graphText(graph: RegionGraph): string {
  return lines(graph.nodes.flatMap((node, i) => nodeLines(graph, node, i)));
}

/** Edges that go back, and how. */
function backEdges(order: Order, successors: readonly (readonly number[])[]): string[] {
  const edges = order.sequence.flatMap((from) => successors[from].map((to) => ({ from, to })));
  return edges
    .map(({ from, to }) => ({ text: `${nodeName(from)} → ${nodeName(to)}`, kind: order.kind(from, to) }))
    .filter(({ kind }) => kind !== "forward")
    .map(
      ({ text, kind }) => `${text} ${kind === "loop" ? "continues the loop" : "goes through the dispatcher"}`,
    );
}

/** The sequence, what control enters and goes back to, and how many instructions each look at the budget covers. */
export function orderText(order: Order, successors: readonly (readonly number[])[]): string {
  const children = order.children.map((below, i) => ({ i, below })).filter(({ below }) => below.length > 0);
  return lines([
    `sequence: ${nodeNames(order.sequence)}`,
    `entered from the root: ${nodeNames(order.rootTargets)}`,
    `loops: ${nodeNames(order.loopHeads)}`,
    `dominated by the root: ${nodeNames(order.rootChildren)}`,
    ...children.map(({ i, below }) => `dominated by ${nodeName(i)}: ${nodeNames(below)}`),
    ...backEdges(order, successors),
    ...[...order.checks].map(([node, most]) => `${nodeName(node)} needs a budget of ${most}`).sort(),
  ]);
}

/** In which form each node finds the flags. */
export function flagsText(entries: readonly FlagEntry[]): string {
  return lines(entries.map((entry, i) => `${nodeName(i)}: ${entry}`));
}

function registers(mask: number): string {
  return `{${bitsOf(mask)
    .map((bit) => REGISTER_NAMES[bit])
    .join(" ")}}`;
}

function pendingText({ source, size, plain, change, changeSize }: Pending): string {
  const by = `by ${source} of ${size} bytes${plain ? " without carry" : ""}`;
  return change === "none" ? by : `${by}, then ${change} of ${changeSize}`;
}

function destinationText(destination: Destination): string {
  const at = ({ offset }: DecodedRecord): string => `0x${(offset % PAGE_SIZE).toString(16)}`;
  switch (destination.kind) {
    case "interpret":
      return `the interpreter${destination.tail ? " for the rest of the slice" : ""} at ${at(destination.record)}`;
    case "record":
      return "code outside";
    case "target":
      return "the address in target";
  }
}

function stubText({ label, destination, completed, pending, changed, defined, chained }: Stub): string {
  const to = `${destinationText(destination)}${chained ? " by the chain" : ""}`;
  return `  ${label.name}: to ${to} after ${completed}, changed ${registers(changed)}, certainly ${registers(defined)}, flags ${pendingText(pending)}`;
}

function codeLines(node: NodeCode, index: number): string[] {
  const f = { name: nodeName(index), signature: HANDLER_SIGNATURE, body: node.statements };
  const ir = printFunction(f).trimEnd().split("\n").slice(1);
  return [
    `${nodeName(index)}: reads ${registers(node.used)}`,
    ...ir,
    ...node.edges.map(
      ({ to, changed, defined }) =>
        `  on to ${nodeName(to)}, changed ${registers(changed)}, certainly ${registers(defined)}`,
    ),
    ...node.stubs.map(stubText),
  ];
}

/** Each node's code, the ways on and the ways out. */
export function nodesText(nodes: readonly NodeCode[]): string {
  return lines(nodes.flatMap(codeLines));
}

/** What must be loaded for a node that is entered, and what each way out writes back. */
export function flowText(flow: Dataflow, nodes: readonly NodeCode[]): string {
  return lines(
    nodes.flatMap((node, i) => [
      `${nodeName(i)}: needs ${registers(flow.live[i])}`,
      ...node.stubs.map((stub) => `  ${stub.label.name} writes back ${registers(flow.dirty(i, stub))}`),
    ]),
  );
}

/** What a pass made of a region, as text. */
export interface PassText {
  readonly pass: string;
  readonly text: string;
}

/** A region as the compiler saw it on its way: its instructions, what each pass made, a module with it alone. */
export interface RegionDump {
  readonly listing: Listing;
  readonly passes: readonly PassText[];
  readonly wasm: Uint8Array;
}

/** A dump as one text; the instructions' bytes are taken from `ram`. */
export function dumpText({ listing, passes, wasm }: RegionDump, ram: Uint8Array): string {
  const section = (title: string, text: string): string => `── ${title} ──\n${text}\n`;
  return [
    section("guest", lines(listing.lines(ram))),
    ...passes.map(({ pass, text }) => section(pass, text)),
    section("wasm", lines(disassemble(wasm))),
  ].join("");
}

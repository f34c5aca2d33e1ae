/** extlinux.conf and syslinux.cfg: the label that is the default. A timeout and menus are for people who watch. */
import { volumeName } from "../disk.js";
import { readText, wholeEntry, type BootEntry, type ReadableVolume, type Search } from "./entry.js";

/** Where the programs look, relative to the volume. */
const PLACES = [
  ...["/extlinux.conf", "/extlinux/extlinux.conf", "/boot/extlinux.conf", "/boot/extlinux/extlinux.conf"],
  ...["/syslinux.cfg", "/syslinux/syslinux.cfg", "/boot/syslinux.cfg", "/boot/syslinux/syslinux.cfg"],
  ...["/isolinux/isolinux.cfg", "/boot/isolinux/isolinux.cfg", "/EFI/syslinux/syslinux.cfg"],
];
/** Files in files in files, as syslinux bounds them. */
const DEEPEST = 16;
/** Files that are read in all. */
const MOST_FILES = 64;
const MOST_LABELS = 256;
/** Programs of syslinux itself: menus. */
const OWN_PROGRAM = /\.(c32|com|cbt|0|bin|bs|bss|img)$/i;

interface Label {
  name: string;
  title?: string;
  kernel?: string;
  initrds: string[];
  append?: string;
  isDefault: boolean;
}

interface Config {
  labels: Label[];
  byDefault?: string;
  append?: string;
}

/** The label that would be booted; undefined where no configuration has one that can be. */
export function findExtlinux(search: Search): BootEntry | undefined {
  for (const volume of search.volumes) {
    for (const path of PLACES) {
      const text = readText(search, volume, path);
      if (text === undefined) continue;
      const config: Config = { labels: [] };
      new Reader(search, volume, path, config).read(text, 0);
      const found = choose(search, volume, path, config);
      if (found !== undefined) return found;
      search.note(`${path} of ${volumeName(volume.volume)} has no label that can be booted`);
    }
  }
  return undefined;
}

class Reader {
  #label: Label | undefined;
  #files = 0;

  constructor(
    readonly search: Search,
    readonly volume: ReadableVolume,
    readonly path: string,
    readonly config: Config,
  ) {}

  read(text: string, depth: number): void {
    for (const line of text.split("\n")) {
      const [, word, rest] = /^(\S+)\s*(.*)$/.exec(line.trim()) ?? [];
      if (word === undefined || word.startsWith("#")) continue;
      this.#line(word.toLowerCase(), rest, depth);
    }
  }

  #line(word: string, rest: string, depth: number): void {
    const label = this.#label;
    switch (word) {
      case "default":
        this.config.byDefault = rest;
        return;
      case "label":
        this.#start(rest);
        return;
      case "kernel":
      case "linux":
        if (label !== undefined) label.kernel = rest;
        return;
      case "initrd":
        label?.initrds.push(...rest.split(",").map((path) => path.trim()));
        return;
      case "append":
        if (label === undefined) this.config.append = rest;
        else label.append = rest;
        return;
      case "include":
        this.#include(rest, depth);
        return;
      case "menu":
        this.#menu(rest, depth);
    }
  }

  #start(name: string): void {
    if (this.config.labels.length >= MOST_LABELS) {
      this.#label = undefined;
      return;
    }
    this.#label = { name, initrds: [], isDefault: false };
    this.config.labels.push(this.#label);
  }

  #menu(rest: string, depth: number): void {
    const [, word, value] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
    switch (word?.toLowerCase()) {
      case "default":
        if (this.#label !== undefined) this.#label.isDefault = true;
        return;
      case "label":
        // ^ marks the key that chooses it.
        if (this.#label !== undefined) this.#label.title = value.replace("^", "");
        return;
      case "include":
        this.#include(value, depth);
    }
  }

  #include(rest: string, depth: number): void {
    const [name] = rest.split(/\s+/);
    const path = relative(this.path, name);
    if (depth >= DEEPEST || ++this.#files > MOST_FILES) {
      this.search.note(`${this.path} includes too much: ${name} is left out`);
      return;
    }
    const text = readText(this.search, this.volume, path);
    if (text === undefined) this.search.note(`${this.path} includes ${name}, which is not there`);
    else this.read(text, depth + 1);
  }
}

/** A path as a configuration means it: from its own folder. */
function relative(config: string, path: string): string {
  return path.startsWith("/") ? path : `${config.slice(0, config.lastIndexOf("/") + 1)}${path}`;
}

function choose(search: Search, volume: ReadableVolume, path: string, config: Config): BootEntry | undefined {
  const { labels, byDefault } = config;
  const same = (a: string): boolean => a.toLowerCase() === byDefault?.toLowerCase();
  const named = labels.find(({ name }) => same(name));
  const marked = labels.find(({ isDefault }) => isDefault);
  const first = labels.find(({ kernel }) => kernel !== undefined && !OWN_PROGRAM.test(kernel));
  const tries: [Label | undefined, string][] = [
    [marked, "its MENU DEFAULT"],
    [named, "its DEFAULT"],
    [first, "its first label"],
  ];
  for (const [label, how] of tries) {
    if (label?.kernel === undefined || OWN_PROGRAM.test(label.kernel)) continue;
    const why = `${path} of ${volumeName(volume.volume)}, ${how}`;
    const found = wholeEntry(search, volume, wanted(label, label.kernel, config, path, why));
    if (found !== undefined) return found;
  }
  return undefined;
}

function wanted(
  label: Label,
  kernel: string,
  { append }: Config,
  path: string,
  why: string,
): Parameters<typeof wholeEntry>[2] {
  const { name, title, initrds, append: own } = label;
  const text = own === "-" ? "" : (own ?? append ?? "");
  // An initrd may be named among the kernel's words.
  const words = text.split(/\s+/).filter((word) => word !== "");
  const inWords = words
    .filter((word) => word.startsWith("initrd="))
    .flatMap((word) => word.slice("initrd=".length).split(","));
  const all = initrds.length > 0 ? initrds : inWords;
  return {
    title: title ?? name,
    kernel: relative(path, kernel),
    initrds: all.filter((one) => one !== "").map((one) => relative(path, one)),
    options: words.filter((word) => !word.startsWith("initrd=")).join(" "),
    why,
  };
}

/**
 * grub.cfg read as data: what its commands come to on this disk, as far as kernels depend on it. Commands that only load modules or
 * draw menus do nothing here; what would have to be run to be known is told and left out.
 */
import { volumeName, type Volume } from "../disk.js";
import {
  lookUp,
  namesIn,
  placedFile,
  readText,
  type BootEntry,
  type PlacedFile,
  type ReadableVolume,
  type Search,
} from "./entry.js";
import { readEnvironment } from "./grub-environment.js";
import { GrubSyntaxError, parseGrub, type Statement, type Word } from "./grub-script.js";

const FOLDERS = ["/boot/grub", "/grub", "/boot/grub2", "/grub2"];
const EFI_FOLDER = "/EFI";

/** Bounds of a run: commands, calls in calls, files, bytes of a variable, entries of a menu. */
const MOST = { steps: 50_000, depth: 24, files: 32, value: 16384, entries: 512 } as const;

/** Variables that every GRUB 2 sets. */
const BUILT_IN: readonly (readonly [string, string])[] = [
  ["grub_platform", "pc"],
  ["grub_cpu", "i386"],
  ["feature_menuentry_id", "y"],
  ["feature_default_font_path", "y"],
  ["feature_platform_search_hint", "y"],
  ["feature_all_video_module", "y"],
  ["feature_timeout_style", "y"],
];

/** Commands that decide nothing about kernels. True: what depends on them goes on. */
const IDLE = new Set([
  ...["insmod", "loadfont", "terminal_output", "terminal_input", "echo", "export", "clear", "sleep", "true"],
  ...["recordfail", "load_video", "gfxmode", "savedefault", "save_env", "background_color", "play", "boot"],
  ...["serial", "terminfo", "password", "password_pbkdf2", "rmmod", "cat", "devicetree", "smbios", "fwsetup"],
]);
/** Commands that fail here, as on a machine without a screen. */
const FAILING = new Set(["false", "background_image", "keystatus", "cmostest", "nativedisk", "cutmem"]);
const LINUX = new Set(["linux", "linux16", "linuxefi"]);
const INITRD = new Set(["initrd", "initrd16", "initrdefi"]);
/** Options of menuentry that take a value. */
const ENTRY_OPTIONS = new Set(["--class", "--users", "--hotkey", "--id"]);

interface MenuItem {
  title: string;
  id: string | undefined;
  submenu: boolean;
  body: readonly Statement[];
  args: readonly string[];
}

/** What linux and initrd lines have said. */
interface Loaded {
  kernel?: PlacedFile;
  options: string;
  initrds: PlacedFile[];
}

/** The whole is left: too much of it. */
class GrubLimit extends Error {}

/** The default entry; undefined where no grub.cfg has one that can be booted. */
export function findGrub(search: Search): BootEntry | undefined {
  for (const volume of search.volumes) {
    const stubs = namesIn(search, volume, EFI_FOLDER).map((name) => `${EFI_FOLDER}/${name}`);
    for (const folder of [...FOLDERS, ...stubs]) {
      const path = `${folder}/grub.cfg`;
      if (lookUp(search, volume, path)?.kind !== "file") continue;
      const found = new Grub(search, volume, folder).boot(path);
      if (found !== undefined) return found;
      search.note(`${path} of ${volumeName(volume.volume)} has no entry that can be booted`);
    }
  }
  return undefined;
}

class Grub {
  readonly #variables = new Map<string, string>(BUILT_IN);
  readonly #functions = new Map<string, readonly Statement[]>();
  readonly #search: Search;
  #menu: MenuItem[] = [];
  #loaded: Loaded = { options: "", initrds: [] };
  #steps = 0;
  #files = 0;
  #file = "";
  /** Says each thing once. */
  readonly #said = new Set<string>();

  constructor(
    search: Search,
    readonly start: ReadableVolume,
    folder: string,
  ) {
    this.#search = search;
    const device = deviceName(start.volume);
    this.#variables.set("root", device);
    this.#variables.set("prefix", `(${device})${folder}`);
  }

  boot(path: string): BootEntry | undefined {
    try {
      this.#runFile(this.start, path);
      return this.#chosen();
    } catch (error) {
      if (!(error instanceof GrubLimit)) throw error;
      this.#search.note(`${this.#file} is too much to be read: ${error.message}`);
      return undefined;
    }
  }

  #note(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#search.note(`${this.#file}: ${text}`);
  }

  #runFile(volume: ReadableVolume, path: string): boolean {
    if (++this.#files > MOST.files) throw new GrubLimit(`more than ${MOST.files} files`);
    const text = readText(this.#search, volume, path);
    if (text === undefined) return false;
    const before = this.#file;
    this.#file = `${path} of ${volumeName(volume.volume)}`;
    try {
      this.#run(parseGrub(text), []);
    } catch (error) {
      if (!(error instanceof GrubSyntaxError)) throw error;
      this.#note(`${error.message}, which is not understood`);
    }
    if (before !== "") this.#file = before;
    return true;
  }

  /** The default entry, through submenus; where it cannot be booted, nothing. */
  #chosen(): BootEntry | undefined {
    let wanted = this.#variables.get("default") || "0";
    let how = `its default "${wanted}"`;
    for (let depth = 0; depth < MOST.depth; depth++) {
      const menu = this.#menu;
      const [name, rest] = splitPath(wanted);
      let item = findItem(menu, name);
      if (item === undefined && menu.length > 0) {
        this.#note(`its default "${name}" is no entry: the first is taken`);
        item = menu[0];
        how = "its first entry";
      }
      if (item === undefined) return undefined;
      this.#menu = [];
      this.#loaded = { options: "", initrds: [] };
      this.#run(item.body, item.args);
      if (!item.submenu) return this.#entry(item, how);
      wanted = rest === "" ? "0" : rest;
    }
    return undefined;
  }

  #entry({ title }: MenuItem, how: string): BootEntry | undefined {
    const { kernel, initrds, options } = this.#loaded;
    if (kernel === undefined) {
      this.#note(`the entry "${title}" loads no kernel that is here`);
      return undefined;
    }
    return { title, kernel, initrds, options, why: `${this.#file}, ${how}` };
  }

  /** The status of the last. */
  #run(statements: readonly Statement[], args: readonly string[], depth = 0): boolean {
    if (depth > MOST.depth) throw new GrubLimit("calls in calls");
    let status = true;
    for (const statement of statements) {
      if (++this.#steps > MOST.steps) throw new GrubLimit(`more than ${MOST.steps} commands`);
      switch (statement.kind) {
        case "loop":
          this.#note(`line ${statement.line}: a loop is not run`);
          break;
        case "function":
          this.#functions.set(statement.name, statement.body);
          break;
        case "if": {
          const way = statement.ways.find(({ test }) => this.#run(test, args, depth + 1));
          status = this.#run(way?.body ?? statement.otherwise, args, depth + 1);
          break;
        }
        case "command":
          status = this.#command(statement, args, depth);
      }
    }
    return status;
  }

  #command(
    statement: Extract<Statement, { kind: "command" }>,
    args: readonly string[],
    depth: number,
  ): boolean {
    const [name = "", ...words] = statement.words.flatMap((word) => this.#expand(word, args));
    if (name === "menuentry" || name === "submenu") return this.#addItem(name, words, statement.block ?? []);
    const body = this.#functions.get(name);
    if (body !== undefined) return this.#run(body, words, depth + 1);
    const assignment = /^(\w+)=([^]*)$/.exec(name);
    if (assignment !== null) return this.#set(assignment[1], assignment[2]);
    if (LINUX.has(name)) return this.#linux(words);
    if (INITRD.has(name)) return this.#initrd(words);
    if (IDLE.has(name)) return true;
    if (FAILING.has(name)) return false;
    return this.#deciding(name, words, statement.line);
  }

  /** Commands that change what others mean. */
  #deciding(name: string, words: readonly string[], line: number): boolean {
    switch (name) {
      case "":
        return true;
      case "set": {
        const [, variable, value] = /^(\w+)=([^]*)$/.exec(words[0] ?? "") ?? [];
        return variable === undefined || this.#set(variable, value);
      }
      case "unset":
        return this.#variables.delete(words[0]);
      case "[":
        return this.#test(words.at(-1) === "]" ? words.slice(0, -1) : words, line);
      case "test":
        return this.#test(words, line);
      case "search":
      case "search.fs_uuid":
      case "search.fs_label":
      case "search.file":
        return this.#searchVolume(name, words);
      case "load_env":
        return this.#loadEnvironment(words);
      case "source":
      case "configfile":
      case ".": {
        const place = this.#place(words[0] ?? "");
        return place !== undefined && this.#runFile(place.volume, place.path);
      }
    }
    this.#note(`line ${line}: ${name} is not run`);
    return false;
  }

  #set(name: string, value: string): boolean {
    if (value.length > MOST.value) throw new GrubLimit(`a variable of more than ${MOST.value} characters`);
    this.#variables.set(name, value);
    return true;
  }

  /** A word with its variables put in; one without quotes becomes as many words as there are. */
  #expand(word: Word, args: readonly string[]): string[] {
    const words = [""];
    let any = word.length === 0;
    for (const piece of word) {
      if ("text" in piece) {
        words[words.length - 1] += piece.text;
        any = true;
        continue;
      }
      const value = this.#value(piece.variable, args);
      if (piece.quoted) {
        words[words.length - 1] += value;
        any = true;
        continue;
      }
      const [first, ...more] = value.split(/\s+/);
      words[words.length - 1] += first;
      words.push(...more);
      any ||= value !== "";
      if (words[0].length > MOST.value || words.length > MOST.value) throw new GrubLimit("a word that grows");
    }
    return any ? words : [];
  }

  #value(name: string, args: readonly string[]): string {
    if (name === "@" || name === "*") return args.join(" ");
    if (/^\d+$/.test(name)) return args[Number(name) - 1] ?? "";
    return this.#variables.get(name) ?? "";
  }

  #addItem(kind: "menuentry" | "submenu", words: readonly string[], body: readonly Statement[]): boolean {
    const args: string[] = [];
    let id: string | undefined;
    for (let i = 0; i < words.length; i++) {
      if (ENTRY_OPTIONS.has(words[i])) {
        if (words[i] === "--id") id = words[i + 1];
        i++;
      } else if (!words[i].startsWith("--")) args.push(words[i]);
    }
    const title = args[0] ?? "";
    if (this.#menu.length >= MOST.entries) throw new GrubLimit(`more than ${MOST.entries} entries`);
    this.#menu.push({ title, id, submenu: kind === "submenu", body, args: args.slice(1) });
    return true;
  }

  #linux([path = "", ...words]: readonly string[]): boolean {
    const kernel = this.#placed(path);
    this.#loaded = { options: words.join(" "), initrds: [], ...(kernel && { kernel }) };
    if (kernel === undefined) this.#note(`${path} is not there`);
    return kernel !== undefined;
  }

  #initrd(paths: readonly string[]): boolean {
    for (const path of paths.filter((word) => !word.startsWith("--"))) {
      const initrd = this.#placed(path);
      if (initrd === undefined) {
        this.#note(`${path} is not there`);
        delete this.#loaded.kernel;
        return false;
      }
      this.#loaded.initrds.push(initrd);
    }
    return true;
  }

  /** `(hd0,gpt2)/path`, or a path on $root. */
  #place(text: string): { volume: ReadableVolume; path: string } | undefined {
    const [, device, rest] = /^\(([^)]*)\)([^]*)$/.exec(text) ?? [
      undefined,
      this.#variables.get("root") ?? "",
      text,
    ];
    const volume = this.#device(device);
    const path = rest.startsWith("/") ? rest : `/${rest}`;
    return volume && { volume, path };
  }

  #placed(text: string): PlacedFile | undefined {
    const place = this.#place(text);
    return place && placedFile(this.#search, place.volume, place.path);
  }

  /** `hd0,gpt2`: the disk's number means nothing here, there is one. */
  #device(name: string): ReadableVolume | undefined {
    const plain = name.replace(/[()]/g, "");
    const exact = this.#search.volumes.find(({ volume }) => deviceName(volume) === plain);
    if (exact !== undefined) return exact;
    const number = /^hd\d+,(?:gpt|msdos)?(\d+)$/.exec(plain)?.[1];
    return this.#search.volumes.find(({ volume: { partition } }) =>
      number === undefined
        ? /^hd\d+$/.test(plain) && partition === undefined
        : String(partition?.number) === number,
    );
  }

  /** `search --no-floppy --fs-uuid --set=root UUID`, and the short spellings, whose variable is the second word. */
  #searchVolume(name: string, words: readonly string[]): boolean {
    let by = name.startsWith("search.") ? name.slice("search.".length).replace("fs_", "fs-") : "fs-uuid";
    let variable = "root";
    const rest: string[] = [];
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      if (word === "--set") {
        // Its value may be left out: then what follows is what is searched for, or an option.
        if (i + 2 < words.length && !words[i + 1].startsWith("-")) variable = words[++i];
      } else if (word.startsWith("--set=")) variable = word.slice("--set=".length);
      else if (word === "-u" || word === "--fs-uuid") by = "fs-uuid";
      else if (word === "-l" || word === "--label" || word === "--fs-label") by = "fs-label";
      else if (word === "-f" || word === "--file") by = "file";
      else if (!word.startsWith("-")) rest.push(word);
    }
    const [wanted = ""] = rest;
    if (name.startsWith("search.") && rest[1] !== undefined) variable = rest[1];
    const found = this.#search.volumes.find((one) => this.#isWanted(one, by, wanted));
    if (found === undefined) {
      this.#note(
        `search finds no ${by === "file" ? "file" : by === "fs-uuid" ? "UUID" : "label"} ${wanted} on this disk`,
      );
      return false;
    }
    return this.#set(variable, deviceName(found.volume));
  }

  #isWanted(one: ReadableVolume, by: string, wanted: string): boolean {
    const { fileSystem } = one.volume;
    if (by === "file") return lookUp(this.#search, one, wanted) !== undefined;
    if (by === "fs-uuid") return fileSystem?.uuid?.toLowerCase() === wanted.toLowerCase();
    return fileSystem?.label === wanted;
  }

  #loadEnvironment(words: readonly string[]): boolean {
    const at = words.findIndex((word) => word === "-f" || word === "--file");
    const path = at >= 0 ? words[at + 1] : `${this.#variables.get("prefix") ?? ""}/grubenv`;
    const place = this.#place(path ?? "");
    const text = place && readText(this.#search, place.volume, place.path);
    if (text === undefined) return false;
    for (const [name, value] of readEnvironment(text)) this.#set(name, value);
    return true;
  }

  #test(words: readonly string[], line: number): boolean {
    const or = words.indexOf("-o");
    if (or >= 0) return this.#test(words.slice(0, or), line) || this.#test(words.slice(or + 1), line);
    const and = words.indexOf("-a");
    if (and >= 0) return this.#test(words.slice(0, and), line) && this.#test(words.slice(and + 1), line);
    const [a, b, c] = words;
    if (a === "!") return !this.#test(words.slice(1), line);
    if (words.length === 0) return false;
    if (words.length === 1) return a !== "";
    if (words.length === 2) return this.#testOne(a, b, line);
    if (words.length === 3 && (b === "=" || b === "==")) return a === c;
    if (words.length === 3 && b === "!=") return a !== c;
    const compare = NUMERIC.get(b);
    if (words.length === 3 && compare !== undefined) return compare(Number(a), Number(c));
    this.#note(`line ${line}: a test that is not understood`);
    return false;
  }

  #testOne(what: string, value: string, line: number): boolean {
    if (what === "-z") return value === "";
    if (what === "-n") return value !== "";
    if (["-f", "-e", "-s", "-d"].includes(what)) {
      const place = this.#place(value);
      const found = place && lookUp(this.#search, place.volume, place.path);
      if (found === undefined) return false;
      if (what === "-e") return true;
      return what === "-d"
        ? found.kind === "folder"
        : found.kind === "file" && (what === "-f" || found.size > 0);
    }
    this.#note(`line ${line}: the test ${what} is not understood`);
    return false;
  }
}

const NUMERIC: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map([
  ["-eq", (a: number, b: number) => a === b],
  ["-ne", (a: number, b: number) => a !== b],
  ["-lt", (a: number, b: number) => a < b],
  ["-le", (a: number, b: number) => a <= b],
  ["-gt", (a: number, b: number) => a > b],
  ["-ge", (a: number, b: number) => a >= b],
]);

/** `hd0,gpt2`, `hd0,msdos1`, `hd0` as GRUB calls it. */
function deviceName({ partition }: Volume): string {
  if (partition === undefined) return "hd0";
  const { number, letter, uuid } = partition;
  if (letter !== undefined) return `hd0,bsd${letter}`;
  const GUID_LENGTH = 36;
  return uuid?.length === GUID_LENGTH ? `hd0,gpt${number}` : `hd0,msdos${number}`;
}

/** `Advanced options>Debian, 6.1`: the entry of a submenu; ">>" is the sign itself. */
function splitPath(wanted: string): [name: string, rest: string] {
  for (let at = 0; at < wanted.length; at++) {
    if (wanted[at] !== ">") continue;
    if (wanted[at + 1] === ">") at++;
    else return [wanted.slice(0, at).replaceAll(">>", ">"), wanted.slice(at + 1)];
  }
  return [wanted.replaceAll(">>", ">"), ""];
}

function findItem(menu: readonly MenuItem[], name: string): MenuItem | undefined {
  return (
    menu.find(({ id }) => id === name) ??
    menu.find(({ title }) => title === name) ??
    (/^\d+$/.test(name) ? menu[Number(name)] : undefined)
  );
}

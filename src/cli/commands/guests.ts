/** `locore guests list` and `locore guests pull NAME…`: real kernels to boot. */
import type { GuestListing, PulledGuest } from "../../guests/index.js";
import { UsageError, type Arguments } from "../args.js";
import { closest } from "../closest.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { showingProgress } from "../progress.js";
import { pageWidth, wrapped } from "../render/wrap.js";

const ACTIONS = ["list", "pull"];
const GAP = 2;
const LABEL = 10;
const MORE =
  "locore guests list NAME says where a guest comes from, how it is verified and its licence. Kernels of other releases go by debian-11 to " +
  "debian-14, testing and sid.";

/** All that is known of a guest. */
function listingLines(guest: GuestListing, width: number): string[] {
  const rows: [string, string][] = [
    ["shows", guest.shows],
    ["source", `${guest.package}: ${guest.source}`],
    ["verified", guest.verified],
    ["licence", guest.licence],
    ["cached", guest.cachedVersion ?? "no"],
  ];
  return [
    ...hanging("", `${guest.name}: ${guest.what}`, width),
    ...rows.flatMap(([name, text]) => hanging(`  ${name.padEnd(LABEL)}`, text, width)),
    "",
  ];
}

/** A label, and a text beside it that keeps its column. */
function hanging(label: string, text: string, width: number): string[] {
  const lines = wrapped(text.split(" "), width - label.length);
  return lines.map((line, i) => (i === 0 ? label : " ".repeat(label.length)) + line);
}

function summaryLines(guests: readonly GuestListing[], width: number): string[] {
  const column = Math.max(...guests.map(({ name }) => name.length)) + GAP;
  return [
    ...guests.flatMap(({ name, what, cachedVersion }) => {
      const cached = cachedVersion === undefined ? "" : ` (cached: ${cachedVersion})`;
      return hanging(name.padEnd(column), `${what}${cached}`, width);
    }),
    "",
    ...wrapped(MORE.split(" "), width),
  ];
}

async function list(names: readonly string[], args: Arguments, { stdout }: CommandContext): Promise<number> {
  const { listGuests } = await import("../../guests/index.js");
  const all = await listGuests();
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    throw unknownGuest(
      unknown,
      all.map(({ name }) => name),
    );
  const guests = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  const width = pageWidth(stdout);
  if (args.has("json")) stdout.write(`${JSON.stringify(guests, null, 2)}\n`);
  else if (names.length === 0) printLines(stdout, summaryLines(guests, width));
  else printLines(stdout, guests.flatMap((guest) => listingLines(guest, width)).slice(0, -1));
  return 0;
}

function pulledLines(guest: PulledGuest): string[] {
  const roles = Object.entries(guest.files);
  const width = Math.max(...roles.map(([role]) => role.length)) + GAP;
  const files = roles.map(([role, path]) => `  ${role.padEnd(width)}${path}`);
  const how = guest.cached ? "from the cache" : "fetched";
  return [`${guest.name}: ${guest.package} ${guest.version}, ${how}`, ...files];
}

function unknownGuest(name: string, known: readonly string[]): UsageError {
  const guess = closest(name, known);
  const hint = guess === undefined ? `the catalogue has ${known.join(", ")}` : `did you mean ${guess}?`;
  return new UsageError(`there is no guest ${name}`, hint);
}

async function pull(names: readonly string[], args: Arguments, context: CommandContext): Promise<number> {
  if (names.length === 0) throw new UsageError("which guest?", "locore guests list shows their names");
  const { allGuestNames, pullGuest } = await import("../../guests/index.js");
  const unknown = names.find((name) => !allGuestNames().includes(name));
  if (unknown !== undefined) throw unknownGuest(unknown, allGuestNames());
  const refresh = args.has("refresh");
  const pulled: PulledGuest[] = [];
  await showingProgress(context.stderr, async (options) => {
    for (const name of names) pulled.push(await pullGuest(name, { ...options, refresh }));
  });
  if (args.has("json")) context.stdout.write(`${JSON.stringify(pulled, null, 2)}\n`);
  else printLines(context.stdout, pulled.flatMap(pulledLines));
  return 0;
}

export const guests: Command = {
  operands: [
    { name: "ACTION", required: true, help: "list, or pull" },
    { name: "NAME…", required: false, help: "what to pull, or of what to list all that is known" },
  ],
  options: [{ name: "refresh", help: "pull: look for a newer version even if one is cached" }, JSON_OPTION],
  examples: [
    ["locore guests list debian-cloud", "where it comes from, and its licence"],
    ["locore guests pull debian-cloud busybox", "fetch Debian's cloud kernel and a static busybox"],
  ],
  async run(args, context) {
    const [action, ...names] = args.operands;
    if (action === "pull") return pull(names, args, context);
    if (action === "list") return list(names, args, context);
    const guess = closest(action, ACTIONS);
    throw new UsageError(`unknown action ${action}`, guess && `did you mean locore guests ${guess}?`);
  },
};

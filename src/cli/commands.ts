/** The table of commands. A command's module is loaded only when it is asked for. */
import type { Command } from "./command.js";

export interface CommandRow {
  name: string;
  load: () => Promise<Command>;
}

export const COMMANDS: readonly CommandRow[] = [
  { name: "boot", load: async () => (await import("./commands/boot.js")).boot },
  { name: "run", load: async () => (await import("./commands/run.js")).run },
  { name: "restore", load: async () => (await import("./commands/restore.js")).restore },
  { name: "plan", load: async () => (await import("./commands/plan.js")).plan },
  { name: "inspect", load: async () => (await import("./commands/inspect.js")).inspect },
  { name: "convert", load: async () => (await import("./commands/convert.js")).convert },
  { name: "export", load: async () => (await import("./commands/export.js")).exportCommand },
  { name: "guests", load: async () => (await import("./commands/guests.js")).guests },
  { name: "initramfs", load: async () => (await import("./commands/initramfs.js")).initramfs },
  { name: "demo", load: async () => (await import("./commands/demo.js")).demo },
  { name: "doctor", load: async () => (await import("./commands/doctor.js")).doctor },
  { name: "help", load: async () => (await import("./commands/help.js")).help },
  { name: "version", load: async () => (await import("./commands/version.js")).version },
];

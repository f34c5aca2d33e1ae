/** What a run's guest is made of and told: its streams, its root and folders, its command. Data only. */

/** Names of the ports that carry the streams. */
export const RUN_PORTS = {
  control: "locore.control",
  stdin: "locore.stdin",
  stdout: "locore.stdout",
  stderr: "locore.stderr",
} as const;

/** What the guest's console says where there is no control port to say it on; the reason follows. */
export const RUN_FAILED = "locore: failed ";

/** A folder of the host as the guest mounts it. */
export interface RunMount {
  /** The tag of the share. */
  tag: string;
  /** Absolute path in the guest. */
  at: string;
  /** What the guest writes reaches the host; otherwise it stays in the guest's memory. */
  writable: boolean;
  /** A kernel that cannot mount it goes without. */
  optional: boolean;
}

/** Where the command's root is. */
export type RunRoot =
  /** The initramfs itself. */
  | { kind: "initramfs" }
  /** A shared folder, by its tag. */
  | { kind: "share"; tag: string; writable: boolean }
  /** A disk: its device, and the name of its file system where it is known. */
  | { kind: "disk"; device: string; type: string | undefined };

/** What a guest is told of its network. */
export interface RunAddress {
  /** With the bits of its prefix: 10.0.3.2/24. */
  readonly address: string;
  readonly gateway?: string;
}

/** How the command's streams are connected. */
export interface RunStreams {
  /** The standard streams are the console hvc0, the controlling terminal; otherwise three pipes. */
  terminal: boolean;
  /** On a terminal: standard error is a stream of its own all the same. */
  separateErrors: boolean;
}

/** What is the same in every run of a machine, whatever its command. */
export interface RunStartOptions extends RunStreams {
  /** The host says again and again what is to run: there are the ports for it. */
  serving?: boolean;
  /** Of the folders that this machine has; absent: none. Where they will be mounted is not known yet. */
  tags?: readonly string[];
}

/** What a machine is told once it is known. */
export interface RunCommandOptions extends RunStreams {
  /** The guest's name. It is told late: the host of a machine that goes on may have another one than that which booted it. */
  hostname: string;
  /** The command and its arguments; "from host": the host says again and again what is to run (`exec-init.ts`). */
  command: readonly string[] | "from host";
  /** Of the environment, besides what every command has. */
  environment: readonly (readonly [name: string, value: string])[];
  /** Absolute. */
  folder: string;
  /** Where it is not there, the root is. */
  folderMayMiss: boolean;
  /** `NAME`, or numbers as `UID` or `UID:GID`. Absent: root. */
  user: string | undefined;
  root: RunRoot;
  mounts: readonly RunMount[];
  /**
   * The guest has a network card: its network says by DHCP what it is, or the guest is told. "alone": by DHCP, and nobody else is on its link.
   * Absent: it has none.
   */
  network?: "dhcp" | "alone" | RunAddress;
  /** What carries the folders. Absent: virtiofs. */
  sharedOver?: "virtiofs" | "9p";
}

export const RUN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where the initramfs has what is ours. */
export const RUN_FOLDER = "/locore";
export const MODULES_FOLDER = `${RUN_FOLDER}/modules`;
/** Where it has the program of steps. */
export const STEPS_FILE = `${RUN_FOLDER}/run`;
/** Where it has the text of who serves commands. */
export const SERVING_FILE = `${RUN_FOLDER}/serve`;
/** Where the command's root is mounted, if it is not the initramfs. */
export const ROOT_FOLDER = `${RUN_FOLDER}/root`;
/** The root as paths begin with it, before the command has it as its own. */
export function rootPrefix({ kind }: RunRoot): string {
  return kind === "initramfs" ? "" : ROOT_FOLDER;
}

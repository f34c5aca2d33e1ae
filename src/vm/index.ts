/**
 * `locore/node`: a machine in a thread of its own, for programs that run in Node (docs/library.md).
 *
 * ```ts
 * await using vm = await Vm.start();
 * const { status, stdout } = await vm.exec(["uname", "-r"]);
 * ```
 */
export { Vm } from "./vm.js";
export type { AnyVmOptions, FileInput, NetInput, RestoreOptions, ShareInput, VmOptions } from "./options.js";
export { VmError } from "./vm-error.js";
export type { VmFacts, VmFault } from "./vm-error.js";
export { Terminal } from "./terminal.js";
export type { ReadOptions, TerminalWire } from "./terminal.js";
export type { LagLimit, Since } from "./output-history.js";
export type { Expected, ExpectOptions } from "./expecting.js";
export { Execution } from "./guest/execution.js";
export type { ExecInput, ExecLine, ExecOptions, ExecResult } from "./guest/execution.js";
export type { ExecChunk } from "./guest/exec-output.js";
export type { JobOptions, ShellValue } from "./guest/job.js";
export { GuestFiles } from "./guest/files.js";
export type { FileFacts, FileOptions, SignalOption } from "./guest/files.js";
export { Shell } from "./guest/shell.js";
export type { ShellOptions } from "./guest/shell.js";
// Of a machine's end, its state and its parts, as `locore` has them.
export { SessionError } from "../host/node/session.js";
export type { RunReport } from "../host/run.js";
export type { EndKind, MachineEnd } from "../machine/end.js";
export type { MachineStats } from "../machine/machine.js";
export type {
  Cause,
  CodePlace,
  CpuActivity,
  CpuReport,
  Diagnosis,
  InputReport,
  LogReport,
} from "../diagnose/diagnosis.js";
export type { AccessCount } from "../diagnose/place/accesses.js";
export type { FoundBy } from "../diagnose/place/backtrace.js";
export type { Loop } from "../diagnose/place/polls.js";
export type { AccessSpace } from "../machine/accesses.js";
export type { Screen } from "../machine/screen.js";
export type { WorkerFailure } from "../host/node/messages.js";
export type { DiskFormat, DiskRequest } from "../host/node/disk-request.js";
export type { ShareRequest } from "../host/node/share-request.js";
export type { ShareCache, ShareOwner, ShareProtocol } from "../share/share-options.js";
export type { HostAddress } from "../net/host-sockets.js";
export type { ConsolePlace } from "../boot/options.js";
export type { ConsoleSize } from "../host/shared.js";
export type { EngineCounters, JitMode } from "../engine/contract.js";
export type { ConnectAnswer, ConnectAttempt, OnConnect } from "../net/door.js";
export type { Faults } from "../net/faults.js";

/**
 * The public library: recognise an image, plan a machine, run it. Host-neutral: time, waiting and the
 * console are handed in. The command line is built on the same functions.
 *
 * ```ts
 * const plan = buildPlan({ kernel: { name: "vmlinuz", bytes }, commandLine: "console=ttyS0" });
 * const report = runToEnd({ plan, engine, console, hostNow: () => performance.now() * 1e6, wait });
 * ```
 */
// Where a machine is and why it does not go on, docs/diagnosis.md.
export { diagnose } from "../diagnose/diagnose.js";
export type { Question } from "../diagnose/diagnose.js";
export type { Cause, CpuReport, Diagnosis } from "../diagnose/diagnosis.js";
export { diagnosisLines } from "../diagnose/text.js";
export { SymbolTable } from "../diagnose/symbols/symbol-table.js";
export { symbolsOfFile } from "../diagnose/symbols/symbol-files.js";
export { recognise } from "../formats/index.js";
export type { Image, KnownImage } from "../formats/index.js";
export type { Fact } from "../formats/image.js";
export { FormatError } from "../formats/format-error.js";
export { convert, ConvertError } from "../convert/index.js";
export type {
  Conversion,
  ConvertOptions,
  ConvertTarget,
  Placement,
  UnwrappedKernel,
  WrappedKernel,
  X86Kernel,
  X86Target,
} from "../convert/index.js";
export type { ZImage } from "../formats/zimage/zimage.js";
export { unpackZImage } from "../formats/zimage/payload.js";
export type { Arm64Image } from "../formats/arm64-image/arm64-image.js";
export type { UImage } from "../formats/uimage/uimage.js";
export type { FitConfiguration, FitImage, FitSubimage } from "../formats/fit/fit.js";
export { readDeviceTree } from "../formats/device-tree/device-tree.js";
export type { DeviceTree, TreeNode, TreeProperty } from "../formats/device-tree/device-tree.js";
export { isArmElf, physicalAddresses } from "../formats/elf/arm.js";
export { kernelSystem } from "../formats/elf/system.js";
export type { KernelSystem } from "../formats/elf/system.js";
export { verdicts } from "../verdicts/index.js";
export type { FailedCheck, LoaderFacts, Outcome, Verdict } from "../verdicts/index.js";
export { exportGuest } from "../export/index.js";
export type {
  ConvertedFile,
  Export,
  ExportFile,
  ExportRequest,
  ExportTarget,
  Loss,
} from "../export/index.js";
export { BootError, faultText, NoLoaderError, OptionError } from "../boot/boot-error.js";
export type { BootFault, FaultPlace } from "../boot/boot-error.js";
export { buildPlan, LoaderRegistry } from "../boot/index.js";
export type { EngineOffer, PlugIns, Surroundings } from "../boot/index.js";
export type {
  BootModule,
  BootOptions,
  ClockOptions,
  ConsolePlace,
  LoaderOptions,
  NamedBytes,
} from "../boot/options.js";
// For loaders of one's own, docs/loaders.md: what they implement, the memory they claim, the pieces that most
// protocols share, and the states that a CPU can be entered in.
export type { BootProtocol, LoadContext, Loader, LoaderOptionSpec } from "../boot/index.js";
export type { Accepted, RecogniseContext, Recognition, Refused } from "../boot/loader.js";
export { RegionMap } from "../memory/regions.js";
export type { ClaimRequest, Region, SearchLimits } from "../memory/regions.js";
export { MemoryMapError } from "../memory/memory-error.js";
export { deriveE820 } from "../memory/e820.js";
export type { E820Entry, E820Type } from "../spec/e820.js";
export {
  placeCommandLine,
  placeGdt,
  placeInitrd,
  placeModules,
  placePageTables,
  zeroTerminated,
} from "../boot/hand-over.js";
export type { PlacedInitrd, PlacedModule } from "../boot/hand-over.js";
export { longMode64, protectedMode32, realMode16 } from "../x86/entry-states.js";
export type { FlatEntry, GprValues } from "../x86/entry-states.js";
// For devices of one's own, docs/devices.md: what they are, what they are connected to, what they say of themselves.
export type {
  Channel,
  Announcement,
  AskedSpan,
  ConsoleWire,
  MachineFacts,
  Part,
  PartMemory,
  PartRequest,
  PartType,
  PartValue,
  Wires,
} from "../devices/part.js";
export type {
  AccessSize,
  Clock,
  InterruptLine,
  MmioDevice,
  PortDevice,
  PowerControl,
  PowerEvent,
  Timers,
} from "../devices/device.js";
export { PartError } from "../devices/resources.js";
export type { Claim } from "../devices/resources.js";
export { PartRegistry } from "../devices/registry.js";
export { GENERAL_EVENTS } from "../devices/power/parts.js";
export { Socket } from "../devices/socket.js";
export { standing } from "../devices/standing.js";
export type { Place } from "../devices/standing.js";
export type { Span } from "../memory/layout.js";
export * as aml from "./aml.js";
export type { Plan, PlanClock, PlanMemory, PlanPart, PlanModule, PlanRegion } from "../boot/plan.js";
export type {
  Cpu,
  CpuHost,
  Engine,
  EngineCapabilities,
  EngineEvents,
  EngineVerdict,
  Exit,
  FoundWorkingSet,
  GuestMemory,
  LinearTranslation,
  Translations,
  Vm,
  Watchpoint,
  WorkingSet,
} from "../engine/contract.js";
export { kick } from "../engine/contract.js";
export { offeredFeatures } from "../x86/cpu-features.js";
export type { CpuFeatures, FeatureOffer } from "../x86/cpu-features.js";
export { createWasmEngine } from "../engine/wasm/engine.js";
export type { CpuState, SegmentRegister } from "../x86/cpu-state.js";
export { PlanError } from "../machine/fill.js";
export { Machine } from "../machine/machine.js";
export type { MachineOptions, MachineStats } from "../machine/machine.js";
export type { RestoreOptions } from "../machine/machine.js";
export { NetSwitch } from "../net/net-switch.js";
export type { Plugged, SwitchCounts, SwitchPort } from "../net/net-switch.js";
export type { NetBackend, NetFrame } from "../net/net-backend.js";
export { Lockstep } from "../machine/lockstep.js";
export type { LockstepOptions } from "../machine/lockstep.js";
export { SaveError } from "../machine/state.js";
export type { MachineState } from "../machine/state.js";
export { snapshotPieces } from "../snapshot/write.js";
export type { SnapshotOptions } from "../snapshot/write.js";
export { bytesSource, isSnapshot, readAbout } from "../snapshot/file.js";
export type { FileOptions, SnapshotSource } from "../snapshot/file.js";
export { openSnapshot, restoreSnapshot } from "../snapshot/read.js";
export type { PageRun } from "../snapshot/pages.js";
export type { OpenOptions, Snapshot, SnapshotFacts } from "../snapshot/read.js";
export type { SnapshotAbout } from "../snapshot/about.js";
export { SnapshotError } from "../snapshot/snapshot-error.js";
// For networks, docs/net.md: what a machine is plugged into (`MachineOptions.nets`), and what there is to plug it into.
export { UserNet } from "../net/user-net.js";
export type { UserNetOptions } from "../net/user-net.js";
export type { ConnectAnswer, ConnectAttempt, OnConnect } from "../net/door.js";
export { NetStack } from "../net/stack.js";
export type { Published, StackWorld } from "../net/stack.js";
export { HOST_NAME, usualNetwork } from "../net/network.js";
export type { Network } from "../net/network.js";
export { parseAllowed } from "../net/policy.js";
export type { Allowed, PolicyOptions } from "../net/policy.js";
export type { NetClock } from "../net/clock.js";
export type {
  HostAddress,
  HostConnection,
  HostConnectionUser,
  HostDatagrams,
  HostFailure,
  HostNames,
  HostSockets,
} from "../net/host-sockets.js";
export { Cable } from "../net/cable.js";
export { FaultyNet } from "../net/faulty-net.js";
export type { Faults } from "../net/faults.js";
export type { BootNet } from "../boot/options.js";
export type { CompletionOptions, Stamp } from "../machine/completions.js";
export type { BackEnds, Hold, Request, Waking } from "../devices/device.js";
export type { Step } from "../machine/scheduler.js";
export type { ConsoleEnd } from "../machine/console.js";
export { readScreen, screenText } from "../machine/screen.js";
export type { Screen, TextRegisters } from "../machine/screen.js";
export { EXIT_STATUS } from "../machine/end.js";
export type { EndKind, MachineEnd } from "../machine/end.js";
export { ConsoleWatch } from "../diagnose/console-watch.js";
export { runToEnd } from "../host/run.js";
export type { RunOptions, RunReport } from "../host/run.js";
export type { ConsoleSize } from "../host/shared.js";
export type * from "./declared-types.js";

/** The types that the declarations of the library's exports name: who writes a function around one can say what it takes. */
export type { BlockBackend, BlockSource } from "../block/backend.js";
export type { BlockError } from "../block/block-error.js";
export type { OverlayPiece } from "../block/overlay.js";
export type { DiskHints } from "../boot/disk-words.js";
export type { ModulePlaces } from "../boot/hand-over.js";
export type { BootDisk, BootShare, VirtioOptions } from "../boot/options.js";
export type { PlanAddition, PlanFwCfgItem, PlanHandOver } from "../boot/plan.js";
export type { DefaultCommandLine, SerialConsole } from "../boot/systems.js";
export type { Shape } from "../bytes/shape.js";
export type { Checksum } from "../codecs/crc32.js";
export type { WrapTarget } from "../convert/convert.js";
export type { PlacementRequest } from "../convert/placement.js";
export type { CpuSignals } from "../devices/interrupts/lapic-core.js";
export type { VirtioMmioPlace } from "../devices/part.js";
export type { Anywhere } from "../devices/standing.js";
export type { ConsoleTail } from "../diagnose/console-tail.js";
export type { ConsoleWatchState } from "../diagnose/console-watch.js";
export type { CodePlace, CpuActivity, InputReport, LogReport } from "../diagnose/diagnosis.js";
export type { AccessCount } from "../diagnose/place/accesses.js";
export type { FoundBy } from "../diagnose/place/backtrace.js";
export type { Loop } from "../diagnose/place/polls.js";
export type { NamedAddress, SymbolPlace, SymbolSource } from "../diagnose/symbols/symbol-table.js";
export type { EngineCounters, JitMode, MemorySpec, PageSource } from "../engine/contract.js";
export type { WasmEngineOptions } from "../engine/wasm/vm.js";
export type { Aml } from "../firmware/acpi/aml.js";
export type { FwCfgItem } from "../firmware/fw-cfg.js";
export type { FixedHardware, GeneralEvent, PowerManagement } from "../firmware/hardware.js";
export type { BzImage, KernelInfo } from "../formats/bzimage/bzimage.js";
export type { Payload } from "../formats/bzimage/payload.js";
export type { SetupField } from "../formats/bzimage/setup-header.js";
export type { PhysicalAddresses } from "../formats/elf/arm.js";
export type { ElfImage } from "../formats/elf/elf.js";
export type { ElfFile, ElfHeader } from "../formats/elf/header.js";
export type { ElfNote, PvhEntry } from "../formats/elf/notes.js";
export type { ElfSection, ElfSymbol } from "../formats/elf/sections.js";
export type { ElfSegment } from "../formats/elf/segments.js";
export type {
  HermitUnikernel,
  Solo5Target,
  Solo5Unikernel,
  Unikernel,
  UnikraftUnikernel,
} from "../formats/elf/unikernel.js";
export type { FirmwareImage, ResetJump } from "../formats/firmware/firmware.js";
export type { FlatImage } from "../formats/flat/flat.js";
export type { ForeignImage } from "../formats/foreign.js";
export type { FormatFault } from "../formats/format-error.js";
export type { ImageBase } from "../formats/image.js";
export type { ZImagePayload } from "../formats/zimage/payload.js";
export type { KernelSize, ZImageTable } from "../formats/zimage/table.js";
export type { ExplainOptions, RestoredRun, RunDebugger, SaveOptions, SnapshotPoint } from "../host/run.js";
export type { AccessSpace, AccessWatch, DeviceAccess, MachineTrace } from "../machine/accesses.js";
export type { Board, BoardContext, BoardState } from "../machine/board.js";
export type { ClockState, SlotState, TurnsState } from "../machine/state.js";
export type { CheckedMemory } from "../memory/checked-memory.js";
export type { Aside, Hole, RegionContent } from "../memory/regions.js";
export type { Address, Prefix } from "../net/address.js";
export type { Side } from "../net/network.js";
export type {
  FileAttributes,
  FileBackend,
  FileChanges,
  FileHandle,
  FileNode,
  FileSystemFacts,
  FileTime,
  FolderEntry,
  FoundNode,
  NewFile,
  OpenFlags,
} from "../share/file-backend.js";
export type { ShareCache, ShareProtocol } from "../share/share-options.js";
export type { AboutDisk } from "../snapshot/about.js";
export type { DiskToFill, DiskToSave, SavedAccess, SavedDisk, SavedFile } from "../snapshot/disks.js";
export type { FeatureName } from "../spec/cpuid.js";
export type { SetupFieldSpec, SetupHeader } from "../spec/linux-boot.js";
export type { DescriptorTableRegister, MonitoredLine } from "../x86/cpu-state.js";
export type { CpuidLeaf } from "../x86/cpuid.js";
export type { GprName } from "../x86/entry-states.js";
export type { BootSelectors } from "../x86/gdt.js";

/**
 * Numbers of the Executable and Linkable Format: System V ABI, gABI draft 2013-06 chapters 4 and 5; the
 * processor supplements for machine numbers. Holds numbers only.
 */

export const ELF_MAGIC: readonly number[] = [0x7f, 0x45, 0x4c, 0x46];

/** e_ident indices and values (gABI, "ELF Identification"). */
export const EI = { CLASS: 4, DATA: 5, VERSION: 6, OSABI: 7, NIDENT: 16 } as const;
export const ELFCLASS = { CLASS32: 1, CLASS64: 2 } as const;
export const ELFDATA = { LSB: 1, MSB: 2 } as const;
export const EV_CURRENT = 1;

export const ET = { NONE: 0, REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;
export const EM = { 386: 3, PPC64: 21, S390: 22, ARM: 40, X86_64: 62, AARCH64: 183, RISCV: 243 } as const;
export const ELFOSABI = { SYSV: 0, NETBSD: 2, LINUX: 3, SOLARIS: 6, FREEBSD: 9, OPENBSD: 12 } as const;

export const PT = {
  NULL: 0,
  LOAD: 1,
  DYNAMIC: 2,
  INTERP: 3,
  NOTE: 4,
  SHLIB: 5,
  PHDR: 6,
  TLS: 7,
  GNU_EH_FRAME: 0x6474e550,
  GNU_STACK: 0x6474e551,
  GNU_RELRO: 0x6474e552,
  GNU_PROPERTY: 0x6474e553,
} as const;
export const PF = { X: 1, W: 2, R: 4 } as const;
/** e_phnum when the real number stands in section 0's sh_info. */
export const PN_XNUM = 0xffff;

export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  DYNSYM: 11,
} as const;
/** Section flags: may be written, occupies memory while the program runs, holds instructions. */
export const SHF = { WRITE: 1n, ALLOC: 2n, EXECINSTR: 4n } as const;
/** Symbols' types, and bindings in the upper half of the same byte. */
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2 } as const;
export const STB = { LOCAL: 0, GLOBAL: 0x10 } as const;
export const SHN = { UNDEF: 0, LORESERVE: 0xff00, ABS: 0xfff1, XINDEX: 0xffff } as const;

/** Where the fields are, by class; `word` fields are 4 bytes in ELF32 and 8 in ELF64. */
export interface ElfLayout {
  readonly wordSize: 4 | 8;
  readonly ehdr: {
    readonly size: number;
    readonly type: number;
    readonly machine: number;
    readonly version: number;
    readonly entry: number;
    readonly phoff: number;
    readonly shoff: number;
    readonly flags: number;
    readonly ehsize: number;
    readonly phentsize: number;
    readonly phnum: number;
    readonly shentsize: number;
    readonly shnum: number;
    readonly shstrndx: number;
  };
  readonly phdr: Readonly<
    Record<"size" | "type" | "flags" | "offset" | "vaddr" | "paddr" | "filesz" | "memsz" | "align", number>
  >;
  readonly shdr: Readonly<
    Record<
      | "size"
      | "name"
      | "type"
      | "flags"
      | "addr"
      | "offset"
      | "bytes"
      | "link"
      | "info"
      | "addralign"
      | "entsize",
      number
    >
  >;
  readonly sym: Readonly<Record<"size" | "name" | "info" | "shndx" | "value" | "bytes", number>>;
}

export const ELF32: ElfLayout = {
  wordSize: 4,
  ehdr: {
    size: 52,
    type: 16,
    machine: 18,
    version: 20,
    entry: 24,
    phoff: 28,
    shoff: 32,
    flags: 36,
    ehsize: 40,
    phentsize: 42,
    phnum: 44,
    shentsize: 46,
    shnum: 48,
    shstrndx: 50,
  },
  phdr: { size: 32, type: 0, offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20, flags: 24, align: 28 },
  shdr: {
    size: 40,
    name: 0,
    type: 4,
    flags: 8,
    addr: 12,
    offset: 16,
    bytes: 20,
    link: 24,
    info: 28,
    addralign: 32,
    entsize: 36,
  },
  sym: { size: 16, name: 0, value: 4, bytes: 8, info: 12, shndx: 14 },
};

export const ELF64: ElfLayout = {
  wordSize: 8,
  ehdr: {
    size: 64,
    type: 16,
    machine: 18,
    version: 20,
    entry: 24,
    phoff: 32,
    shoff: 40,
    flags: 48,
    ehsize: 52,
    phentsize: 54,
    phnum: 56,
    shentsize: 58,
    shnum: 60,
    shstrndx: 62,
  },
  phdr: { size: 56, type: 0, flags: 4, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, align: 48 },
  shdr: {
    size: 64,
    name: 0,
    type: 4,
    flags: 8,
    addr: 16,
    offset: 24,
    bytes: 32,
    link: 40,
    info: 44,
    addralign: 48,
    entsize: 56,
  },
  sym: { size: 24, name: 0, info: 4, shndx: 6, value: 8, bytes: 16 },
};

/** Note entry: three 4-byte words, then name and descriptor, each padded. */
export const NOTE = { HEADER_SIZE: 12, NAMESZ: 0, DESCSZ: 4, TYPE: 8 } as const;

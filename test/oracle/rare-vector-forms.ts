/**
 * Vector instructions that the engine performs outside generated code, for the comparison with the host's CPU: SSE4
 * string comparison and searches, AES, PCLMULQDQ, with XMM0 and XMM1 or memory as operands; also SHA and ADX.
 */
import type { Assembler } from "../support/asm/index.js";
import type { Form } from "./forms.js";

/** ModRM of xmm0, xmm1; of xmm0, [r11+16] behind REX.B. */
const REGISTERS = [0xc1];
const MEMORY = [0x43, 0x10];
const REX_B = 0x41;
const REX_W = 0x48;

/** Makes EAX and EDX -16 to 15, so that lengths within and beyond the register occur. */
const SMALL_LENGTHS = [
  ...[0xc1, 0xe0, 0x1b, 0xc1, 0xf8, 0x1b], // shl eax, 27; sar eax, 27
  ...[0xc1, 0xe2, 0x1b, 0xc1, 0xfa, 0x1b], // shl edx, 27; sar edx, 27
];
/** Leaves few different words in both registers, so that they compare equal often. */
const FEW_WORDS = [
  ...[0x66, 0x0f, 0x71, 0xd0, 0x0d], // psrlw xmm0, 13
  ...[0x66, 0x0f, 0x71, 0xd1, 0x0d],
];
/** The same for bytes. */
const FEW_BYTES = [
  ...FEW_WORDS,
  ...[0x66, 0x0f, 0x67, 0xc1], // packuswb xmm0, xmm1
  ...[0x66, 0x0f, 0x70, 0xc8, 0x4b], // pshufd xmm1, xmm0, 0x4b
];
const CONTROLS = 128;

interface StringInstruction {
  name: string;
  opcode: number;
  explicit: boolean;
  /** Distance between the control bytes that are tried. */
  step: number;
}

const STRINGS: readonly StringInstruction[] = [
  { name: "pcmpestrm", opcode: 0x60, explicit: true, step: 3 },
  { name: "pcmpestri", opcode: 0x61, explicit: true, step: 1 },
  { name: "pcmpistrm", opcode: 0x62, explicit: false, step: 3 },
  { name: "pcmpistri", opcode: 0x63, explicit: false, step: 1 },
];

function form(name: string, ...code: number[]): Form {
  return { name, emit: (x: Assembler) => x.db(...code) };
}

function stringForms(): Form[] {
  const forms: Form[] = [];
  for (const { name, opcode, explicit, step } of STRINGS) {
    const instruction = [0x66, 0x0f, 0x3a, opcode];
    for (let control = 0; control < CONTROLS; control += step) {
      const few = control & 1 ? FEW_WORDS : FEW_BYTES;
      const lengths = explicit ? SMALL_LENGTHS : [];
      const text = `${name} xmm0, xmm1, ${control}`;
      forms.push(form(`${text} of few`, ...lengths, ...few, ...instruction, ...REGISTERS, control));
      if (control % 8 === 0) forms.push(form(text, ...instruction, ...REGISTERS, control));
    }
    forms.push(form(`${name} memory`, 0x66, REX_B, 0x0f, 0x3a, opcode, ...MEMORY, 0x1a));
    forms.push(form(`${name} REX.W`, 0x66, REX_W, 0x0f, 0x3a, opcode, ...REGISTERS, 0x08));
  }
  return forms;
}

const ADX_PREFIXES: readonly (readonly [string, number])[] = [
  ["adcx", 0x66],
  ["adox", 0xf3],
];

/** ADCX and ADOX of 32 and 64 bits: EAX from EDX, RDX from memory. */
function adxForms(): Form[] {
  return ADX_PREFIXES.flatMap(([name, prefix]) => [
    form(`${name} eax, edx`, prefix, 0x0f, 0x38, 0xf6, 0xc2),
    form(`${name} rax, rdx`, prefix, REX_W, 0x0f, 0x38, 0xf6, 0xc2),
    form(`${name} rdx, m64`, prefix, REX_W | REX_B, 0x0f, 0x38, 0xf6, 0x53, 0x08),
  ]);
}

/** SHA: no prefix; the source in a register or memory. XMM0 is the destination, and the third operand of RNDS2. */
function shaForms(): Form[] {
  const forms = [0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd].flatMap((opcode) => [
    form(`sha 38 ${opcode.toString(16)}`, 0x0f, 0x38, opcode, ...REGISTERS),
    form(`sha 38 ${opcode.toString(16)} memory`, REX_B, 0x0f, 0x38, opcode, ...MEMORY),
  ]);
  for (const immediate of [0, 1, 2, 3, 0xfe])
    forms.push(form(`sha1rnds4 ${immediate}`, 0x0f, 0x3a, 0xcc, ...REGISTERS, immediate));
  // sha256rnds2 xmm1, [r11+16]; movdqa xmm0, xmm1
  forms.push(form("sha256rnds2 xmm1", REX_B, 0x0f, 0x38, 0xcb, 0x4b, 0x10, 0x66, 0x0f, 0x6f, ...REGISTERS));
  return forms;
}

/** An instruction of 0F 38 or 0F 3A with registers and with memory, under each immediate. */
function bothForms(name: string, map: number, opcode: number, immediates: readonly number[]): Form[] {
  const tails = immediates.length > 0 ? immediates.map((i) => [i]) : [[]];
  return tails.flatMap((tail) => [
    form(`${name} xmm0, xmm1, ${tail.join()}`, 0x66, 0x0f, map, opcode, ...REGISTERS, ...tail),
    form(`${name} xmm0, m128, ${tail.join()}`, 0x66, REX_B, 0x0f, map, opcode, ...MEMORY, ...tail),
  ]);
}

export function rareVectorForms(): Form[] {
  return [
    ...stringForms(),
    ...bothForms("phminposuw", 0x38, 0x41, []),
    ...bothForms("mpsadbw", 0x3a, 0x42, [0, 1, 2, 3, 4, 5, 6, 7, 0xf8]),
    ...bothForms("pclmulqdq", 0x3a, 0x44, [0x00, 0x01, 0x10, 0x11, 0xee]),
    ...[0xdb, 0xdc, 0xdd, 0xde, 0xdf].flatMap((opcode) =>
      bothForms(`aes 38 ${opcode.toString(16)}`, 0x38, opcode, []),
    ),
    ...bothForms("aeskeygenassist", 0x3a, 0xdf, [0x00, 0x01, 0x36, 0xff]),
    ...shaForms(),
    ...adxForms(),
  ];
}

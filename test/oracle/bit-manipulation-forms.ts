/** LZCNT, TZCNT, BMI1 and BMI2 for the comparison with the host's CPU: VEX-encoded, of EAX, ECX, EDX and memory. */
import type { Assembler } from "../support/asm/index.js";
import { AF, CF, OF, SF, STATUS, ZF } from "../support/model/flags.js";
import type { Form } from "./forms.js";

const VEX3 = 0xc4;
/** R, X and B all clear; VEX stores them inverted. */
const MAP_BITS = 0xe0;
const B_BIT = 0x20;
const W_BIT = 0x80;
const [EAX, ECX, EDX] = [0, 1, 2];
const PP: Record<string, number> = { np: 0, 66: 1, f3: 2, f2: 3 };
/** and ecx, 0x3f3f: counts, indices and fields within the operand and just beyond. */
const SMALL_ECX = [0x81, 0xe1, 0x3f, 0x3f, 0x00, 0x00];
/** Which registers ModRM.reg and VEX.vvvv name. */
interface Encoding {
  name: string;
  pp: keyof typeof PP;
  map: 2 | 3;
  opcode: number;
  reg: number;
  vvvv: number;
  immediates?: readonly number[];
  /** Flags that it defines; none changes by default. */
  defined?: bigint;
}

const three = (name: string, pp: string, opcode: number, defined?: bigint): Encoding => ({
  ...{ name, pp, map: 2, opcode, reg: EAX, vvvv: ECX },
  ...(defined !== undefined && { defined }),
});
/** Opcode F3: ModRM.reg tells the instruction, VEX.vvvv is the destination. */
const lowest = (name: string, reg: number): Encoding => ({
  ...{ name, pp: "np", map: 2, opcode: 0xf3, reg, vvvv: EAX },
  defined: CF | ZF | SF | OF,
});

const ENCODINGS: readonly Encoding[] = [
  three("andn", "np", 0xf2, CF | ZF | SF | OF),
  lowest("blsr", 1),
  lowest("blsmsk", 2),
  lowest("blsi", 3),
  three("bzhi", "np", 0xf5, CF | ZF | SF | OF),
  three("bextr", "np", 0xf7, CF | ZF | OF),
  three("pext", "f3", 0xf5),
  three("pdep", "f2", 0xf5),
  three("mulx", "f2", 0xf6),
  { ...three("mulx, one destination", "f2", 0xf6), vvvv: EAX },
  three("shlx", "66", 0xf7),
  three("sarx", "f3", 0xf7),
  three("shrx", "f2", 0xf7),
  { name: "rorx", pp: "f2", map: 3, opcode: 0xf0, reg: EAX, vvvv: 0, immediates: [0, 1, 31, 32, 63, 0xe5] },
];

function vexForms(e: Encoding): Form[] {
  const forms: Form[] = [];
  for (const wide of [0, W_BIT]) {
    const last = wide | ((~e.vvvv & 15) << 3) | PP[e.pp];
    for (const tail of e.immediates?.map((i) => [i]) ?? [[]]) {
      const name = `${e.name} ${wide ? 64 : 32} ${tail.join()}`;
      const ofRegister = [VEX3, MAP_BITS | e.map, last, e.opcode, 0xc0 | (e.reg << 3) | EDX, ...tail];
      // [r11+8]
      const ofMemory = [
        VEX3,
        (MAP_BITS & ~B_BIT) | e.map,
        last,
        e.opcode,
        0x43 | (e.reg << 3),
        0x08,
        ...tail,
      ];
      const defined = (): bigint => e.defined ?? STATUS;
      forms.push({ name, emit: (x) => x.db(...ofRegister), defined });
      forms.push({ name: `${name} memory`, emit: (x) => x.db(...ofMemory), defined });
      // AND leaves AF undefined.
      const afterAnd = (): bigint => defined() & ~AF;
      forms.push({
        name: `${name} small`,
        emit: (x) => x.db(...SMALL_ECX, ...ofRegister),
        defined: afterAnd,
      });
    }
  }
  return forms;
}

/** F3 0F BC and BD: EAX from EDX or memory, of 16, 32 and 64 bits. */
function countForms(): Form[] {
  const forms: Form[] = [];
  for (const [name, opcode] of [
    ["tzcnt", 0xbc],
    ["lzcnt", 0xbd],
  ] as const) {
    for (const [bits, before, rex] of [
      [16, [0x66], []],
      [32, [], []],
      [64, [], [0x48]],
    ] as const) {
      const emit = (x: Assembler): unknown => x.db(...before, 0xf3, ...rex, 0x0f, opcode, 0xc2);
      forms.push({ name: `${name}${bits}`, emit, defined: () => CF | ZF });
    }
    forms.push({
      name: `${name}64 memory`,
      emit: (x) => x.db(0xf3, 0x49, 0x0f, opcode, 0x43, 0x08),
      defined: () => CF | ZF,
    });
  }
  return forms;
}

export function bitManipulationForms(): Form[] {
  return [...ENCODINGS.flatMap(vexForms), ...countForms()];
}

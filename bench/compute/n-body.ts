/**
 * Planets around a star, a step at a time: scalar doubles with division and square root, all pairs, everything in
 * memory between steps.
 */
import {
  qword,
  r12d,
  rdi,
  rsi,
  xmm0,
  xmm1,
  xmm2,
  xmm3,
  xmm4,
  xmm5,
  xmm6,
} from "../../test/support/asm/index.js";
import type { Assembler, Xmm } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import {
  ADD,
  DIVIDE,
  LOAD_DOUBLE,
  MULTIPLY,
  SQUARE_ROOT,
  STORE_DOUBLE,
  SUBTRACT,
  emitFoldWords,
  foldWords,
} from "./doubles.js";
import { ARRAY } from "./program.js";
import type { ComputeProgram } from "./program.js";

const BODIES = 5;
/** A body is eight doubles: place, speed, mass, nothing. */
const FIELDS = 8;
const [X, Y, Z, VX, VY, VZ, MASS] = [0, 1, 2, 3, 4, 5, 6];
const AXES = [
  [X, VX],
  [Y, VY],
  [Z, VZ],
] as const;
const BODY_BYTES = FIELDS * 8;
const END = ARRAY + BODIES * BODY_BYTES;
const STEP_AT = ARRAY + 0x1000;
/** Years. */
const STEP = 0.001;
/** In units of astronomical units, years and such masses that gravity's constant is 1. */
const STAR_MASS = 4 * Math.PI ** 2;
const PLANET_MASS = STAR_MASS * 2e-4;

/** Circular orbits, each wider by 0.8, each starting elsewhere, slightly tilted. */
function start(): Float64Array {
  const bodies = new Float64Array(BODIES * FIELDS);
  bodies[MASS] = STAR_MASS;
  for (let i = 1; i < BODIES; i++) {
    const [radius, angle] = [1 + 0.8 * i, 2.4 * i];
    const speed = Math.sqrt(STAR_MASS / radius);
    bodies.set(
      [
        ...[radius * Math.cos(angle), radius * Math.sin(angle), 0.01 * i],
        ...[-speed * Math.sin(angle), speed * Math.cos(angle), 0],
        PLANET_MASS / i,
      ],
      i * FIELDS,
    );
  }
  return bodies;
}

/** One step; the order of operations is that of the guest. */
function advance(b: Float64Array): void {
  for (let i = 0; i < b.length; i += FIELDS) {
    for (let j = i + FIELDS; j < b.length; j += FIELDS) {
      const d = AXES.map(([place]) => b[i + place] - b[j + place]);
      const square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
      const pull = STEP / (square * Math.sqrt(square));
      const [mine, its] = [b[i + MASS] * pull, b[j + MASS] * pull];
      AXES.forEach(([, speed], axis) => {
        b[i + speed] -= d[axis] * its;
        b[j + speed] += d[axis] * mine;
      });
    }
  }
  for (let i = 0; i < b.length; i += FIELDS) {
    for (const [place, speed] of AXES) b[i + place] += b[i + speed] * STEP;
  }
}

const load = (a: Assembler, d: Xmm, s: ReturnType<typeof qword>): Assembler =>
  a.scalarDouble(LOAD_DOUBLE, d, s);

/** The pair of RSI and RDI: distances in XMM0 to XMM2, the pull's factor in XMM3. */
function pair(a: Assembler): void {
  const distance = [xmm0, xmm1, xmm2];
  distance.forEach((d, axis) => {
    const place = 8 * AXES[axis][0];
    load(a, d, qword(rsi, place)).scalarDouble(SUBTRACT, d, qword(rdi, place));
  });
  a.scalarDouble(LOAD_DOUBLE, xmm4, xmm0).scalarDouble(MULTIPLY, xmm4, xmm0);
  for (const d of [xmm1, xmm2]) {
    a.scalarDouble(LOAD_DOUBLE, xmm5, d).scalarDouble(MULTIPLY, xmm5, d).scalarDouble(ADD, xmm4, xmm5);
  }
  a.scalarDouble(SQUARE_ROOT, xmm5, xmm4).scalarDouble(MULTIPLY, xmm4, xmm5);
  load(a, xmm3, qword(STEP_AT)).scalarDouble(DIVIDE, xmm3, xmm4);
  for (const [body, other, operation] of [
    [rsi, rdi, SUBTRACT],
    [rdi, rsi, ADD],
  ] as const) {
    load(a, xmm4, qword(other, 8 * MASS)).scalarDouble(MULTIPLY, xmm4, xmm3);
    distance.forEach((d, axis) => {
      const speed = qword(body, 8 * AXES[axis][1]);
      a.scalarDouble(LOAD_DOUBLE, xmm5, d).scalarDouble(MULTIPLY, xmm5, xmm4);
      // Subtraction does not commute: the speed is loaded, changed and stored.
      load(a, xmm6, speed).scalarDouble(operation, xmm6, xmm5).scalarDouble(STORE_DOUBLE, xmm6, speed);
    });
  }
}

function step(a: Assembler): void {
  a.mov(rsi, ARRAY).label("body").mov(rdi, rsi).jmp("nextOther").label("other");
  pair(a);
  a.label("nextOther").add(rdi, BODY_BYTES).cmp(rdi, END).jcc("b", "other");
  for (const [place, speed] of AXES) {
    load(a, xmm0, qword(rsi, 8 * speed)).scalarDouble(MULTIPLY, xmm0, qword(STEP_AT));
    a.scalarDouble(ADD, xmm0, qword(rsi, 8 * place)).scalarDouble(STORE_DOUBLE, xmm0, qword(rsi, 8 * place));
  }
  a.add(rsi, BODY_BYTES).cmp(rsi, END).jcc("b", "body");
}

function write(g: GuestBuilder, steps: number): bigint {
  const { a } = g;
  const bodies = start();
  g.data(ARRAY, new Uint8Array(bodies.slice().buffer));
  g.data(STEP_AT, new Uint8Array(Float64Array.of(STEP).buffer));
  a.mov(r12d, steps).label("step");
  step(a);
  a.dec(r12d).jcc("ne", "step");
  emitFoldWords(a, ARRAY, BODIES * FIELDS);
  for (let i = 0; i < steps; i++) advance(bodies);
  return foldWords(bodies);
}

/** Size: steps. */
export const nBody: ComputeProgram = {
  name: "n-body",
  what: "scalar doubles with DIVSD, SQRTSD",
  class: "float",
  size: 150_000,
  tiny: 20,
  write,
};

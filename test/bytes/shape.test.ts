/** What shapes let through, what they refuse, and how they name it (R6.2). */
import assert from "node:assert/strict";
import test from "node:test";
import {
  big,
  bits,
  bool,
  bytes,
  finite,
  i32,
  json,
  list,
  natural,
  namedMap,
  numberMap,
  oneOf,
  optional,
  record,
  refine,
  sameBytes,
  ShapeError,
  text,
  u16,
  u32,
  u64,
  u8,
  whole,
  type Shape,
} from "../../src/bytes/shape.js";

function accepts(shape: Shape<unknown>, ...values: unknown[]): void {
  for (const value of values) assert.deepEqual(shape.check(value, "it"), value);
}

/** Every value is refused, by a ShapeError whose message stays short. */
function refuses(shape: Shape<unknown>, ...values: unknown[]): void {
  for (const value of values) {
    assert.throws(
      () => shape.check(value, "it"),
      (error) => error instanceof ShapeError && error.message.length < 300,
    );
  }
}

const NO_VALUES = [undefined, null, "0", true, {}, [], 0n, new Uint8Array(1)];

test("R6.2 shape: whole numbers are taken within their range, and nothing else is a number", () => {
  accepts(u8, 0, 255);
  refuses(u8, ...NO_VALUES, -1, 256, 0.5, NaN, Infinity);
  accepts(u16, 0xffff);
  refuses(u16, 0x10000);
  accepts(u32, 0xffff_ffff);
  refuses(u32, 2 ** 32);
  accepts(i32, -(2 ** 31), 2 ** 31 - 1);
  refuses(i32, 2 ** 31, -(2 ** 31) - 1);
  accepts(natural, Number.MAX_SAFE_INTEGER);
  refuses(natural, 2 ** 53, -1, Infinity);
  accepts(whole(-3, 4), -3, 4);
  refuses(whole(-3, 4), -4, 5, 0.1);
  assert.ok(Object.is(u8.check(-0, ""), 0), "there is one zero");
});

test("R6.2 shape: finite numbers, bigints, bits and booleans", () => {
  accepts(finite(0.5, 2), 0.5, 1.75);
  refuses(finite(-Infinity, 2), ...NO_VALUES, NaN, 2.1);
  accepts(u64, 0n, 2n ** 64n - 1n);
  refuses(u64, -1n, 2n ** 64n, 0, "0", 1n << 100_000n);
  accepts(big(3n, 4n), 3n);
  accepts(bits(0x8000_0001), 0, 0x8000_0001);
  refuses(bits(0x8000_0001), ...NO_VALUES, 2, -1, 2 ** 32, 0.5);
  accepts(bool, true, false);
  refuses(bool, 0, 1, "true", null);
});

test("R6.2 shape: literals, texts and bytes are taken up to their length", () => {
  accepts(oneOf("a", 3, null), "a", 3, null);
  refuses(oneOf("a", 3, null), "b", 4, undefined, false);
  accepts(text(3), "", "abc");
  refuses(text(3), "abcd", 1, new String("a"));
  accepts(bytes(2), Uint8Array.of(1, 2));
  refuses(bytes(2), Uint8Array.of(1), [1, 2], new Uint16Array(2), new ArrayBuffer(2));
  accepts(bytes({ min: 1, max: 2 }), Uint8Array.of(1), Uint8Array.of(1, 2));
  refuses(bytes({ min: 1, max: 2 }), new Uint8Array(0), new Uint8Array(3));
});

test("R6.2 shape: what comes out is a copy, save bytes that are asked for as they are", () => {
  const value: { list: Uint8Array[] } = { list: [Uint8Array.of(1)] };
  const copy = record<typeof value>({ list: list(bytes(1), { max: 1 }) }).check(value, "");
  assert.deepEqual(copy, value);
  value.list[0][0] = 2;
  value.list.push(Uint8Array.of(3));
  assert.deepEqual(copy, { list: [Uint8Array.of(1)] });
  assert.equal(sameBytes({ max: 9 }).check(value.list[0], ""), value.list[0]);
});

test("R6.2 shape: a list is as long as it must be, and that is looked at first", () => {
  accepts(list(u8, 2), [1, 2]);
  refuses(list(u8, 2), [1], [1, 2, 3], { length: 2 }, "ab", Uint8Array.of(1, 2));
  accepts(list(u8, { min: 1, max: 3 }), [1], [1, 2, 3]);
  refuses(list(u8, { min: 1, max: 3 }), [], [1, 2, 3, 4], new Array(2));
  let looked = 0;
  const counting: Shape<number> = { check: () => looked++ };
  // A list of holes costs nothing until somebody walks it.
  assert.throws(() => list(counting, { max: 5 }).check(new Array(2 ** 32 - 1), "huge"), {
    path: "huge",
    found: "a list of 4294967295",
    expected: "a list of at most 5",
  });
  assert.equal(looked, 0);
});

interface Point {
  x: number;
  y?: number;
}
const point = record<Point>({ x: u8, y: optional(u8) });

test("R6.2 shape: an object has the fields that are known, and only them", () => {
  accepts(point, { x: 1 }, { x: 1, y: 2 });
  assert.deepEqual(Object.keys(point.check({ x: 1, y: undefined }, "")), ["x"]);
  refuses(point, {}, { y: 1 }, { x: 1, z: 1 }, { x: 1, y: null }, [], null, "x", new Uint8Array(1));
  assert.throws(() => point.check({ x: 1, z: 5 }, "p"), {
    path: "p.z",
    found: "5",
    expected: "no such field",
  });
  assert.throws(
    () => point.check({ x: 1, ["y".repeat(5000)]: 1 }, "p"),
    (error: ShapeError) => error.path.length < 60,
  );
});

test("R6.2 shape: what an object inherits is no field of it, and no field changes what objects inherit", () => {
  refuses(point, Object.create({ x: 1 }) as unknown);
  const hostile: unknown = JSON.parse('{"x":1,"__proto__":{"y":300}}');
  assert.throws(() => point.check(hostile, "p"), { path: "p.__proto__" });
  const copy = namedMap(text(20), json({ depth: 1, size: 9 }), 5).check(
    JSON.parse('{"__proto__":{"a":1}}'),
    "",
  );
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
  assert.ok(Object.hasOwn(copy, "__proto__"));
});

test("R6.2 shape: maps from names and numbers are bounded", () => {
  accepts(namedMap(text(2), u8, 2), {}, { a: 1, bb: 2 });
  refuses(namedMap(text(2), u8, 2), { a: 1, b: 2, c: 3 }, { abc: 1 }, { a: 256 }, [1], null);
  accepts(numberMap(u32, u64, 2), {}, { 16: 1n, 4294967295: 2n });
  refuses(numberMap(u32, u64, 2), { a: 1n }, { "01": 1n }, { "-1": 1n }, { "1e3": 1n }, { "": 1n });
  refuses(numberMap(u32, u64, 2), { 4294967296: 1n }, { 1: 1 }, { 1: 1n, 2: 1n, 3: 1n });
});

test("R6.2 shape: JSON is bounded in depth and in size, whatever it is made of", () => {
  const shape = json({ depth: 2, size: 20 });
  accepts(shape, null, 1.5, "text", true, [1, [2]], { a: { b: "c" } });
  refuses(shape, undefined, 1n, NaN, new Uint8Array(1), [[[]]], { a: { b: {} } }, "x".repeat(30));
  refuses(shape, new Array(21).fill(0), { ["x".repeat(30)]: 1 }, [undefined], new Array(2 ** 32 - 1));
  let deep: unknown = 0;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  refuses(shape, deep);
  const round: unknown[] = [];
  round.push(round);
  refuses(json({ depth: 50, size: 1000 }), round);
});

test("R6.2 shape: an error says where, what was there and what belongs there", () => {
  const shape = record({ cpus: list(record({ gpr: list(u8, 2) }), { max: 4 }) });
  const refused = { cpus: [{ gpr: [1, 2] }, { gpr: [1, -2] }] };
  assert.throws(() => shape.check(refused, ""), {
    name: "ShapeError",
    path: "cpus[1].gpr[1]",
    found: "-2",
    expected: "a whole number from 0 to 255",
    message: "cpus[1].gpr[1]: found -2; expected a whole number from 0 to 255",
  });
  assert.throws(
    () => u8.check("a\u001b[31m\n".repeat(1000), "it"),
    (error: ShapeError) => {
      assert.doesNotMatch(error.message, /[\u001b\n]/);
      return error.message.length < 300;
    },
  );
});

test("R6.2 shape: fields that do not agree with each other are refused, at the one to blame", () => {
  const shape = refine(record<Point>({ x: u8, y: optional(u8) }), ({ x, y = 0 }) =>
    y > x ? { at: ".y", found: `${y}`, expected: `at most ${x}` } : undefined,
  );
  accepts(shape, { x: 1 }, { x: 2, y: 2 });
  assert.throws(() => shape.check({ x: 1, y: 2 }, "p"), { path: "p.y", found: "2", expected: "at most 1" });
  assert.throws(() => shape.check({ x: 1, y: 2 }, ""), { path: "y" });
  assert.throws(() => shape.check({ x: "1" }, "p"), { path: "p.x" });
});

/**
 * `docs/requirements.md` and the sources say the same: every requirement number that is used has its row, and what a row
 * calls done or partly done is shown by tests that carry the number.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { repositoryFiles, repositoryText } from "../support/repository.js";

const PAGE = "docs/requirements.md";
const NUMBER = /\bR[1-6]\.[0-9]+\b/g;
const USERS = ["src", "test", "bench", "tools", "docs"];
const TEXT = /\.([cm]?[jt]s|md)$/;
const STATES = /^(done|open|partly: .+)$/;

interface Row {
  number: string;
  wanted: string;
  state: string;
  tests: string[];
}

/** The rows of a page's tables whose first cell is a requirement number. */
function rowsOf(page: string): Row[] {
  return page
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => /^R\d/.test(cells[1] ?? ""))
    .map(([, number, wanted, state, tests]) => ({
      number,
      wanted,
      state,
      tests: [...(tests ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1]),
    }));
}

/** What is wrong with a row's tests, given the text of each file there is. */
function faultsOf({ number, state, tests }: Row, textOf: (file: string) => string | undefined): string[] {
  if (state === "open") return tests.length === 0 ? [] : [`${number} is open and names tests`];
  if (tests.length === 0) return [`${number} names no test`];
  const carries = (file: string): boolean =>
    new Set<string>(textOf(file)?.match(NUMBER)).has(number) && file.startsWith("test/");
  return tests
    .filter((file) => !carries(file))
    .map((file) => `${number}: ${file} is no test that carries the number`);
}

/** Use of numbers: number to the files that have it, the page itself aside. */
function used(): Map<string, string[]> {
  const files = USERS.flatMap((folder) => repositoryFiles(folder)).filter(
    (file) => TEXT.test(file) && file !== PAGE && !file.startsWith("test/style/requirements"),
  );
  const found = new Map<string, string[]>();
  for (const file of files)
    for (const number of new Set(repositoryText(file).match(NUMBER) ?? []))
      found.set(number, [...(found.get(number) ?? []), file]);
  return found;
}

const rows = rowsOf(repositoryText(PAGE));

test("requirements: each has one row, in order, with what is asked for and a state", () => {
  const numbers = rows.map(({ number }) => number);
  assert.deepEqual(numbers, [...new Set(numbers)]);
  assert.deepEqual(
    rows.filter(({ wanted, state }) => wanted === "" || !STATES.test(state)),
    [],
  );
  for (const [at, number] of numbers.entries()) {
    const [group, place] = number.slice(1).split(".").map(Number);
    const before = numbers[at - 1];
    const expected = [`R${group}.${place - 1}`, place === 1 ? before : undefined];
    assert.ok(expected.includes(before), `${number} stands behind ${before}`);
  }
});

test("requirements: every number in sources, tests and pages has its row", () => {
  const known = new Set(rows.map(({ number }) => number));
  const unknown = [...used()].filter(([number]) => !known.has(number));
  assert.deepEqual(unknown, []);
});

test("requirements: what is done, or partly, names tests that carry its number; what is open is in no test's name", () => {
  const files = new Set(repositoryFiles("test"));
  const textOf = (file: string): string | undefined => (files.has(file) ? repositoryText(file) : undefined);
  assert.deepEqual(
    rows.flatMap((row) => faultsOf(row, textOf)),
    [],
  );
  const uses = used();
  const claimed = rows
    .filter(({ state }) => state === "open")
    .flatMap(({ number }) =>
      (uses.get(number) ?? []).filter((file) => file.startsWith("test/")).map((file) => `${number}: ${file}`),
    );
  assert.deepEqual(claimed, []);
});

test("requirements: a row without tests, with one that is not there or without its number is found", () => {
  const [row] = rowsOf("| R1.2 | something | done | `test/a.test.ts`, `test/b.test.ts` |");
  const texts = new Map([
    ["test/a.test.ts", 'test("R1.2 it works"'],
    ["test/b.test.ts", 'test("R1.20 it works"'],
  ]);
  const textOf = (file: string): string | undefined => texts.get(file);
  assert.deepEqual(faultsOf(row, textOf), ["R1.2: test/b.test.ts is no test that carries the number"]);
  assert.deepEqual(faultsOf({ ...row, tests: [] }, textOf), ["R1.2 names no test"]);
  assert.deepEqual(faultsOf({ ...row, tests: ["test/c.test.ts"] }, textOf), [
    "R1.2: test/c.test.ts is no test that carries the number",
  ]);
  assert.deepEqual(faultsOf({ ...row, state: "open" }, textOf), ["R1.2 is open and names tests"]);
});

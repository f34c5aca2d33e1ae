/** Judges of reports: JUnit's XML as its readers agree on it, and TAP 14 by its grammar. What is wrong throws. */
import assert from "node:assert/strict";
import { parseXml, type Element } from "./strict-xml.js";

/** What an element may hold, and its attributes: `!` those that it must have. */
const JUNIT: Readonly<Record<string, { children: string[]; attributes: string[] }>> = {
  testsuites: { children: ["testsuite"], attributes: ["name", "tests!", "failures!", "errors!", "time"] },
  testsuite: {
    children: ["testcase"],
    attributes: ["name!", "tests!", "failures!", "errors!", "skipped", "time", "timestamp", "hostname", "id"],
  },
  testcase: {
    children: ["skipped", "failure", "error", "system-out", "system-err"],
    attributes: ["name!", "classname!", "time"],
  },
  skipped: { children: [], attributes: ["message"] },
  failure: { children: [], attributes: ["message", "type"] },
  error: { children: [], attributes: ["message", "type"] },
  "system-out": { children: [], attributes: [] },
  "system-err": { children: [], attributes: [] },
};

function check(element: Element): void {
  const rule = JUNIT[element.name];
  assert.ok(rule !== undefined, `no element of JUnit: ${element.name}`);
  const given = Object.keys(element.attributes);
  const known = rule.attributes.map((name) => name.replace("!", ""));
  assert.deepEqual(
    given.filter((name) => !known.includes(name)),
    [],
  );
  for (const name of rule.attributes.filter((one) => one.endsWith("!")))
    assert.ok(given.includes(name.slice(0, -1)), `${element.name} lacks ${name}`);
  for (const name of ["tests", "failures", "errors", "skipped"])
    if (given.includes(name)) assert.match(element.attributes[name], /^\d+$/);
  if (given.includes("time")) assert.match(element.attributes["time"], /^\d+\.\d{3}$/);
  if (given.includes("timestamp"))
    assert.match(element.attributes["timestamp"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  const order = element.children.map(({ name }) => rule.children.indexOf(name));
  assert.ok(!order.includes(-1), `in ${element.name}: ${element.children.map(({ name }) => name).join()}`);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  if (rule.children.length > 0) assert.equal(element.text.trim(), "");
  for (const child of element.children) check(child);
}

/** The test cases of a JUnit file, after all of it was checked. */
export function checkJunit(bytes: Uint8Array): Element[] {
  const root = parseXml(bytes);
  check(root);
  assert.equal(root.name, "testsuites");
  const cases = root.children.flatMap(({ children }) => children);
  const having = (name: string): string =>
    String(cases.filter(({ children }) => children.some((one) => one.name === name)).length);
  for (const element of [root, ...root.children]) {
    assert.equal(element.attributes["tests"], String(cases.length));
    assert.equal(element.attributes["failures"], having("failure"));
    assert.equal(element.attributes["errors"], having("error"));
  }
  assert.equal(root.children[0].attributes["skipped"], having("skipped"));
  return cases;
}

export interface TapPoint {
  ok: boolean;
  description: string;
  skip: string | undefined;
  /** Lines of its YAML. */
  yaml: string[];
}

const POINT =
  /^(?<not>not )?ok (?<number>\d+) - (?<description>(?:[^\\#]|\\[\\#])*?)(?: # SKIP(?: (?<skip>.*))?)?$/;
/** Of YAML, what a reader needs no YAML for: keys with numbers or strings as JSON has them, and one list of strings. */
const YAML = /^ {2}(?:[a-z_]+: (?:\d+|(?<text>".*"))|[a-z_]+:| {2}- (?<item>".*"))$/;

/** The test points of a TAP 14 document, after all of it was checked. */
export function checkTap(text: string): { points: TapPoint[]; bail: string | undefined } {
  assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  assert.ok(text.endsWith("\n"));
  const [version, plan, ...lines] = text.slice(0, -1).split("\n");
  assert.equal(version, "TAP version 14");
  const points: TapPoint[] = [];
  let bail: string | undefined;
  let inYaml = false;
  for (const line of lines) {
    assert.equal(bail, undefined, "nothing follows a bail out");
    if (inYaml && line !== "  ...") {
      const groups = YAML.exec(line)?.groups;
      assert.ok(YAML.test(line), line);
      for (const value of [groups?.["text"], groups?.["item"]]) if (value !== undefined) JSON.parse(value);
      points[points.length - 1].yaml.push(line);
    } else if (line === "  ---" || line === "  ...") {
      assert.equal(inYaml, line === "  ...");
      inYaml = !inYaml;
    } else if (line.startsWith("Bail out!")) bail = line.slice("Bail out! ".length);
    else {
      const groups = POINT.exec(line)?.groups;
      assert.ok(groups !== undefined, line);
      assert.equal(Number(groups["number"]), points.length + 1);
      const description = groups["description"].replace(/\\([\\#])/g, "$1");
      points.push({ ok: groups["not"] === undefined, description, skip: groups["skip"], yaml: [] });
    }
  }
  assert.equal(inYaml, false);
  assert.equal(plan, `1..${points.length}`);
  return { points, bail };
}

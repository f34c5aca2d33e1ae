/** A strict reader of the XML that has elements, attributes and text: what is not well-formed (W3C XML 1.0) throws. */
import assert from "node:assert/strict";

export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

const CHARACTER = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const TOKEN =
  /<(?<end>\/)?(?<name>[a-z][a-z-]*)(?<attributes>(?: [a-z]+="[^"<]*")*)(?<empty>\/)?>|(?<text>[^<]+)/gy;
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

function unescaped(text: string): string {
  return text.replace(/&([^;]*);?/g, (whole, name: string) => {
    const number = /^#(\d+)$/.exec(name);
    const found = number === null ? NAMED[name] : String.fromCodePoint(Number(number[1]));
    assert.ok(
      found !== undefined && whole.endsWith(";") && CHARACTER.test(found),
      `no such entity: ${whole}`,
    );
    return found;
  });
}

/** The root element of a document. */
export function parseXml(bytes: Uint8Array): Element {
  const document = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  assert.ok(document.startsWith(DECLARATION));
  assert.match(document, CHARACTER);
  const top: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [top];
  TOKEN.lastIndex = DECLARATION.length;
  while (TOKEN.lastIndex < document.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(document)?.groups;
    assert.ok(groups, `at ${at}: ${document.slice(at, at + 80)}`);
    const parent = open[open.length - 1];
    if (groups["text"] !== undefined) {
      assert.ok(!groups["text"].includes("]]>"), "]]> in text");
      parent.text += unescaped(groups["text"]);
    } else if (groups["end"] !== undefined) {
      assert.equal(open.pop()?.name, groups["name"]);
    } else {
      const element: Element = { name: groups["name"], attributes: {}, children: [], text: "" };
      for (const [, name, value] of groups["attributes"].matchAll(/ ([a-z]+)="([^"]*)"/g)) {
        assert.ok(!Object.hasOwn(element.attributes, name), `${name} twice`);
        element.attributes[name] = unescaped(value);
      }
      parent.children.push(element);
      if (groups["empty"] === undefined) open.push(element);
    }
  }
  assert.equal(open.length, 1, "an element is not closed");
  assert.equal(top.children.length, 1);
  assert.equal(top.text.trim(), "");
  return top.children[0];
}

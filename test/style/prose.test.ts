/**
 * Documents are plain English: no sentence is long, no table cell begins with a semicolon, RATIONALE asks a question a heading,
 * and a link leads to a heading that is there. Code blocks and the generated list of instructions are left out.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { repositoryFiles, repositoryText } from "../support/repository.js";

const GENERATED = "docs/instructions.md";
const MOST_WORDS = 35;
const BLOCK = /^ *```.*?^ *```$/gms;
const LIST_ITEM = /^\s*(?:-|\d+\.) /;
const LINK = /\]\(([\w./-]*)#([^)\s]+)\)/g;

const documents = repositoryFiles().filter((file) => file.endsWith(".md") && file !== GENERATED);
const proseOf = (text: string): string => text.replace(BLOCK, "");

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Paragraphs, list items and cells of a text, each in one line. */
function piecesOf(text: string): string[] {
  const pieces = [""];
  for (const line of proseOf(text).split("\n")) {
    if (line.startsWith("|")) pieces.push(...cellsOf(line), "");
    else if (line.trim() === "" || line.startsWith("#")) pieces.push("");
    else if (LIST_ITEM.test(line)) pieces.push(line);
    else pieces.push(`${pieces.pop() ?? ""} ${line}`);
  }
  return pieces;
}

/** The sentences of a text that have too many words; a colon ends one, as a person takes breath there. */
function longSentences(text: string): string[] {
  const words = (sentence: string): number => sentence.split(/\s+/).filter((word) => /\w/.test(word)).length;
  return piecesOf(text)
    .flatMap((piece) => piece.split(/(?<=[.!?:][)*"]*)\s+/))
    .filter((sentence) => words(sentence) > MOST_WORDS);
}

function spoiltCells(text: string): string[] {
  return proseOf(text)
    .split("\n")
    .filter((line) => line.startsWith("|") && cellsOf(line).some((cell) => cell.startsWith(";")));
}

function headingsOf(text: string, level = /^#+ (.*)$/gm): string[] {
  return [...proseOf(text).matchAll(level)].map(([, heading]) => heading);
}

/** The name by which a link reaches a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** Links of a document whose heading is not there. */
function lostAnchors(document: string): string[] {
  const folder = document.slice(0, document.lastIndexOf("/") + 1);
  return [...proseOf(repositoryText(document)).matchAll(LINK)]
    .filter(([, file, anchor]) => {
      const text = repositoryText(file === "" ? document : `${folder}${file}`);
      return !headingsOf(text).map(anchorOf).includes(anchor);
    })
    .map(([link]) => `${document}: ${link}`);
}

for (const document of documents) {
  test(`documents: ${document} has no sentence of more than ${MOST_WORDS} words, and no cell that begins with a semicolon`, () => {
    const text = repositoryText(document);
    assert.deepEqual(longSentences(text), []);
    assert.deepEqual(spoiltCells(text), []);
  });
}

test("documents: RATIONALE.md asks a question a heading", () => {
  const headings = headingsOf(repositoryText("RATIONALE.md"), /^### (.*)$/gm);
  assert.ok(headings.length > 0);
  assert.deepEqual(
    headings.filter((heading) => !heading.endsWith("?")),
    [],
  );
});

test("documents: every link to a heading finds it", () => {
  assert.deepEqual(documents.flatMap(lostAnchors), []);
});

test("documents: a long sentence and a cell without a beginning are found", () => {
  const long = Array(MOST_WORDS + 1).fill("word");
  assert.equal(longSentences(`Short. ${long.join(" ")}.\nShort.`).length, 1);
  assert.equal(longSentences(`- ${long.join("\n  ")}`).length, 1);
  assert.equal(longSentences(`| a | ${long.join(" ")} |`).length, 1);
  assert.equal(longSentences(`${long.slice(2).join(" ")}: ${long.slice(2).join(" ")}`).length, 0);
  assert.equal(longSentences(`\`\`\`sh\n${long.join(" ")}\n\`\`\``).length, 0);
  assert.deepEqual(spoiltCells("| a | ; b |\n| a; b | c |"), ["| a | ; b |"]);
});

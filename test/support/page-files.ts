/** The files that a page of the documentation shows in full: fenced blocks with `file=NAME` behind the language. */
import { repositoryText } from "./repository.js";

/** Text by file name, in the order of the page. */
export function pageFiles(page: string, language: "ts" | "js"): Map<string, string> {
  const block = new RegExp(`^\`\`\`${language} file=(\\S+)\\n(.*?)^\`\`\`$`, "gms");
  return new Map([...repositoryText(page).matchAll(block)].map(([, name, text]) => [name, text]));
}

/** A process that exchanges a folder with a link for as long as it runs, very often: `node swapper.js FOLDER LINK`. Both are names in one folder. */
import { renameSync, writeSync } from "node:fs";

const [, , folder = "", link = ""] = process.argv;
const aside = `${folder}.aside`;
writeSync(1, "begun\n");
for (;;) {
  renameSync(folder, aside);
  renameSync(link, folder);
  renameSync(folder, link);
  renameSync(aside, folder);
}

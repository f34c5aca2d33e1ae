/** Reads every file of a shared folder and keeps all nodes, with more descriptors allowed than the process has: `node few-descriptors.js FOLDER`. */
import { readdirSync, writeSync } from "node:fs";
import { nativeCalls } from "../../../src/host/node/native-calls.js";
import { openHostFolder } from "../../../src/host/node/share/share-folder.js";

const [, , folder = ""] = process.argv;
const native = nativeCalls();
const share = await openHostFolder(folder, { readOnly: true, native, limits: { descriptors: 10_000 } });
let read = 0;
for (const name of readdirSync(folder)) {
  const { node } = share.lookup(share.root, Buffer.from(name));
  const handle = share.open(node, 0);
  const into = new Uint8Array(100);
  const length = share.read(handle, 0, into);
  if (`f${Buffer.from(into.subarray(0, length)).toString()}` === name) read++;
  share.release(handle);
}
writeSync(1, `${read} read\n`);

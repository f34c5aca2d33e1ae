/** A process that has a disk open until its standard input ends: `node disk-holder.js FILE read|write|memory native|plain`. */
import { writeSync } from "node:fs";
import type { DiskRequest } from "../../src/host/node/disk-request.js";
import { Disks } from "../../src/host/node/disks.js";
import { nativeCalls } from "../../src/host/node/native-calls.js";

const [, , file, access, calls] = process.argv;
const native = calls === "native" ? nativeCalls() : undefined;
const disks = new Disks([{ file, access: access as DiskRequest["access"] }], { native });
writeSync(1, "held\n");
process.stdin.on("end", () => disks.close());
process.stdin.resume();

/**
 * R5.3 with xl's own parser: the library that xl reads its configurations with (libxlutil of Debian's Xen 4.17), called
 * from Python. xl itself starts only where Xen runs, even with --dryrun.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import test, { type TestContext } from "node:test";
import { exportGuest } from "../../src/export/index.js";
import { recognise } from "../../src/formats/index.js";
import { FileTree } from "../../src/guests/initramfs/file-tree.js";
import { addPackages } from "../../src/guests/initramfs/package-files.js";
import { makeZImage } from "../support/arm-images.js";
import { missing, requirePackages, requireTool } from "../support/requires.js";

const LIBRARIES = /^usr\/lib\/x86_64-linux-gnu\/(lib(xl|xen|nl-|yajl)[^/]*)$/;

/** Reads a configuration with xlu_cfg_readdata, prints values as JSON, parses each disk with xlu_disk_parse. */
const READER = `
import ctypes, json, sys
c = ctypes.CDLL(None)
l = ctypes.CDLL("libxlutil.so.4.17")
V, S, I = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
l.xlu_cfg_init.restype = V
l.xlu_cfg_init.argtypes = [V, S]
l.xlu_cfg_readdata.argtypes = [V, S, I]
l.xlu_cfg_get_string.argtypes = [V, S, ctypes.POINTER(S), I]
l.xlu_cfg_get_list.argtypes = [V, S, ctypes.POINTER(V), ctypes.POINTER(I), I]
l.xlu_cfg_get_listitem.argtypes = [V, I]
l.xlu_cfg_get_listitem.restype = S
l.xlu_disk_parse.argtypes = [V, I, ctypes.POINTER(S), V]
cfg = l.xlu_cfg_init(V.in_dll(c, "stderr"), b"guest.cfg")
data = open(sys.argv[1], "rb").read()
out = {"status": l.xlu_cfg_readdata(cfg, data, len(data))}
for key in ["name", "kernel", "ramdisk", "extra", "memory", "vcpus", "on_crash"]:
    value = S()
    if l.xlu_cfg_get_string(cfg, key.encode(), ctypes.byref(value), 1) == 0:
        out[key] = value.value.decode()
disks, count = V(), I()
out["disks"] = []
if l.xlu_cfg_get_list(cfg, b"disk", ctypes.byref(disks), ctypes.byref(count), 1) == 0:
    for i in range(count.value):
        text = l.xlu_cfg_get_listitem(disks, i)
        one = (S * 1)(text)
        room = ctypes.create_string_buffer(4096)
        out["disks"].append([text.decode(), l.xlu_disk_parse(cfg, 1, one, room)])
print(json.dumps(out))
`;

/** A folder with xl's libraries; undefined after the test was skipped. */
async function libraries(t: TestContext): Promise<string | undefined> {
  if (process.arch !== "x64" || process.platform !== "linux") {
    missing(t, "xl's libraries are fetched for Linux on x86-64 only");
    return undefined;
  }
  const set = await requirePackages(t, { packages: ["libxenmisc4.17"], assume: ["libc6"] });
  if (set === undefined) return undefined;
  const tree = new FileTree();
  await addPackages(tree, set);
  const folder = await mkdtemp(path.join(tmpdir(), "locore-xl-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const entry of tree.sorted()) {
    const name = LIBRARIES.exec(entry.path)?.[1];
    if (name === undefined) continue;
    const file = path.join(folder, name);
    if (entry.kind === "symlink") await symlink(entry.target, file);
    else if (entry.kind === "file") await pipeline(Readable.from(entry.content()), createWriteStream(file));
  }
  return folder;
}

test("R5.3 xl's own parser reads back what was exported, disks included", async (t) => {
  const python = requireTool(t, "python3");
  const folder = python && (await libraries(t));
  if (python === undefined || folder === undefined) return;
  const bytes = makeZImage();
  const commandLine = `boot="yes" it's \\0x41 [a], {b} # c`;
  const { file } = exportGuest(
    {
      kernel: { name: "my kernel.zImage", size: bytes.length, image: recognise(bytes) },
      name: "freebsd",
      commandLine,
      cpus: 1,
      initrd: { name: "initrd", size: 5 },
      disks: ["/tmp/root disk.img", "b.img"],
    },
    "xl",
  );
  const config = path.join(folder, "freebsd.cfg");
  await writeFile(config, file.text);
  const env = { ...process.env, LD_LIBRARY_PATH: folder };
  const run = spawnSync(python, ["-c", READER, config], { env, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout), {
    status: 0,
    name: "freebsd",
    kernel: "my kernel.zImage",
    ramdisk: "initrd",
    extra: commandLine,
    memory: "256",
    vcpus: "1",
    on_crash: "destroy",
    disks: [
      ["format=raw, vdev=xvda, access=rw, target=/tmp/root disk.img", 0],
      ["format=raw, vdev=xvdb, access=rw, target=b.img", 0],
    ],
  });
});

/**
 * Xen's own loader: libxenguest of Debian's Xen 4.17, asked on this host what it makes of kernels, in a root of its own. It needs no
 * hypervisor for that: xc_dom_parse_image chooses the loader and checks the image, and only then asks whether the hypervisor can
 * run such a guest, which ends it here. For tests.
 */
import type { TestContext } from "node:test";
import { outputOnHost, softwareRoot } from "../support/software.js";

/** What it said of one image as one kind of guest: its messages, and the guest's type where it takes the image. */
export interface XenAnswer {
  readonly messages: readonly string[];
  readonly guest: string | undefined;
}

export const XEN_KINDS = ["pv", "pvh"] as const;
export type XenKind = (typeof XEN_KINDS)[number];

/** container_type of struct xc_dom_image in libxenguest 4.17 for amd64 (xenguest.h of libxen-dev); no constructor sets it. */
const CONTAINER_TYPE = 1712;
const PROGRAM = `
import ctypes, os, sys
log = ctypes.CDLL("libxentoollog.so.1")
ctl = ctypes.CDLL("libxenctrl.so.4.17")
guest = ctypes.CDLL("libxenguest.so.4.17")
c = ctypes.CDLL(None)
pointer = ctypes.c_void_p
log.xtl_createlogger_stdiostream.restype = ctl.xc_interface_open.restype = guest.xc_dom_allocate.restype = pointer
log.xtl_createlogger_stdiostream.argtypes = [pointer, ctypes.c_int, ctypes.c_uint]
ctl.xc_interface_open.argtypes = [pointer, pointer, ctypes.c_uint]
guest.xc_dom_allocate.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p]
guest.xc_dom_kernel_file.argtypes = [pointer, ctypes.c_char_p]
guest.xc_dom_parse_image.argtypes = guest.xc_dom_release.argtypes = [pointer]
ERROR, DUMMY = 5, 1
for name in sorted(os.listdir("/kernels"), key=int):
    for kind in (0, 1):
        print("image", name, kind, flush=True)
        logger = log.xtl_createlogger_stdiostream(pointer.in_dll(c, "stdout"), ERROR, 0)
        control = ctl.xc_interface_open(logger, logger, DUMMY)
        image = guest.xc_dom_allocate(control, b"", None)
        ctypes.c_int.from_address(image + ${CONTAINER_TYPE}).value = kind
        if guest.xc_dom_kernel_file(image, ("/kernels/" + name).encode()) == 0:
            guest.xc_dom_parse_image(image)
        c.fflush(None)
        guest.xc_dom_release(image)
`;
const PACKAGES = ["python3-minimal", "libpython3-stdlib", "libxenmisc4.17"];
const MESSAGE = /^xc: (?:error|detail): (?:panic: \S+:\d+: )?(.*)$/;
/** A 32-bit guest without PAE is refused by every Xen. */
const TAKEN =
  /^xc_dom_compat_check: guest type (?!xen-3\.0-x86_32 )(\S+) not supported by xen kernel, sorry: Invalid kernel$/;

/** What Xen makes of each image, by kind; undefined after the test was skipped. */
export async function askXen(
  t: TestContext,
  images: readonly Uint8Array[],
): Promise<readonly Readonly<Record<XenKind, XenAnswer>>[] | undefined> {
  const files = [
    { to: "/xen.py", bytes: new TextEncoder().encode(PROGRAM) },
    ...images.map((bytes, i) => ({ to: `/kernels/${i}`, bytes })),
  ];
  const root = await softwareRoot(t, { packages: PACKAGES, files, script: "python3 /xen.py 2>&1" });
  const output = root && (await outputOnHost(t, root));
  if (output === undefined) return undefined;
  const answers = output
    .split(/^image \d+ \d$/m)
    .slice(1)
    .map(answerIn);
  return images.map((_, i) => ({ pv: answers[2 * i], pvh: answers[2 * i + 1] }));
}

function answerIn(text: string): XenAnswer {
  const all = text.split("\n").flatMap((line) => MESSAGE.exec(line)?.[1] ?? []);
  const guest = all.map((line) => TAKEN.exec(line)?.[1]).find((one) => one !== undefined);
  return { messages: all.filter((line) => !TAKEN.test(line)), guest };
}

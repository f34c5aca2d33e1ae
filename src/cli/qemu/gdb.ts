/** QEMU's words about gdb: where it attaches, and a machine that waits for it. */
import { refuse, same, take, type Rule } from "./rules.js";

const ELSEWHERE = refuse(
  "gdb attaches by a port of this host or a socket in a file",
  "write --gdb PORT or --gdb unix:PATH",
);
const OTHER_HOST = refuse(
  "gdb attaches from this host only",
  "write --gdb PORT, and ssh -L to come from elsewhere",
);
const NOBODY = take("gdb attaches only where it is asked for");
const PLACE = /^(tcp:([^:,]*):(\d+)|unix:([^,]+))(,.*)?$/;
const THIS_HOST = ["", "localhost", "127.0.0.1"];

/** -gdb DEV: "tcp::1234", "unix:PATH", with QEMU's options of a socket, which say nothing here. */
export const GDB_DEVICE: Rule = {
  about: `taken: tcp:[localhost]:PORT and unix:PATH as --gdb; none: ${NOBODY.about}; another host: ${OTHER_HOST.about}; else ${ELSEWHERE.about}`,
  judge(value, index) {
    if (value === "none") return NOBODY.judge(value, index);
    const place = PLACE.exec(value);
    if (place === null) return ELSEWHERE.judge(value, index);
    const [, , host = "", port, path] = place as (string | undefined)[];
    if (!THIS_HOST.includes(host)) return OTHER_HOST.judge(value, index);
    return { taken: true, args: ["--gdb", path === undefined ? (port ?? "") : `unix:${path}`] };
  },
};

/** -s. */
export const USUAL_PORT = same("the same as --gdb 1234", () => ["--gdb", "1234"]);

/** -S: without -s or -gdb nobody could let the machine go on. */
export const WAITS = same("the same as --gdb wait", () => ["--gdb", "wait"], "gdb lets the machine begin");

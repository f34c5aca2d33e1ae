/** QEMU's -virtfs: a folder over 9P, which is a share of ours. */
import { parseSuboptions } from "../values.js";
import type { Rule } from "./rules.js";

/** What is about QEMU's side of it, or is so here. */
const IDLE = ["id", "multidevs", "writeout"];
/** The owners of files are those on the host: what QEMU has with these. */
const MODELS = ["none", "passthrough"];
const OURS = "locore boot … --share DIR:TAG[,rw],protocol=9p";

/** Two commas are one of a name, as in --share. */
function escaped(text: string): string {
  return text.replaceAll(",", ",,");
}

export const VIRTFS: Rule = {
  about: `local,path=DIR,mount_tag=TAG: the same as --share DIR:TAG,rw,protocol=9p; with readonly=on without rw`,
  judge(value) {
    const refused = (why: string, instead = OURS) => ({ taken: false, why, instead }) as const;
    const [[, driver], ...rest] = parseSuboptions(value, "fsdriver");
    const properties = new Map(rest);
    const folder = properties.get("path");
    const tag = properties.get("mount_tag");
    if (driver !== "local") return refused(`folders are the host's own: there is no ${driver}`);
    if (folder === undefined || tag === undefined)
      return refused("a folder needs path= and mount_tag=", "-virtfs local,path=DIR,mount_tag=TAG");
    const model = properties.get("security_model") ?? "none";
    if (!MODELS.includes(model))
      return refused(
        `files belong to whom they belong to on the host, not as ${model} has it`,
        "security_model=none",
      );
    const readOnly = properties.get("readonly") ?? "off";
    const known = ["path", "mount_tag", "security_model", "readonly", ...IDLE];
    const other = rest.find(([name]) => !known.includes(name));
    if (other !== undefined) return refused(`${other[0]} cannot be set here`, `leave ${other[0]}= out`);
    const access = readOnly === "on" ? "" : ",rw";
    return {
      taken: true,
      args: ["--share", `folder=${escaped(folder)}:${escaped(tag)}${access},protocol=9p`],
    };
  },
};

/** GRUB's environment block: lines of names and values in a file of 1 KiB, filled up with #. */

const LINE = /^([^#=\s][^=]*)=(.*)$/;

/** The values by name. */
export function readEnvironment(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name !== undefined) values.set(name, value.replace(/\\(.)/g, "$1"));
  }
  return values;
}

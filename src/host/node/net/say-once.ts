/** Lines for people that a peer can bring about as often as it likes: each kind of them is said once. */

/** Says the first line of each kind. A kind holds nothing that a peer chose. */
export function sayOnce<Kind extends string>(
  say: (line: string) => void,
): (kind: Kind, line: string) => void {
  const said = new Set<Kind>();
  return (kind, line) => {
    if (said.has(kind)) return;
    said.add(kind);
    say(line);
  };
}

// A reporter for Node's test runner, for `run-tests.mjs`: before its summary, which files took longest. What a file took
// is the sum of its tests, which come one after another; the start of its process is not in it.
const SHOWN = 10;
const MS_PER_S = 1000;

function lines(took) {
  const slowest = [...took].sort(([, one], [, other]) => other - one).slice(0, SHOWN);
  const named = slowest.map(([file, ms]) => {
    const source = file.replace(/^.*[/\\]dist[/\\]/, "").replace(/\.js$/, ".ts");
    return `${(ms / MS_PER_S).toFixed(1).padStart(7)} ${source}`;
  });
  return `slowest files, s:\n${named.join("\n")}\n`;
}

/** Gives the lines that the runner prints; none where few files ran. */
export default async function* slowestFiles(events) {
  const took = new Map();
  for await (const { type, data } of events) {
    if ((type === "test:pass" || type === "test:fail") && data.nesting === 0 && data.file !== undefined)
      took.set(data.file, (took.get(data.file) ?? 0) + data.details.duration_ms);
    else if (type === "test:diagnostic" && /^tests \d+$/.test(data.message) && took.size > SHOWN)
      yield lines(took);
  }
}

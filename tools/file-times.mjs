// A reporter of node's test runner: the seconds of each file of tests, the slowest first.

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* reportFileTimes(events) {
  /** @type {Map<string, number>} */
  const seconds = new Map();
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.nesting > 0 || !data.file) continue;
    seconds.set(data.file, (seconds.get(data.file) ?? 0) + data.details.duration_ms / 1000);
  }
  const slowest = [...seconds].sort(([, one], [, other]) => other - one);
  yield "   seconds by file:\n";
  for (const [file, time] of slowest) {
    yield `   ${time.toFixed(1).padStart(7)}  ${file.split("/").slice(-2).join("/").replace(".test.mjs", "")}\n`;
  }
}

// Two worker threads.
const { Worker, isMainThread } = require("node:worker_threads");
if (isMainThread) {
  new Worker(__filename);
  new Worker(__filename);
} else {
  globalThis.kept = Array.from({ length: 50_000 }, (_, i) => ({ id: i, values: new Array(24).fill(i + 0.5) }));
}
setTimeout(() => process.exit(), 60_000);

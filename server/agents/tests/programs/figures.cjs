// Holds 50 MB, and prints memory figures twice a second.
const kept = Array.from({ length: 200_000 }, (_, i) => ({ id: i, values: new Array(24).fill(i + 0.5) }));
const buffers = [Buffer.alloc(8 << 20, 1)];
setInterval(() => {
  const { heapUsed, heapTotal, external, arrayBuffers, rss } = process.memoryUsage();
  const limit = require("node:v8").getHeapStatistics().heap_size_limit;
  const hasGc = typeof globalThis.gc;
  console.log(
    JSON.stringify({
      heapUsed,
      heapTotal,
      external,
      arrayBuffers,
      rss,
      limit,
      hasGc,
      kept: kept.length + buffers.length,
    }),
  );
}, 500);
setTimeout(() => process.exit(), 60_000);

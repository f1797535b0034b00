// How long the first byte of the page takes, in the real workerd: asked again within what an answer is kept (cached: the
// isolate has the finished page), and when every request asks the hub and makes the page anew (uncached); with one monitor and
// with fifty, ninety days each. Beside each a worker that answers with the very same bytes, constant: the floor. All of them
// are asked in turn over kept connections, so that whatever else the machine does slows all of them alike.

import { Agent, get } from "node:http";
import { loadavg } from "node:os";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { seedHistory } from "../tests/e2e/support/seed-history.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 300);
/** Rounds that warm the engines up, and are not counted. */
const WARM = 50;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Milliseconds to the first byte, and the body. @param {string} url @returns {Promise<{ ms: number, body: Buffer }>} */
const first = (url) =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    get(url, { agent }, async (answer) => {
      const ms = performance.now() - began;
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      if (answer.statusCode === 200) resolve({ ms, body: Buffer.concat(chunks) });
      else reject(new Error(`${url} answered ${answer.statusCode}`));
    }).on("error", reject);
  });

/** A worker that always answers with this. @param {string} page */
async function constant(page) {
  const script = `const page = ${JSON.stringify(page)};
    export default { fetch: () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }) };`;
  const worker = { name: "floor", modules: true, compatibilityDate: "2026-11-01", script };
  const floor = new Miniflare(convertV4MiniflareOptions(/** @type {any} */ ({ workers: [worker], port: 0 })));
  return { url: (await floor.ready).origin, stop: () => floor.dispose() };
}

/** @param {number[]} sorted @param {number} share */
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

const load = () => loadavg()[0].toFixed(1);
const before = load();

for (const monitors of [1, 50]) {
  const cached = await Edge.start([], { vars: { ANSWERS_KEPT: "60s" } });
  const uncached = await Edge.start([], { vars: { ANSWERS_KEPT: "0s" } });
  for (const edge of [cached, uncached]) await seedHistory(edge, { monitors, days: 90 });
  const { body } = await first(`${cached.url}/`);
  const floor = await constant(body.toString());
  /** @type {Record<string, { url: string, times: number[] }>} */
  const asked = {
    floor: { url: floor.url, times: [] },
    cached: { url: cached.url, times: [] },
    uncached: { url: uncached.url, times: [] },
  };
  for (let round = 0; round < WARM + ROUNDS; round += 1) {
    for (const { url, times } of Object.values(asked)) {
      const { ms } = await first(`${url}/`);
      if (round >= WARM) times.push(ms);
    }
  }
  for (const { times } of Object.values(asked)) times.sort((a, b) => a - b);
  console.log(`${monitors} monitor${monitors > 1 ? "s" : ""}, 90 days, ${(body.length / 1000).toFixed(0)} kB:`);
  for (const [name, { times }] of Object.entries(asked)) {
    // On a busy machine the quickest tenth is what the work itself takes.
    const [quick, middle, slow] = [0.1, 0.5, 0.95].map((share) => at(times, share));
    const [least, usual] = [0.1, 0.5].map((share) => at(asked.floor.times, share));
    const ratios = `${(quick / least).toFixed(1)} and ${(middle / usual).toFixed(1)} times the floor`;
    const figures = `tenth percentile ${quick.toFixed(2)} ms, median ${middle.toFixed(2)} ms (${ratios})`;
    console.log(`  ${name}: ${figures}, 95th percentile ${slow.toFixed(2)} ms`);
  }
  await Promise.all([cached.stop(), uncached.stop(), floor.stop()]);
}
agent.destroy();
console.log(`load average ${before} before, ${load()} after`);

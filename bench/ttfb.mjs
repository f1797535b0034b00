// Time to the first byte of the page in the real workerd, with one monitor and with fifty, ninety days each: cached (the isolate
// holds the rendered page) and uncached (every request reads the hub and renders the page). The floor is a worker that answers with
// the same bytes, constant. The requests take turns on kept connections, as the load of the machine affects all of them.

import { Agent, get } from "node:http";
import { loadavg } from "node:os";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { seedHistory } from "../tests/e2e/support/seed-history.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 300);
/** Rounds that warm the engines up and are not counted. */
const WARM_UP = 50;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Requests `url`, and measures the milliseconds to the first byte. @param {string} url @returns {Promise<{ ms: number, body: Buffer }>} */
const requestPage = (url) =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    get(url, { agent }, async (response) => {
      const ms = performance.now() - began;
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      if (response.statusCode === 200) resolve({ ms, body: Buffer.concat(chunks) });
      else reject(new Error(`${url} answered ${response.statusCode}`));
    }).on("error", reject);
  });

/** Starts a worker that always answers with `page`. @param {string} page */
async function startFloor(page) {
  const script = `const page = ${JSON.stringify(page)};
    export default { fetch: () => new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }) };`;
  const worker = { name: "floor", modules: true, compatibilityDate: "2026-11-01", script };
  const floor = new Miniflare(convertV4MiniflareOptions(/** @type {any} */ ({ workers: [worker], port: 0 })));
  return { url: (await floor.ready).origin, stop: () => floor.dispose() };
}

/** @param {number[]} sorted @param {number} share */
const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

const readLoad = () => loadavg()[0].toFixed(1);
const before = readLoad();

for (const monitors of [1, 50]) {
  const cached = await Edge.start([], { vars: { CACHE_TTL: "60s" } });
  const uncached = await Edge.start([], { vars: { CACHE_TTL: "0s" } });
  for (const edge of [cached, uncached]) await seedHistory(edge, { monitors, days: 90 });
  const { body } = await requestPage(`${cached.url}/`);
  const floor = await startFloor(body.toString());
  /** @type {Record<string, { url: string, times: number[] }>} */
  const workers = {
    floor: { url: floor.url, times: [] },
    cached: { url: cached.url, times: [] },
    uncached: { url: uncached.url, times: [] },
  };
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    for (const { url, times } of Object.values(workers)) {
      const { ms } = await requestPage(`${url}/`);
      if (round >= WARM_UP) times.push(ms);
    }
  }
  for (const { times } of Object.values(workers)) times.sort((a, b) => a - b);
  console.log(`${monitors} monitor${monitors > 1 ? "s" : ""}, 90 days, ${(body.length / 1000).toFixed(0)} kB:`);
  for (const [name, { times }] of Object.entries(workers)) {
    // On a busy machine the fastest tenth shows the work itself.
    const [quick, middle, slow] = [0.1, 0.5, 0.95].map((share) => percentile(times, share));
    const [least, usual] = [0.1, 0.5].map((share) => percentile(workers.floor.times, share));
    const ratios = `${(quick / least).toFixed(1)} and ${(middle / usual).toFixed(1)} times the floor`;
    const figures = `tenth percentile ${quick.toFixed(2)} ms, median ${middle.toFixed(2)} ms (${ratios})`;
    console.log(`  ${name}: ${figures}, 95th percentile ${slow.toFixed(2)} ms`);
  }
  await Promise.all([cached.stop(), uncached.stop(), floor.stop()]);
}
agent.destroy();
console.log(`load average ${before} before, ${readLoad()} after`);

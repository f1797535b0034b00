// Lighthouse scores of the pages, with fifty monitors and ninety days, on a phone (simulated, with a slow network) and on a desktop.
// npx downloads Lighthouse, which is larger than all npm packages of this project, so this benchmark needs the network and runs
// only if BENCH names it.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { seedHistory } from "../tests/e2e/support/seed-history.mjs";
import { fail } from "../tools/log.mjs";

const LIGHTHOUSE = "lighthouse@12.8.2";
const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
const MIN_SCORE = 99;

const folder = mkdtempSync(join(tmpdir(), "heapbeat-lighthouse-"));
const edge = await Edge.start([]);
await seedHistory(edge, { monitors: 50, days: 90 });
const { incidents } = /** @type {any} */ (await (await fetch(`${edge.url}/api/v1/incidents?limit=100`)).json());
const death = incidents.find((/** @type {any} */ it) => it.id.startsWith("m00-") && /memory/.test(it.cause));
const pages = { "/": "/", "/monitors/{id}": "/monitors/m00", "/incidents/{id}": `/incidents/${death.id}` };

/** @param {string} path @param {boolean} desktop @returns {Promise<any>} */
async function runLighthouse(path, desktop) {
  const out = join(folder, "report.json");
  const args = [
    ...["--yes", LIGHTHOUSE, edge.url + path, "--quiet", "--output=json", `--output-path=${out}`],
    ...[
      `--only-categories=${CATEGORIES}`,
      "--chrome-flags=--headless --no-sandbox --disable-dev-shm-usage --disable-gpu",
    ],
    ...(desktop ? ["--preset=desktop"] : []),
  ];
  const env = { ...process.env, CHROME_PATH: await chromium.executablePath() };
  const child = spawn("npx", args, { stdio: ["ignore", "ignore", "inherit"], env });
  const [code] = await new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  if (code !== 0) fail(`npx ${LIGHTHOUSE} ended with exit code ${code}; it is downloaded from the npm registry`);
  return JSON.parse(readFileSync(out, "utf8"));
}

let low = 0;
for (const [name, path] of Object.entries(pages)) {
  for (const device of ["phone", "desktop"]) {
    const { categories, audits } = await runLighthouse(path, device === "desktop");
    const scores = CATEGORIES.map((category) => Math.round(categories[category].score * 100));
    low += scores.filter((score) => score < MIN_SCORE).length;
    const seconds = (/** @type {string} */ audit) => `${(audits[audit].numericValue / 1000).toFixed(2)} s`;
    const figures = `first paint ${seconds("first-contentful-paint")}, largest ${seconds("largest-contentful-paint")}`;
    const rest = `blocked ${Math.round(audits["total-blocking-time"].numericValue)} ms, shift ${audits["cumulative-layout-shift"].numericValue.toFixed(3)}`;
    console.log(
      `${name} on a ${device}: ${CATEGORIES.map((it, n) => `${it} ${scores[n]}`).join(", ")} (${figures}, ${rest})`,
    );
    const lost = CATEGORIES.flatMap((it) => categories[it].auditRefs)
      .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9)
      .map(({ id }) => `${id} (${audits[id].displayValue ?? audits[id].score})`);
    if (lost.length > 0) console.log(`  audits below 90 %: ${lost.join(", ")}`);
  }
}
await edge.stop();
rmSync(folder, { recursive: true });
if (low > 0) fail(`${low} scores are below ${MIN_SCORE}`);

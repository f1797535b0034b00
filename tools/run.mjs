// `make run`: the server, the edge, and the tick that Cloudflare would send.

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Child } from "./child.mjs";
import { writeDevConfig } from "./dev-config.mjs";
import { devSecret } from "./dev-secret.mjs";
import { line, note, step } from "./say.mjs";
import { settings } from "./settings.mjs";

/** Longest wait for a half to answer, in milliseconds. */
const START_PATIENCE = 60_000;

const { server, edge, tickSeconds, state } = settings();
const serverUrl = `http://localhost:${server}`;
const edgeUrl = `http://localhost:${edge}`;
/** @type {Child[]} */
const children = [];
let stopping = false;

/** @param {number} code @param {string} [why] */
async function stop(code, why) {
  if (stopping) return;
  stopping = true;
  if (why) console.error(`\nheapbeat: ${why}`);
  else step("stopping");
  await Promise.all(children.map((child) => child.stop()));
  process.exit(code);
}

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => stop(0));
}
process.on("uncaughtException", (error) => stop(1, error.stack ?? String(error)));

/** Starts a child whose end is the end of everything. @param {Child} child */
function keep(child) {
  children.push(child);
  child.end.then((how) => stop(1, how));
}

/** Waits until `url` answers with a success. @param {string} url @param {string} hint */
async function answers(url, hint) {
  const deadline = Date.now() + START_PATIENCE;
  while (!stopping) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    if (answer?.ok) return;
    if (Date.now() > deadline) await stop(1, `${url} does not answer; ${hint}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Sends the tick that the cron trigger would, and returns what the edge then says. */
async function tick() {
  const cron = await fetch(`http://127.0.0.1:${edge}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time=${Date.now()}`);
  if (!cron.ok) throw new Error(`the tick was answered with ${cron.status}: ${await cron.text()}`);
  const status = await fetch(`http://127.0.0.1:${edge}/api/v1/status`);
  return /** @type {any} */ (await status.json());
}

/** @param {any} monitor */
function told(monitor) {
  const memory = monitor.memory ? `, rss ${monitor.memory.rss} MB, heap ${monitor.memory.heapUsed} MB` : "";
  return `${monitor.name} is ${monitor.state}${monitor.reason ? ` (${monitor.reason})` : ""}${memory}`;
}

const config = writeDevConfig({ server, tickSeconds, state });
const { secret, path: secretPath } = devSecret(state);
const logPath = join(state, "wrangler.log");
const log = createWriteStream(logPath);

step("starting the server");
keep(
  new Child("server", ["target/release/heapbeat", "serve", "--demo"], {
    env: {
      PORT: String(server),
      HEAPBEAT_SECRET: secret,
      // Ours, and no setting of the server's.
      HEAPBEAT_STATE: undefined,
      HEAPBEAT_LOG_FORMAT: process.env.HEAPBEAT_LOG_FORMAT ?? "text",
    },
    onLine: (text) => line("server", text),
  }),
);
step(`starting the edge (its own log is in ${logPath})`);
const wrangler = ["dev", "--config", config, "--ip", "127.0.0.1", "--port", String(edge), "--local"];
keep(
  new Child(
    "edge",
    [
      process.execPath,
      "node_modules/wrangler/bin/wrangler.js",
      ...wrangler,
      ...["--persist-to", join(state, "state"), "--test-scheduled", "--show-interactive-dev-session=false"],
    ],
    {
      env: { WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(state, "logs"), NO_COLOR: "1", CI: "true" },
      onLine: (text) => log.write(`${text}\n`),
    },
  ),
);
await answers(`http://127.0.0.1:${server}/health`, "its log is above");
await answers(`http://127.0.0.1:${edge}/api/v1/status`, `see ${logPath}`);

const first = await tick().catch((error) => stop(1, `${error.message}; see ${logPath}`));
step(`first probe stored: ${first.monitors.map(told).join("; ")}`);
console.log();
note(`server   ${serverUrl}/health`);
note(`edge     ${edgeUrl}/            the status page`);
note(`         ${edgeUrl}/api/v1/status`);
note(`look     HEAPBEAT_SECRET=$(cat ${secretPath}) target/release/heapbeat check-memory --url ${serverUrl}`);
console.log();
note(`a tick every ${tickSeconds} s; history is kept in ${state}; Ctrl-C stops both`);
console.log();

let last = first.monitors.map((/** @type {any} */ monitor) => monitor.state).join();
while (!stopping) {
  await new Promise((resolve) => setTimeout(resolve, tickSeconds * 1000));
  if (stopping) break;
  const status = await tick().catch((error) => {
    line("edge", `the tick failed: ${error.message}`);
  });
  if (!status) continue;
  const now = status.monitors.map((/** @type {any} */ monitor) => monitor.state).join();
  if (now !== last) line("edge", status.monitors.map(told).join("; "));
  last = now;
}

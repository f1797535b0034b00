// The edge on this machine: wrangler with the Worker in it, and the ticks that Cloudflare's cron trigger would send.

import { join } from "node:path";
import { Service } from "../process.mjs";
import { WRANGLER_ENV, wranglerCommand } from "./wrangler.mjs";

/** Milliseconds that the server or the edge may take to respond after its start. */
const START_TIMEOUT = 300_000;

/**
 * Starts the edge.
 * @param {{ config: string, port: number, stateDir: string, onLine: (line: string) => void }} options
 */
export function startEdge({ config, port, stateDir, onLine }) {
  const args = ["dev", "--config", config, "--ip", "127.0.0.1", "--port", String(port), "--local"];
  const more = ["--persist-to", join(stateDir, "state"), "--test-scheduled", "--show-interactive-dev-session=false"];
  return new Service("edge", wranglerCommand([...args, ...more]), {
    env: { ...WRANGLER_ENV, WRANGLER_LOG_PATH: join(stateDir, "logs"), NO_COLOR: "1", CI: "true" },
    onLine,
  });
}

/**
 * Waits until `url` responds with a success. Throws if it never does.
 * @param {string} url @param {() => boolean} isStopping ends the wait
 */
export async function waitForSuccess(url, isStopping) {
  const deadline = Date.now() + START_TIMEOUT;
  while (!isStopping()) {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > deadline) throw new Error(`${url} does not respond`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Sends a tick, and returns the status of the edge after it. @param {number} port */
export async function sendTick(port) {
  const query = `cron=*+*+*+*+*&time=${Date.now()}`;
  const tick = await fetch(`http://127.0.0.1:${port}/cdn-cgi/handler/scheduled?${query}`);
  if (!tick.ok) throw new Error(`the edge responded to the tick with ${tick.status}: ${await tick.text()}`);
  const status = await fetch(`http://127.0.0.1:${port}/api/v1/status`);
  return /** @type {any} */ (await status.json());
}

/** @param {any} monitor */
export function describeMonitor(monitor) {
  const memory = monitor.memory ? `, rss ${monitor.memory.rss} MB, heap ${monitor.memory.heapUsed} MB` : "";
  return `${monitor.name} is ${monitor.state}${monitor.reason ? ` (${monitor.reason})` : ""}${memory}`;
}

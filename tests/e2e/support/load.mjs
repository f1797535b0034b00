// A load with a constant rate of requests, whatever becomes of the earlier ones (an open loop). A wait is counted from the moment at
// which the request was due, so a server that stops for a second cannot hide the requests that were due meanwhile (coordinated
// omission). The generator's own delay is part of each wait, and its maximum is reported.

import { Agent, request as sendRequest } from "node:http";

/** Milliseconds between two looks at which requests are due. */
const STEP_MS = 2;

/**
 * @typedef {object} LoadPlan
 * @property {number} port
 * @property {string} [host]
 * @property {number} [rate] requests per second
 * @property {number} [timeoutMs] longest wait for a complete response
 * @property {(n: number) => { path: string, method?: string, keepAlive?: boolean }} [requests] the nth request. By default all
 * request `/`, and every second one opens a connection of its own.
 *
 * @typedef {object} LoadResult
 * @property {number} sent
 * @property {number} answered complete responses with a status below 500
 * @property {number} shed responses 503 with `Retry-After`
 * @property {number} failed all others
 * @property {Record<string, number>} failures the failed ones by cause: `refused`, `reset`, `timeout`, `status 502` with the detail of a problem document …
 * @property {Record<string, number>} failedMethods the failed ones by method
 * @property {number} longestMs longest wait of an answered request
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} lagMs longest delay of the generator itself
 */

/** Starts a load. `stop` ends it, waits for the open requests, and returns the result. @param {LoadPlan} plan */
export function startLoad({ port, host = "127.0.0.1", rate = 200, timeoutMs = 30_000, requests }) {
  /** @type {NonNullable<LoadPlan["requests"]>} */
  const next = requests ?? ((n) => ({ path: "/", keepAlive: n % 2 === 0 }));
  const agents = { kept: new Agent({ keepAlive: true }), single: new Agent({ keepAlive: false }) };
  /** @type {number[]} */
  const waits = [];
  /** @type {Record<string, number>} */
  const failures = {};
  /** @type {Record<string, number>} */
  const failedMethods = {};
  const counts = { sent: 0, answered: 0, shed: 0, failed: 0 };
  let open = 0;
  /** @type {Record<string, number>} */
  const openByMethod = {};
  let lagMs = 0;
  let stopping = false;
  /** @type {() => void} */
  let onDrained = () => {};

  /** @param {number} due */
  const send = (due) => {
    const { path, method = "GET", keepAlive = true } = next(counts.sent);
    counts.sent += 1;
    open += 1;
    openByMethod[method] = (openByMethod[method] ?? 0) + 1;
    let settled = false;
    /** @param {"answered" | "shed" | "failed"} result @param {string} [cause] */
    const settle = (result, cause) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      counts[result] += 1;
      if (result === "answered") waits.push(performance.now() - due);
      if (cause) {
        failures[cause] = (failures[cause] ?? 0) + 1;
        failedMethods[method] = (failedMethods[method] ?? 0) + 1;
      }
      open -= 1;
      openByMethod[method] = (openByMethod[method] ?? 0) - 1;
      if (open === 0 && stopping) onDrained();
    };
    const agent = keepAlive ? agents.kept : agents.single;
    const request = sendRequest({ host, port, path, method, agent }, (response) => {
      const status = response.statusCode ?? 0;
      let problem = "";
      if (response.headers["content-type"] === "application/problem+json") {
        response.on("data", (part) => (problem += part));
      } else response.resume();
      response.on("end", () => {
        if (!response.complete) settle("failed", "incomplete");
        else if (status === 503 && response.headers["retry-after"]) settle("shed");
        else if (status < 500) settle("answered");
        else settle("failed", `status ${status}${problem && `: ${JSON.parse(problem).detail}`}`);
      });
      response.on("error", () => settle("failed", "incomplete"));
    });
    const timer = setTimeout(() => {
      settle("failed", "timeout");
      request.destroy();
    }, timeoutMs);
    request.on("error", (error) => settle("failed", nameError(error)));
    request.end();
  };

  const began = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    for (; began + (due * 1000) / rate <= now; due++) {
      lagMs = Math.max(lagMs, now - (began + (due * 1000) / rate));
      send(began + (due * 1000) / rate);
    }
  }, STEP_MS);

  return {
    /** Counts until now. */
    counts,
    /** Requests, or those with this method, that have no response yet. @param {string} [method] */
    open: (method) => (method ? (openByMethod[method] ?? 0) : open),
    /** @returns {Promise<LoadResult>} */
    async stop() {
      clearInterval(timer);
      stopping = true;
      if (open > 0) await new Promise((resolve) => (onDrained = () => resolve(undefined)));
      for (const agent of Object.values(agents)) agent.destroy();
      const sorted = waits.toSorted((a, b) => a - b);
      const at = (/** @type {number} */ share) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
      return { ...counts, failures, failedMethods, longestMs: at(1), p50Ms: at(0.5), p99Ms: at(0.99), lagMs };
    },
  };
}

/** The cause of a failed request, in a word. @param {Error & { code?: string }} error */
function nameError(error) {
  if (error.code === "ECONNREFUSED") return "refused";
  if (error.code === "ECONNRESET" || error.code === "EPIPE") return "reset";
  return error.code ?? error.message;
}

/** Formats a result as one line. @param {LoadResult} result */
export function formatLoad({ sent, answered, shed, failed, failures, longestMs, p50Ms, p99Ms, lagMs }) {
  const causes = Object.entries(failures).map(([cause, count]) => `${count} ${cause}`);
  return (
    `sent ${sent}, answered ${answered}, shed ${shed}, failed ${failed}${causes.length > 0 ? ` (${causes.join(", ")})` : ""}; ` +
    `wait: longest ${(longestMs / 1000).toFixed(2)} s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms ` +
    `(generator at most ${lagMs.toFixed(0)} ms late)`
  );
}

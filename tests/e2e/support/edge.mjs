// The edge under test: the built worker in a real workerd. The test sets the time of every cron tick.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { ADMIN_HEADERS } from "./tokens.mjs";

const MINUTE = 60_000;

/** The module that goes in front of the built worker when a test injects faults. */
const FAULT_INJECTION = "tests/e2e/support/fault-injection.mjs";

/** The module that replaces the platform's sockets when a test has names of its own. */
const NAMED_SOCKETS = "tests/e2e/support/named-sockets.mjs";

/**
 * @typedef {{ id: string, name?: string, kind?: string, url: string, interval?: string, timeout?: string,
 *   "failure-threshold"?: number, "success-threshold"?: number, conditions?: string[], degraded?: string[],
 *   group?: string }} MonitorConfig
 */

/**
 * Configures a monitor of `url`. Its timeout is long, so that a busy machine does not cause an outage; a test that waits for
 * the timeout sets a shorter one.
 * @param {string} id @param {string} url @param {object} [more] @returns {MonitorConfig}
 */
export const defineMonitor = (id, url, more = {}) => ({
  id,
  name: id.toUpperCase(),
  kind: "heapbeat",
  url,
  timeout: "30s",
  ...more,
});

export class Edge {
  /** @type {Miniflare} */ #miniflare;

  /** @param {Miniflare} miniflare @param {string} url */
  constructor(miniflare, url) {
    this.#miniflare = miniflare;
    /** The origin at which the edge listens, without a slash at the end. */
    this.url = url;
    /** The time of the next tick, in Unix milliseconds. It begins at a fixed day, so that no test depends on today. */
    this.now = Date.UTC(2026, 0, 1);
  }

  /**
   * Starts a workerd with the edge in it.
   * @param {unknown} monitors
   * @param {{ stateDir?: string, vars?: Record<string, unknown>, extraWorker?: { name: string, script: string,
   *   bindings?: Record<string, unknown> }, faultInjection?: boolean, namedSockets?: boolean, rateLimit?: number, log?: string[], root?: string }} [options]
   *   `stateDir` keeps the stored data of this worker for the next one; `extraWorker` runs in the same workerd;
   *   `faultInjection` enables [`Edge.injectFault`]; `namedSockets` gives this machine names; `rateLimit` is the number of requests a minute that one address may make;
   *   `log` receives the log lines; `root` is the checkout whose build runs
   */
  static async start(monitors, options = {}) {
    const { stateDir, vars = {}, extraWorker, faultInjection = false, namedSockets = false, rateLimit, log } = options;
    const { root = "." } = options;
    const faultModule = {
      type: "ESModule",
      path: `${root}/edge/build/faulty.js`,
      contents: readFileSync(FAULT_INJECTION),
    };
    const socketsModule = {
      type: /** @type {const} */ ("ESModule"),
      path: `${root}/edge/build/sockets.js`,
      contents: readFileSync(NAMED_SOCKETS),
    };
    const index = { type: /** @type {const} */ ("ESModule"), path: `${root}/edge/build/index.js` };
    const withNames = () => ({
      ...index,
      contents: readFileSync(index.path, "utf8").replace('"cloudflare:sockets"', '"./sockets.js"'),
    });
    const edge = {
      name: "edge",
      modulesRoot: `${root}/edge/build`,
      modules: [
        ...(faultInjection ? [faultModule] : []),
        ...(namedSockets ? [withNames(), socketsModule] : [index]),
        { type: /** @type {const} */ ("CompiledWasm"), path: `${root}/edge/build/index_bg.wasm` },
      ],
      compatibilityDate: "2026-11-01",
      compatibilityFlags: ["global_fetch_strictly_public"],
      bindings: { MONITORS: /** @type {any} */ (monitors), ALLOW_PRIVATE_TARGETS: "true", CACHE_TTL: "0s", ...vars },
      assets: { directory: `${root}/edge/assets`, binding: "ASSETS", routerConfig: { has_user_worker: true } },
      ratelimits: rateLimit ? { LIMIT: { namespace_id: "1", simple: { limit: rateLimit, period: 60 } } } : {},
      durableObjects: { HUB: { className: "Hub", useSQLite: true } },
    };
    const extra = extraWorker && { modules: true, compatibilityDate: "2026-11-01", ...extraWorker };
    const miniflare = new Miniflare({
      ...convertV4MiniflareOptions(/** @type {any} */ ({ workers: extra ? [edge, extra] : [edge], port: 0 })),
      resourcePersistencePath: stateDir,
      ...(log && { handleStructuredLogs: (/** @type {{ message: string }} */ { message }) => void log.push(message) }),
    });
    const url = await miniflare.ready;
    return new Edge(miniflare, url.origin);
  }

  /** Runs one cron tick at the present time, which then moves on by `minutes`. @param {number} [minutes] */
  async tick(minutes = 1) {
    await this.runScheduled("edge");
    this.now += minutes * MINUTE;
  }

  /** Runs `count` ticks, a minute apart. @param {number} count */
  async tickTimes(count) {
    for (let tick = 0; tick < count; tick += 1) await this.tick();
  }

  /** Runs the scheduled handler of a worker of this workerd, with `at` as its time. @param {string} name @param {number} [at] */
  async runScheduled(name, at = this.now) {
    const worker = /** @type {any} */ (await this.#miniflare.getWorker(name));
    const { outcome } = await worker.scheduled({ scheduledTime: new Date(at), cron: "* * * * *" });
    if (outcome !== "ok") throw new Error(`the scheduled handler ended with ${outcome}`);
  }

  /**
   * Sends a request to one hub directly, as the front does (`HubRequest` in edge/src/hub_api.rs), and returns its reply.
   * @param {number} hub @param {unknown} request @returns {Promise<{ hub_count: number | null, result: any }>}
   */
  async requestHub(hub, request) {
    const hubs = /** @type {any} */ (await this.#miniflare.getDurableObjectNamespace("HUB"));
    const body = JSON.stringify({ hub, request });
    const stub = hubs.get(hubs.idFromName(`hub-${hub}`));
    const response = await stub.fetch(`https://hub-${hub}/`, { method: "POST", body });
    if (!response.ok) throw new Error(`hub-${hub} answered with status ${response.status}`);
    return response.json();
  }

  /** Sends a request to a path of the edge. @param {string} path @param {RequestInit} [init] */
  request(path, init) {
    return fetch(this.url + path, init);
  }

  /** Reads a path as text, whatever its status. @param {string} path */
  async readText(path) {
    return (await this.request(path)).text();
  }

  /** Reads the JSON at a path, which has to answer 200. @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
  async readJson(path, init) {
    const response = await this.request(path, init);
    const text = await response.text();
    assert.equal(response.status, 200, `${path}: ${text}`);
    return JSON.parse(text);
  }

  /** Reads what the status API says. @returns {Promise<any>} */
  readStatus() {
    return this.readJson("/api/v1/status");
  }

  /** Reads one monitor of the status API; undefined when it is not there. @param {string} id */
  async readMonitor(id) {
    const { monitors } = await this.readStatus();
    return monitors.find((/** @type {any} */ monitor) => monitor.id === id);
  }

  /** Reads the state of every monitor, in the order of the status API. @returns {Promise<string[]>} */
  async readStates() {
    const { monitors } = await this.readStatus();
    return monitors.map((/** @type {any} */ monitor) => monitor.state);
  }

  /**
   * Reads the id, state and reason of every monitor; the edge may name no problem of its configuration.
   * @returns {Promise<[id: string, state: string, reason: string | null][]>}
   */
  async readReasons() {
    const { monitors, problems } = await this.readStatus();
    assert.deepEqual(problems, []);
    return monitors.map((/** @type {any} */ monitor) => [monitor.id, monitor.state, monitor.reason]);
  }

  /** Reads the public incidents, the newest first. @returns {Promise<any[]>} */
  async readIncidents() {
    const all = [];
    for (let path = "/api/v1/incidents?limit=50"; path; ) {
      const { incidents, next } = await this.readJson(path);
      all.push(...incidents);
      path = next;
    }
    return all;
  }

  /** Runs one tick and reads a monitor after it. @param {string} id */
  async tickAndReadMonitor(id) {
    await this.tick();
    return this.readMonitor(id);
  }

  /**
   * Sends a request to the admin API with the right token. The edge needs `ADMIN_TOKEN` among its variables.
   * @param {string} method @param {string} path without `/api/v1` @param {unknown} [body] is sent as JSON
   */
  requestAsAdmin(method, path, body) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return this.request(`/api/v1${path}`, { method, headers: ADMIN_HEADERS, body: text });
  }

  /**
   * Applies a list of monitors by the admin API, as `heapbeat apply` does.
   * @param {object[]} monitors @returns {Promise<{ status: number, body: any }>}
   */
  async applyMonitors(monitors) {
    const response = await this.requestAsAdmin("PUT", "/admin/monitors", { monitors });
    return { status: response.status, body: await response.json() };
  }

  /**
   * Exports everything that is stored, as pages of JSON lines; the subscriptions only if they are asked for.
   * @param {{ subscriptions?: boolean }} [options] @returns {Promise<string[]>}
   */
  async exportPages({ subscriptions = false } = {}) {
    const pages = [];
    for (let from = "0-0-0"; from; ) {
      const response = await this.requestAsAdmin(
        "GET",
        `/admin/export?from=${from}${subscriptions ? "&subscriptions=true" : ""}`,
      );
      assert.equal(response.status, 200);
      const page = await response.text();
      pages.push(page);
      from = JSON.parse(page.trimEnd().split("\n").at(-1) ?? "{}").next;
    }
    return pages;
  }

  /** Imports a page of an export, which has to be accepted. @param {string} page */
  async importPage(page) {
    const { schema } = JSON.parse(page.split("\n")[0]);
    const response = await this.requestImport(page, schema);
    assert.equal(response.status, 200, await response.text());
  }

  /** Sends a page to the import of the admin API. @param {string} page @param {number} schema */
  requestImport(page, schema) {
    const init = { method: "POST", headers: ADMIN_HEADERS, body: page };
    return this.request(`/api/v1/admin/import?schema=${schema}`, init);
  }

  /**
   * Injects a fault: `hub-2` makes that hub answer 500, `hang-hub-2` makes it hang, `store` makes the writes of every hub fail,
   * `full` does so until some history was deleted, `full-forever` whatever is deleted, `limit` makes the rate limiter hang. One fault is active at a time.
   * @param {string} name
   */
  async injectFault(name) {
    await this.request(`/fault?${name}`);
  }

  /** Ends the injected fault. */
  async clearFault() {
    await this.injectFault("");
  }

  async stop() {
    await this.#miniflare.dispose();
  }
}

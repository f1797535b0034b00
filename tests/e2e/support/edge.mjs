// The real worker in a real workerd, with the clock of its ticks in the test's hand.

import { readFileSync } from "node:fs";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const MINUTE = 60_000;

/** Stands in front of the built worker where a test wants its hubs to fail. */
const FAULTY = "tests/e2e/support/fault-injection.mjs";

/**
 * @typedef {{ id: string, name?: string, kind?: string, url: string, interval?: string, timeout?: string,
 *   "failure-threshold"?: number, "success-threshold"?: number, conditions?: string[], degraded?: string[],
 *   group?: string }} Monitor
 */

/** A monitor of `url` with short patience. @param {string} id @param {string} url @param {object} [more] @returns {Monitor} */
export const monitor = (id, url, more = {}) => ({
  id,
  name: id.toUpperCase(),
  kind: "heapbeat",
  url,
  timeout: "2s",
  ...more,
});

export class Edge {
  /** @type {Miniflare} */ #worker;

  /** @param {Miniflare} worker @param {string} url */
  constructor(worker, url) {
    this.#worker = worker;
    /** Where it listens, without a slash at the end. */
    this.url = url;
    /** The time of the next tick: a fixed day, so that nothing depends on today. */
    this.now = Date.UTC(2026, 0, 1);
  }

  /**
   * @param {unknown} monitors
   * @param {{ state?: string, vars?: Record<string, unknown>, beside?: { name: string, script: string,
   *   bindings?: Record<string, unknown> }, faulty?: boolean, limit?: number, log?: string[] }} [options] `state` is a
   *   directory that outlives the worker, `beside` another worker in the same workerd; `faulty` lets [`Edge.fault`] break its
   *   hubs; `limit` is how often one address may ask in a minute; `log` takes what would be printed
   */
  static async start(monitors, { state, vars = {}, beside, faulty = false, limit, log } = {}) {
    const front = { type: "ESModule", path: "edge/build/faulty.js", contents: readFileSync(FAULTY) };
    const edge = {
      name: "edge",
      modulesRoot: "edge/build",
      modules: [
        ...(faulty ? [front] : []),
        { type: /** @type {const} */ ("ESModule"), path: "edge/build/index.js" },
        { type: /** @type {const} */ ("CompiledWasm"), path: "edge/build/index_bg.wasm" },
      ],
      compatibilityDate: "2026-11-01",
      bindings: { MONITORS: /** @type {any} */ (monitors), ALLOW_PRIVATE_TARGETS: "true", ANSWERS_KEPT: "0s", ...vars },
      assets: { directory: "edge/assets", binding: "ASSETS", routerConfig: { has_user_worker: true } },
      ratelimits: limit ? { LIMIT: { namespace_id: "1", simple: { limit, period: 60 } } } : {},
      durableObjects: { HUB: { className: "Hub", useSQLite: true } },
    };
    const other = beside && { modules: true, compatibilityDate: "2026-11-01", ...beside };
    const worker = new Miniflare({
      ...convertV4MiniflareOptions(/** @type {any} */ ({ workers: other ? [edge, other] : [edge], port: 0 })),
      resourcePersistencePath: state,
      ...(log && { handleStructuredLogs: (/** @type {{ message: string }} */ { message }) => void log.push(message) }),
    });
    const url = await worker.ready;
    return new Edge(worker, url.origin);
  }

  /** One tick at the present time, which then moves on by `minutes`. @param {number} [minutes] */
  async tick(minutes = 1) {
    await this.tickOf("edge");
    this.now += minutes * MINUTE;
  }

  /** One tick of a worker of its workerd, meant for an instant. @param {string} name @param {number} [at] */
  async tickOf(name, at = this.now) {
    const worker = /** @type {any} */ (await this.#worker.getWorker(name));
    const { outcome } = await worker.scheduled({ scheduledTime: new Date(at), cron: "* * * * *" });
    if (outcome !== "ok") throw new Error(`the tick ended with ${outcome}`);
  }

  /**
   * Asks one of its hubs directly, as the front does.
   * @param {number} hub @param {string} path @param {string} [method] @param {string} [body]
   */
  async hub(hub, path, method = "GET", body = undefined) {
    const hubs = /** @type {any} */ (await this.#worker.getDurableObjectNamespace("HUB"));
    return hubs.get(hubs.idFromName(`hub-${hub}`)).fetch(`https://hub-${hub}${path}`, { method, body });
  }

  /** What the status API says. @returns {Promise<any>} */
  async status() {
    const answer = await fetch(`${this.url}/api/v1/status`);
    if (!answer.ok) throw new Error(`the status API answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** One monitor of it. @param {string} id */
  async monitor(id) {
    const { monitors } = await this.status();
    return monitors.find((/** @type {any} */ monitor) => monitor.id === id);
  }

  /** Ticks once and returns what is then said of a monitor. @param {string} id */
  async tickAndLook(id) {
    await this.tick();
    return this.monitor(id);
  }

  /**
   * Breaks a hub, such as `hub-2`, or has it hang, as `hang-hub-2`, or breaks with `store` what all of them write; mends all where none
   * is named.
   * @param {string} [name]
   */
  async fault(name = "") {
    await fetch(`${this.url}/fault?${name}`);
  }

  async stop() {
    await this.#worker.dispose();
  }
}

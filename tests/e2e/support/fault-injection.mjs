// A module in front of the built worker that injects faults. `/fault?hub-2` makes a hub answer 500; `/fault?hang-hub-2` holds
// its requests back until the fault changes; `/fault?store` rolls back what any hub writes in a transaction; `/fault?full` does so as a
// full database does, until `MISSING` bytes were deleted; `/fault?full-forever` whatever is deleted; `/fault?limit` makes the rate limiter
// hang; `/fault?` ends the fault.

// @ts-expect-error It lies beside the built worker.
import worker, { Hub as BuiltHub } from "./index.js";

/** How much has to be deleted from a full database. */
const MISSING = 65536;

/** The fault that is active. The host of a request to a hub is the hub's name. */
let fault = "";

// The built class is a proxy that constructs its objects, so this class wraps such an object instead of extending it.
export class Hub {
  /** @param {any} state @param {unknown} env */
  constructor(state, env) {
    const { storage } = state;
    const runTransaction = storage.transactionSync.bind(storage);
    /** The bytes that fit into the database since it became full. @type {number | undefined} */
    let limit;
    storage.transactionSync = (/** @type {() => unknown} */ write) =>
      runTransaction(() => {
        const result = write();
        if (fault === "store") throw new Error("the disk is full");
        if (!fault.startsWith("full")) limit = undefined;
        else {
          limit ??= fault === "full" ? storage.sql.databaseSize - MISSING : 0;
          if (storage.sql.databaseSize > limit) throw new Error("database or disk is full: SQLITE_FULL");
        }
        return result;
      });
    this.hub = new BuiltHub(state, env);
  }

  /** @param {Request} request */
  async fetch(request) {
    const name = new URL(request.url).host;
    if (fault === name) return new Response("an injected fault", { status: 500 });
    while (fault === `hang-${name}`) await new Promise((resolve) => setTimeout(resolve, 50));
    return this.hub.fetch(request);
  }

  async alarm() {
    return this.hub.alarm();
  }
}

/** A rate limiter. The Worker's binding recognizes it by the name of its class. */
class Ratelimit {
  /** @param {(key: unknown) => Promise<unknown>} limit */
  constructor(limit) {
    this.limit = limit;
  }
}

export default class extends worker {
  /** @param {Request} request */
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname !== "/fault") {
      const { LIMIT } = this.env;
      const limit = (/** @type {unknown} */ key) => (fault === "limit" ? new Promise(() => {}) : LIMIT.limit(key));
      if (LIMIT) this.env = { ...this.env, LIMIT: new Ratelimit(limit) };
      return super.fetch(request);
    }
    fault = url.search.slice(1);
    return new Response(null, { status: 204 });
  }
}

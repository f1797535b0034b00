// Put in front of the built worker by a test: hubs that fail when they are told to. `/fault?hub-2` breaks a hub, `/fault?hang-hub-2`
// has what it is asked wait until something else is said here, `/fault?store` breaks every hub's store, which then undoes whatever a
// transaction wrote, `/fault?limit` has the counter of requests hang; `/fault?` mends all.

// @ts-expect-error It is put beside the built worker.
import worker, { Hub as Sound } from "./index.js";

/** The host of a hub's requests is its name. */
let broken = "";

// The built class is a proxy that makes its objects: an object of it does the work.
export class Hub {
  /** @param {any} state @param {unknown} env */
  constructor(state, env) {
    const { storage } = state;
    const sound = storage.transactionSync.bind(storage);
    storage.transactionSync = (/** @type {() => unknown} */ work) =>
      sound(() => {
        const done = work();
        if (broken === "store") throw new Error("the disk is full");
        return done;
      });
    this.sound = new Sound(state, env);
  }

  /** @param {Request} request */
  async fetch(request) {
    const name = new URL(request.url).host;
    if (broken === name) return new Response("broken by a test", { status: 500 });
    while (broken === `hang-${name}`) await new Promise((resolve) => setTimeout(resolve, 50));
    return this.sound.fetch(request);
  }

  async alarm() {
    return this.sound.alarm();
  }
}

export default class extends worker {
  /** @param {Request} request */
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname !== "/fault") {
      const { LIMIT } = this.env;
      const limit = (/** @type {unknown} */ what) => (broken === "limit" ? new Promise(() => {}) : LIMIT.limit(what));
      if (LIMIT) this.env = { ...this.env, LIMIT: { limit } };
      return super.fetch(request);
    }
    broken = url.search.slice(1);
    return new Response(null, { status: 204 });
  }
}

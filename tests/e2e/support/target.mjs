// A target whose every answer is the test's.

import { createServer } from "node:http";

/** The body of a healthy server. @param {{ rss?: number, uptime?: number, status?: string }} [figures] */
export const healthBody = ({ rss = 150, uptime = 3600, status = "healthy" } = {}) =>
  JSON.stringify({ status, memory: { rss, heapUsed: rss - 30, heapTotal: rss + 50, external: 30 }, uptime });

export class Target {
  /** @param {import("node:http").Server} server */
  constructor(server) {
    this.server = server;
    const address = /** @type {import("node:net").AddressInfo} */ (server.address());
    this.url = `http://127.0.0.1:${address.port}`;
  }

  /** @param {import("node:http").RequestListener} listener */
  static async start(listener) {
    const server = createServer(listener);
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
    return new Target(server);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A port of this machine at which nobody listens. */
export async function closedPort() {
  const target = await Target.start(() => {});
  await target.stop();
  return Number(new URL(target.url).port);
}

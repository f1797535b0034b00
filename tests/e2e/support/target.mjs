// A probe target whose every response the test decides.

import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";

/** Renders the `/health` body of a healthy server. @param {{ rss?: number, uptime?: number, status?: string }} [figures] in MB and seconds */
export const renderHealth = ({ rss = 150, uptime = 3600, status = "healthy" } = {}) =>
  JSON.stringify({ status, memory: { rss, heapUsed: rss - 30, heapTotal: rss + 50, external: 30 }, uptime });

/** An address that refuses connections: the discard port lies outside the ports that the system hands out. */
export const REFUSED_URL = "http://127.0.0.1:9/";

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

  /** Starts a target that answers every request with a healthy `/health`. @param {Parameters<typeof renderHealth>[0]} [figures] */
  static startHealthy(figures) {
    return Target.start((_, response) => response.end(renderHealth(figures)));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Starts a TCP server and returns it with its port. @param {(socket: import("node:net").Socket) => void} [onConnection] */
export async function startTcpServer(onConnection = () => {}) {
  const server = createTcpServer(onConnection);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return { server, port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
}

/** Reads the body of a request as text. @param {import("node:http").IncomingMessage} request @returns {Promise<string>} */
export async function readBody(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

/**
 * Finds a port that a server of the test can take. It lies below the ports that the system hands out by itself, so that no
 * other process gets it in between.
 */
export async function findFreePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createTcpServer();
    const free = await new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

// The real server, on a port of the system's choice.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { waitUntil } from "./wait.mjs";

/** The program under test. */
export const HEAPBEAT = process.env.HEAPBEAT_BIN ?? "target/debug/heapbeat";

export class Server {
  /** @param {import("node:child_process").ChildProcess} child @param {number} port */
  constructor(child, port) {
    this.child = child;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts `heapbeat serve --demo` and waits until it listens. @param {{ port?: number, env?: Record<string, string> }} [options] */
  static async start({ port = 0, env = {} } = {}) {
    const child = spawn(HEAPBEAT, ["serve", "--demo"], {
      stdio: ["ignore", "pipe", "pipe"],
      // The server refuses variables that it does not know.
      env: { ...process.env, HEAPBEAT_BIN: undefined, PORT: String(port), HEAPBEAT_LOG_FORMAT: "json", ...env },
    });
    const log = /** @type {string[]} */ ([]);
    const listening = new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          log.push(line);
          const found = parsePort(line);
          if (found) resolve(found);
        });
      }
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server exited with ${code}:\n${log.join("\n")}`)));
    });
    return new Server(child, await listening);
  }

  /** Reads the unsigned `/health`. @returns {Promise<any>} */
  async readHealth() {
    const response = await fetch(`${this.url}/health`);
    return response.json();
  }

  /**
   * Stops the server, and waits until nobody answers at its port: a supervisor that is killed ends some milliseconds before its worker.
   * @param {NodeJS.Signals} [signal]
   */
  async stop(signal = "SIGTERM") {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill(signal);
    await exit;
    await waitUntil("the end of the server's worker", async () => !(await acceptsConnections(this.port)));
  }
}

/** Whether a process listens at a port of this machine. @param {number} port @returns {Promise<boolean>} */
function acceptsConnections(port) {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

/** The port in the log line with which the server says that it listens. @param {string} line */
function parsePort(line) {
  if (!line.startsWith("{")) return undefined;
  const event = JSON.parse(line);
  return event["server.port"];
}

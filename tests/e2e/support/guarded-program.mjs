// A program under `heapbeat run`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { executableOf, findDescendants } from "./process-tree.mjs";
import { HEAPBEAT } from "./server.mjs";
import { findFreePort } from "./target.mjs";
import { waitUntil } from "./wait.mjs";

export class GuardedProgram {
  /** @param {import("node:child_process").ChildProcess} child @param {number} port @param {string[]} log */
  constructor(child, port, log) {
    this.child = child;
    this.pid = /** @type {number} */ (child.pid);
    this.port = port;
    /** The lines that heapbeat and the program have written. */
    this.log = log;
    this.url = `http://127.0.0.1:${port}`;
  }

  /**
   * Starts a command under `heapbeat run` on a free port, and waits until a request gets a response.
   * @param {string[]} command
   * @param {{ options?: string[], cwd?: string, env?: Record<string, string | undefined>, path?: string }} [settings]
   */
  static async start(command, { options = [], cwd, env = {}, path = "/" } = {}) {
    const port = await findFreePort();
    const child = spawn(resolve(HEAPBEAT), ["run", ...options, "--", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd,
      env: { ...process.env, HEAPBEAT_BIN: undefined, PORT: String(port), NO_COLOR: "1", ...env },
    });
    /** @type {string[]} */
    const log = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => log.push(line));
    }
    const guarded = new GuardedProgram(child, port, log);
    try {
      await waitUntil(`a response of ${command.join(" ")}`, () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error("heapbeat exited");
        return fetch(guarded.url + path).then(
          async (response) => {
            await response.text();
            return response.ok;
          },
          () => false,
        );
      });
    } catch (error) {
      await guarded.stop();
      throw new Error(`${error instanceof Error ? error.message : error}:\n${log.join("\n")}`);
    }
    return guarded;
  }

  /** Process ids of the program, without heapbeat's own. */
  programPids() {
    const own = executableOf(this.pid);
    return findDescendants(this.pid).filter((pid) => executableOf(pid) !== own);
  }

  /** Process ids of heapbeat's own processes. */
  guardPids() {
    const own = executableOf(this.pid);
    return [this.pid, ...findDescendants(this.pid).filter((pid) => executableOf(pid) === own)];
  }

  /** Requests a replacement of the program. */
  replace() {
    this.child.kill("SIGUSR2");
  }

  /** The lines of heapbeat's log that match. @param {RegExp} pattern */
  linesWith(pattern) {
    return this.log.filter((line) => pattern.test(line));
  }

  /** Stops heapbeat and with it the program. */
  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await exit;
  }
}

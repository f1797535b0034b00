// A child process in a group of its own, so that it can be ended with everything it has started.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Time for a child to end in order, in milliseconds. */
const PATIENCE = 5000;

export class Child {
  /**
   * @param {string} name
   * @param {string[]} command
   * @param {{ env?: Record<string, string | undefined>, onLine: (line: string) => void }} options
   */
  constructor(name, [program, ...args], { env = {}, onLine }) {
    this.name = name;
    this.ended = false;
    this.process = spawn(program, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", onLine);
    }
    /** Resolves to what is to be said of its end. @type {Promise<string>} */
    this.end = new Promise((resolve) => {
      const ended = (/** @type {string} */ how) => {
        this.ended = true;
        resolve(`${name} ${how}`);
      };
      this.process.once("error", (error) => ended(`could not be started: ${error.message}`));
      this.process.once("exit", (code, signal) => ended(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    });
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    if (!this.process.pid) return;
    try {
      process.kill(-this.process.pid, signal);
    } catch {
      // The whole group is gone already.
    }
  }

  /** Asks the group to end, and makes it when it does not. */
  async stop() {
    this.#signal("SIGTERM");
    let timer;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE);
    });
    await Promise.race([this.end, patience]);
    clearTimeout(timer);
    // What the child has started may outlive it.
    this.#signal("SIGKILL");
    await this.end;
  }
}

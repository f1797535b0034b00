// Processes that the tools start: commands that run to their end, and services that run until they are stopped.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fail } from "./log.mjs";

/** The signals that ask this process to end. */
export const END_SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/** Milliseconds that a service may take to exit after SIGTERM. */
const STOP_TIMEOUT = 5000;

/** @typedef {{ cwd?: string, env?: Record<string, string | undefined> }} CommandOptions */

/**
 * Resolves when a process has exited and all of its output was read: to undefined after success, otherwise to a description of the failure.
 * @param {import("node:child_process").ChildProcess} child @returns {Promise<string | undefined>}
 */
const waitForExit = (child) =>
  new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });

/**
 * Runs a command that writes to this terminal, and exits if it fails.
 * @param {string[]} command @param {CommandOptions} [options]
 */
export async function runCommand([program, ...args], { cwd, env } = {}) {
  const child = spawn(program, args, { stdio: "inherit", cwd, env: { ...process.env, ...env } });
  const failure = await waitForExit(child);
  if (failure) fail(`${program} ${args[0]} failed (${failure}); its output is above`);
}

/** Commands that run. If this process exits because one fails, the others are stopped. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill();
});

/**
 * Runs a command and passes its output to `onOutput`. Throws if it fails.
 * @param {string[]} command
 * @param {CommandOptions & { onOutput: (text: string) => void }} options
 */
export async function captureCommand([program, ...args], { cwd, env, onOutput }) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd, env: { ...process.env, ...env } });
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", onOutput);
  const failure = await waitForExit(child);
  running.delete(child);
  if (failure) throw new Error(`${program} ${args[0]} failed (${failure})`);
}

/** A process in a process group of its own, so that its child processes are stopped with it. */
export class Service {
  /**
   * @param {string} name
   * @param {string[]} command
   * @param {{ env?: Record<string, string | undefined>, onLine: (line: string) => void }} options
   */
  constructor(name, [program, ...args], { env = {}, onLine }) {
    this.process = spawn(program, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", onLine);
    }
    /** Resolves to a description of the exit. @type {Promise<string>} */
    this.exit = new Promise((resolve) => {
      this.process.once("error", (error) => resolve(`${name} could not be started: ${error.message}`));
      this.process.once("exit", (code, signal) =>
        resolve(signal ? `${name} was terminated by ${signal}` : `${name} exited with code ${code}`),
      );
    });
  }

  /** @param {NodeJS.Signals} signal */
  #signalGroup(signal) {
    if (!this.process.pid) return;
    try {
      process.kill(-this.process.pid, signal);
    } catch {
      // The group has exited.
    }
  }

  /** Stops the process group: SIGTERM first, SIGKILL after a timeout. */
  async stop() {
    this.#signalGroup("SIGTERM");
    let timer;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, STOP_TIMEOUT);
    });
    await Promise.race([this.exit, timeout]);
    clearTimeout(timer);
    // Processes that the service started can outlive it.
    this.#signalGroup("SIGKILL");
    await this.exit;
  }
}

// The packages as `make package` makes them, and empty folders in which only some programs exist.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, realpathSync, symlinkSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { startLoad } from "./load.mjs";
import { commandOf, findDescendants, isAlive } from "./process-tree.mjs";
import { HEAPBEAT } from "./server.mjs";
import { waitUntil } from "./wait.mjs";

/** What npm and its scripts need of a system; no Rust tool, no compiler. */
const SYSTEM = ["sh", "env", "uname", "readlink", "tar", "gzip"];

/** Milliseconds within which a stopped command has to leave nothing behind; the guard alone gives a program 27 s. */
const STOP_TIMEOUT_MS = 40_000;

/**
 * Makes the packages of the program under test, without debug information, in `destination`. TEST_PACKAGES names packages that exist
 * already, as those of a release. Returns the folder.
 * @param {string} destination
 */
export async function makePackages(destination) {
  if (process.env.TEST_PACKAGES) return resolve(process.env.TEST_PACKAGES);
  await runIn(".", [process.execPath, "tools/package.mjs"], {
    HEAPBEAT_BINARIES: HEAPBEAT,
    HEAPBEAT_DIST: destination,
  });
  return destination;
}

/** The path of the package whose name matches. @param {string} directory @param {RegExp} name */
export function findPackage(directory, name) {
  const file = readdirSync(directory).find((it) => name.test(it));
  if (!file) throw new Error(`no package in ${directory} matches ${name}: ${readdirSync(directory)}`);
  return join(directory, file);
}

/**
 * Makes a folder with links to these programs and the few of the system that scripts need, for use as PATH.
 * @param {string} directory @param {Record<string, string>} programs
 */
export function makePath(directory, programs) {
  mkdirSync(directory, { recursive: true });
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(directory, name));
  for (const name of SYSTEM) symlinkSync(findProgram(name), join(directory, name));
  return directory;
}

/** The real path of a program on PATH. @param {string} name */
export function findProgram(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      return realpathSync(join(folder, name));
    } catch {
      // It is not in this folder.
    }
  }
  throw new Error(`${name} is not on PATH`);
}

/**
 * Runs a command in a folder and returns what it prints. Throws if it fails.
 * @param {string} cwd @param {string[]} command @param {Record<string, string | undefined>} [env]
 */
export async function runIn(cwd, [program, ...args], env = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${signal ?? code}:\n${output}`);
  return output;
}

/** A command that runs until it is stopped, with the lines that it prints. */
export class RunningCommand {
  /** @type {string[]} */
  log = [];

  /** @param {string} cwd @param {string[]} command @param {Record<string, string | undefined>} env */
  constructor(cwd, [program, ...args], env) {
    this.child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.log.push(line));
    }
    this.exit = once(this.child, "exit");
  }

  get pid() {
    return /** @type {number} */ (this.child.pid);
  }

  /** Whether a line of the output matches. @param {RegExp} pattern */
  hasPrinted(pattern) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      throw new Error(`the command ended (${this.child.signalCode ?? this.child.exitCode}):\n${this.log.join("\n")}`);
    }
    return this.log.some((line) => pattern.test(line));
  }

  /** Stops the command, and waits until none of its processes is left. */
  async stop() {
    const descendants = findDescendants(this.pid);
    this.child.kill("SIGTERM");
    await this.exit;
    try {
      const left = () => descendants.filter((pid) => isAlive(pid) && commandOf(pid) !== "");
      await waitUntil("the end of all processes", () => left().length === 0, STOP_TIMEOUT_MS);
    } finally {
      for (const pid of descendants.filter(isAlive)) process.kill(pid, "SIGKILL");
    }
  }
}

/** Prints how long a step took, and returns its result. @template T @param {string} name @param {Promise<T>} step */
export async function timed(name, step) {
  const began = performance.now();
  const result = await step;
  console.log(`   ${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${name}`);
  return result;
}

/**
 * Sends requests to a guarded program, `rate` of them a second to a path that leaks, until it is replaced, and checks that each was answered.
 * @param {RunningCommand} guarded @param {number} port @param {{ rate: number, path: string }} leak
 */
export async function leakUntilReplaced(guarded, port, { rate, path }) {
  const load = startLoad({ port, rate: 40 });
  const leak = startLoad({ port, rate, requests: () => ({ path }) });
  const replaced = waitUntil("the replacement", () => guarded.hasPrinted(/instance 2 has taken over/));
  await timed("leak, until the program was replaced", replaced);
  for (const result of await Promise.all([load.stop(), leak.stop()])) {
    assert.equal(result.failed, 0, JSON.stringify(result.failures));
    assert.equal(result.shed, 0);
    assert.ok(result.answered > 0);
    console.log(`   ${result.answered} requests answered, ${result.failed} failed`);
  }
}

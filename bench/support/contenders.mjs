// The ways to keep a program alive that are compared: heapbeat, PM2, and what a server of its own brings.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GuardedProgram } from "../../tests/e2e/support/guarded-program.mjs";
import { executableOf, findDescendants } from "../../tests/e2e/support/process-tree.mjs";
import { findFreePort } from "../../tests/e2e/support/target.mjs";
import { waitUntil } from "../../tests/e2e/support/wait.mjs";
import { installProgram, PM2_VERSION } from "./programs.mjs";

/**
 * @typedef {object} Program
 * @property {string} name
 * @property {string} cwd
 * @property {(port: string) => string[]} command given how the port is written: a number, or `$PORT` for a shell
 * @property {Record<string, string>} [env]
 *
 * @typedef {object} Contender a program that runs
 * @property {string} name
 * @property {number} port
 * @property {() => number[]} pids process ids of the program, without those of its guard
 * @property {() => number[]} guardPids process ids of the guard
 * @property {() => string} describe what the guard has done
 * @property {() => Promise<void>} stop
 */

/** What is still to be stopped if this process ends early. @type {Set<() => void>} */
const cleanups = new Set();
process.once("exit", () => {
  for (const cleanup of cleanups) cleanup();
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** @param {number} port */
const waitForResponse = (port) =>
  waitUntil(`a response on port ${port}`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.text(),
      () => undefined,
    ),
  );

/**
 * Starts a program under heapbeat.
 * @param {Program} program @param {{ options?: string[], note?: string, env?: Record<string, string> }} [settings]
 * @returns {Promise<Contender & { guarded: GuardedProgram }>}
 */
export async function startUnderHeapbeat({ name, cwd, command, env }, { options = [], note, env: more } = {}) {
  const guarded = await GuardedProgram.start(command("$PORT"), {
    options: ["--limit", "256MB", ...options],
    cwd,
    env: { ...env, ...more },
  });
  const kill = () => guarded.child.kill("SIGTERM");
  cleanups.add(kill);
  return {
    name: `heapbeat, ${name}${note ? `, ${note}` : ""}`,
    port: guarded.port,
    guarded,
    pids: () => guarded.programPids(),
    guardPids: () => guarded.guardPids(),
    describe: () => `${guarded.linesWith(/recycled: /).length} replacements`,
    stop: async () => {
      await guarded.stop();
      cleanups.delete(kill);
    },
  };
}

/**
 * Starts a program under PM2 with `max_memory_restart` of 256 MB.
 * @param {Program & { script: string, interpreter?: string, args?: string[] }} program @param {"fork" | "cluster"} mode
 * @returns {Promise<Contender & { reload: () => Promise<unknown> }>}
 */
export async function startUnderPm2({ name, cwd, script, interpreter, args = [], env = {} }, mode) {
  const pm2 = join(installProgram.pm2(), "node_modules/.bin/pm2");
  const home = mkdtempSync(join(tmpdir(), "heapbeat-pm2-"));
  const port = await findFreePort();
  writeFileSync(
    join(home, "ecosystem.config.cjs"),
    `module.exports = ${JSON.stringify({
      apps: [
        {
          name: "app",
          script: join(cwd, script),
          cwd,
          args: args.map((word) => (word === "$PORT" ? String(port) : word)),
          ...(interpreter && { interpreter: join(cwd, interpreter) }),
          exec_mode: mode,
          instances: 1,
          max_memory_restart: "256M",
          env: { ...env, PORT: String(port) },
        },
      ],
    })}`,
  );
  const environment = { ...process.env, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: "1" };
  const run = (/** @type {string[]} */ ...words) =>
    spawnSync(pm2, words, {
      encoding: "utf8",
      env: environment,
    });
  const kill = () => {
    run("kill");
    rmSync(home, { recursive: true, force: true });
  };
  cleanups.add(kill);
  const started = run("start", join(home, "ecosystem.config.cjs"));
  if (started.status !== 0) throw new Error(`PM2 failed: ${started.stdout}${started.stderr}`);
  const list = () =>
    JSON.parse(
      run("jlist")
        .stdout.split("\n")
        .findLast((line) => line.startsWith("[")) ?? "[]",
    );
  const daemon = Number(spawnSync("cat", [join(home, "pm2.pid")], { encoding: "utf8" }).stdout);
  await waitForResponse(port);
  return {
    name: `PM2 ${PM2_VERSION} ${mode} mode, ${name}`,
    port,
    pids: () => findDescendants(daemon),
    guardPids: () => [daemon],
    reload: () => once(spawn(pm2, ["reload", "app"], { env: environment, stdio: "ignore" }), "exit"),
    describe: () => `${list()[0]?.pm2_env?.restart_time} restarts`,
    stop: async () => {
      kill();
      cleanups.delete(kill);
    },
  };
}

/**
 * Starts a program by itself.
 * @param {Program} program
 * @returns {Promise<Contender>}
 */
export async function startAlone({ name, cwd, command, env }) {
  const port = await findFreePort();
  const [program, ...args] = command(String(port));
  const child = spawn(program, args, {
    cwd,
    stdio: "ignore",
    detached: true,
    env: { ...process.env, ...env, PORT: String(port) },
  });
  const pid = /** @type {number} */ (child.pid);
  const kill = () => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has exited.
    }
  };
  cleanups.add(kill);
  await waitForResponse(port);
  return {
    name,
    port,
    pids: () => [pid, ...findDescendants(pid)],
    guardPids: () => [],
    describe: () => "",
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      kill();
      await exit;
      cleanups.delete(kill);
    },
  };
}

/** Of processes, those that run this program, such as `node`. @param {number[]} pids @param {RegExp} name */
export const withExecutable = (pids, name) => pids.filter((pid) => name.test(executableOf(pid)));

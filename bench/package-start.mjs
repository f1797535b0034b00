// What the command of the npm package costs beside the program that it starts: the script for the shell that the package has, and what a
// script of Node would cost. The time is that of `heapbeat --version`; the memory is what is resident besides the guard itself.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { executableOf, findDescendants, proportionalSetSize } from "../tests/e2e/support/process-tree.mjs";
import { loadAverage, toMb } from "./support/conditions.mjs";

const RUNS = 21;
const PROGRAM = resolve(process.env.HEAPBEAT_BIN ?? "target/release/heapbeat");

const directory = mkdtempSync(join(tmpdir(), "heapbeat-start-"));
const platform = join(directory, `node_modules/@heapbeat/linux-${process.arch}`);
const main = join(directory, "node_modules/heapbeat");
for (const folder of [platform, main]) mkdirSync(folder, { recursive: true });
const program = join(platform, "heapbeat");
copyFileSync(PROGRAM, program);

/** Writes a command of the package. @param {string} name @param {string} text */
function writeCommand(name, text) {
  const path = join(main, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

const shell = join(main, "heapbeat.sh");
copyFileSync("tools/package/npm/heapbeat.sh", shell);
chmodSync(shell, 0o755);
const START = `const program = ${JSON.stringify(program)};\nconst args = process.argv.slice(2);\n`;
const COMMANDS = {
  directly: program,
  "shell, exec": shell,
  "Node, process.execve": writeCommand(
    "execve.js",
    `#!${process.execPath}\n${START}process.execve(program, ["heapbeat", ...args], process.env);\n`,
  ),
  "Node, spawn": writeCommand(
    "spawn.js",
    `#!${process.execPath}\n${START}const child = require("node:child_process").spawn(program, args, { stdio: "inherit" });
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));\n`,
  ),
};

/** @param {string} command */
function measureTime(command) {
  const times = Array.from({ length: RUNS }, () => {
    const began = performance.now();
    spawnSync(command, ["--version"]);
    return performance.now() - began;
  });
  return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)];
}

/** Memory of the processes that are neither the guard nor the program. @param {string} command */
async function measureMemory(command) {
  const child = spawn(command, ["run", "--", "sleep", "60"], { stdio: "ignore", env: { ...process.env, PORT: "0" } });
  await sleep(3000);
  const pids = [/** @type {number} */ (child.pid), ...findDescendants(/** @type {number} */ (child.pid))];
  const besides = pids.filter((pid) => executableOf(pid) !== program && !executableOf(pid).endsWith("/sleep"));
  const memory = proportionalSetSize(besides);
  child.kill("SIGTERM");
  await new Promise((done) => child.once("exit", done));
  return memory;
}

try {
  console.log(`Node ${process.version}, median of ${RUNS} runs, ${loadAverage()}\n`);
  console.log("| how the command starts the program | time | memory beside the program |\n|---|---|---|");
  for (const [name, command] of Object.entries(COMMANDS)) {
    const time = measureTime(command);
    console.log(`| ${name} | ${time.toFixed(0)} ms | ${toMb(await measureMemory(command))} MB |`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

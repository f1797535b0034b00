// The packages of `make package` (dist/, or DIST), installed into empty folders by npm and pip as a stranger does: their sizes, and the time of each
// step until a program that leaks was replaced without a failed request. The steps are those of tests/e2e/packages.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fail } from "../tools/log.mjs";
import { loadAverage } from "./support/conditions.mjs";

const dist = resolve(process.env.DIST ?? "dist");

/** @param {string} path @param {string} name */
const logSize = (path, name) => console.log(`${(statSync(path).size / 1e6).toFixed(2).padStart(9)} MB  ${name}`);

/** Prints the size of the program in an archive, as it is and without the names of its functions. @param {string} archive */
function logProgram(archive) {
  const folder = mkdtempSync(join(tmpdir(), "heapbeat-sizes-"));
  spawnSync("tar", ["xzf", archive, "-C", folder]);
  const inside = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const program = join(folder, inside.find((it) => /(^|\/)heapbeat$/.test(it)) ?? fail(`no program in ${archive}`));
  logSize(program, "the program, without debug information");
  spawnSync("strip", [program]);
  logSize(program, "the program, without the names of its functions as well");
  rmSync(folder, { recursive: true, force: true });
}

/** Runs a file of tests, and prints the lines with times and counts. @param {string} file */
async function runSteps(file) {
  const env = { ...process.env, TEST_PACKAGES: dist };
  const args = ["--test", "--test-reporter=spec", file];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const log = /** @type {string[]} */ ([]);
  createInterface({ input: child.stdout }).on("line", (line) => log.push(line));
  const [code] = await once(child, "close");
  if (code !== 0) fail(`${file} failed:\n${log.join("\n")}`);
  for (const line of log) if (/^ +[\d.]+ s {2}|^ +\d+ requests /.test(line)) console.log(line);
}

console.log(`${cpus().length} cores, Node ${process.version}, ${loadAverage()}\n`);
console.log("Sizes:");
const files = readdirSync(dist).filter((it) => /\.(tgz|whl|tar\.gz)$/.test(it));
for (const file of files) logSize(join(dist, file), file);
for (const file of files.filter((it) => it.endsWith(".tar.gz"))) logProgram(join(dist, file));
console.log("\nFrom an empty folder with Node alone:");
await runSteps("tests/e2e/packages/npm.test.mjs");
console.log(`${loadAverage()}\n\nFrom an empty folder with Python alone:`);
await runSteps("tests/e2e/packages/wheel.test.mjs");
console.log(loadAverage());

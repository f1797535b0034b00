// The example programs (server/examples/programs), installed at their pinned versions into target/programs, once.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fail, logNote } from "../../tools/log.mjs";

const SOURCES = "server/examples/programs";
const INSTALLED = resolve("target/programs");

/** Process manager that heapbeat is compared with. */
export const PM2_VERSION = "7.0.4";

/** Wrappers of Node programs, for the table of wrappers. */
const NODE_TOOLS = {
  pnpm: "10.34.9",
  tsx: "4.23.15",
  "ts-node": "10.9.2",
  typescript: "5.9.3",
  "@types/node": "22.20.5",
};

/** Whether a program is installed on this machine. @param {string} name */
export const isInstalled = (name) => spawnSync("which", [name]).status === 0;

/** @param {string} folder @param {string} program @param {string[]} args */
function run(folder, program, ...args) {
  const { status, stderr, stdout } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) fail(`${program} ${args.join(" ")} in ${folder} failed:\n${stdout}${stderr}`);
}

/** A digest of all files of a folder and of the pinned tools. @param {string} folder */
function digest(folder) {
  const hash = createHash("sha256").update(JSON.stringify([PM2_VERSION, NODE_TOOLS]));
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  for (const file of files.filter((it) => it.isFile()).sort((a, b) => a.name.localeCompare(b.name))) {
    hash.update(readFileSync(join(file.parentPath, file.name)));
  }
  return hash.digest("hex");
}

/**
 * Copies a program to target/programs and installs what it needs, unless that was done before. Returns its folder.
 * @param {string} name @param {(folder: string) => void} install
 */
function prepare(name, install) {
  const folder = join(INSTALLED, name);
  const wanted = digest(join(SOURCES, name));
  const stamp = join(folder, ".installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return folder;
  logNote(`installing ${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (existsSync(join(SOURCES, name))) cpSync(join(SOURCES, name), folder, { recursive: true });
  install(folder);
  writeFileSync(stamp, wanted);
  return folder;
}

/** Installs packages in a folder, not in one above it. @param {string} folder @param {string[]} packages */
function npmInstall(folder, ...packages) {
  if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), '{ "private": true }');
  run(folder, "npm", "install", "--no-audit", "--no-fund", ...packages);
}

/** Creates a virtual environment with the packages of requirements.txt. @param {string} folder */
function pipInstall(folder) {
  run(folder, process.env.PYTHON ?? "python3", "-m", "venv", "venv");
  run(folder, "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt");
}

/** Each returns the folder of the installed program. */
export const installProgram = {
  express: () => prepare("express", npmInstall),
  fastify: () => prepare("fastify", npmInstall),
  next: () =>
    prepare("next", (folder) => {
      npmInstall(folder);
      run(folder, "npm", "run", "build");
    }),
  fastapi: () => prepare("fastapi", pipInstall),
  flask: () => prepare("flask", pipInstall),
  java: () =>
    prepare("java", (folder) => {
      run(folder, "javac", "Server.java");
      run(folder, "jar", "--create", "--file", "server.jar", "--main-class", "Server", "Server.class");
    }),
  go: () => prepare("go", (folder) => run(folder, "go", "build", "-o", "server", ".")),
  rack: () => prepare("rack", () => {}),
  pm2: () => prepare("pm2", (folder) => npmInstall(folder, `pm2@${PM2_VERSION}`)),
  nodeTools: () =>
    prepare("node-tools", (folder) =>
      npmInstall(folder, ...Object.entries(NODE_TOOLS).map(([name, version]) => `${name}@${version}`)),
    ),
};

// Checks the tools and ports that a goal needs before minutes are spent on building, and says what to install. The Makefile
// has checked that Node itself is there and new enough.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describeTakenPort } from "./edge/free-port.mjs";
import { readEnv } from "./env.mjs";
import { logError } from "./log.mjs";

/** The first line that a program prints, or nothing if it is not there or fails. @param {string[]} command */
function firstLine([program, ...args]) {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? stdout.split("\n")[0] : undefined;
}

/** @returns {string | undefined} the problem, if there is one */
function checkRust() {
  const [, wanted = ""] = /channel = "([\d.]+)"/.exec(readFileSync("rust-toolchain.toml", "utf8")) ?? [];
  const { error, status, stdout, stderr } = spawnSync("cargo", ["--version"], { encoding: "utf8" });
  if (error) return "cargo is missing: install Rust from https://rustup.rs";
  if (status !== 0) {
    if (/toolchain .* is not installed/.test(stderr)) {
      return `Rust ${wanted} is not installed: run "rustup toolchain install ${wanted}"`;
    }
    return `cargo does not run: ${stderr.trim()}`;
  }
  const [, version = ""] = /^cargo (\d+\.\d+)/.exec(stdout) ?? [];
  const number = (/** @type {string} */ text) => text.split(".").map(Number);
  const [[major = 0, minor = 0], [wantedMajor = 0, wantedMinor = 0]] = [number(version), number(wanted)];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Rust is ${version}, too old: install ${wanted} or later from https://rustup.rs`;
}

function checkTools() {
  return [
    checkRust(),
    firstLine(["cc", "--version"]) === undefined
      ? "a C compiler (cc) is missing: install gcc or clang (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc)"
      : undefined,
    firstLine(["npm", "--version"]) === undefined
      ? "npm is missing: install it with Node, from https://nodejs.org or your distribution's package npm"
      : undefined,
  ];
}

async function checkPorts() {
  const { serverPort, edgePort } = readEnv();
  const problems = [];
  for (const [name, port] of /** @type {const} */ ([
    ["PORT", serverPort],
    ["EDGE_PORT", edgePort],
  ])) {
    const problem = await describeTakenPort(port, name, "make run");
    if (problem) problems.push(problem);
  }
  return problems;
}

const problems = [...checkTools(), ...(process.argv[2] === "run" ? await checkPorts() : [])].filter(Boolean);
for (const problem of problems) logError(String(problem));
if (problems.length > 0) process.exitCode = 1;

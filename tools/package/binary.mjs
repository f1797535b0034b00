// The program for one platform: which platform that is, and which C library it needs, are read from the file itself, so that no package
// promises what its program does not keep.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../log.mjs";
import { PROJECT } from "./project.mjs";

/**
 * The platforms that packages exist for, by the machine that an ELF file names. The name is that of Node: `process.platform` and
 * `process.arch`.
 * @type {Record<string, { name: string, os: string, cpu: string, rust: string, wheel: string }>}
 */
const MACHINES = {
  "Advanced Micro Devices X86-64": { name: "linux-x64", os: "linux", cpu: "x64", rust: "x86_64", wheel: "x86_64" },
  AArch64: { name: "linux-arm64", os: "linux", cpu: "arm64", rust: "aarch64", wheel: "aarch64" },
};

/**
 * @typedef {object} Binary
 * @property {string} path
 * @property {{ name: string, os: string, cpu: string, rust: string, wheel: string }} platform
 * @property {string | undefined} glibc the oldest glibc that it runs with; nothing if it is static and needs none
 * @property {string} triple Rust's name of the target, by which cargo-binstall finds the archive
 */

/** Runs a program and returns what it prints. @param {string} program @param {string[]} args @param {Record<string, string>} [more] */
function read(program, args, more) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: "C", ...more },
  });
  if (status !== 0) fail(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Finds out for what a program was built, from the output of `readelf`. @param {string} output @returns {Omit<Binary, "path">} */
export function parseElf(output) {
  const machine = /^ *Machine: +(.+)$/m.exec(output)?.[1].trim() ?? "";
  const platform = MACHINES[machine];
  if (!platform) throw new Error(`there are no packages for programs of the machine "${machine}"`);
  const isStatic = !/\(NEEDED\)/.test(output);
  const versions = [...output.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [
    Number(major),
    Number(minor),
  ]);
  const newest = versions.sort(([a, b], [c, d]) => c - a || d - b)[0];
  if (!isStatic && !newest) throw new Error("the program needs a C library that is not glibc: link it statically");
  return {
    platform,
    glibc: isStatic ? undefined : newest.join("."),
    triple: `${platform.rust}-unknown-linux-${isStatic ? "musl" : "gnu"}`,
  };
}

/** Removes the debug information of a program by Rust's objcopy, as `strip` of a system knows its own machine only. @param {string} path */
function stripDebug(path) {
  const host = /^host: (.+)$/m.exec(read("rustc", ["-vV"]))?.[1] ?? "";
  const sysroot = read("rustc", ["--print", "sysroot"]).trim();
  const objcopy = join(sysroot, "lib/rustlib", host, "bin/rust-objcopy");
  read(objcopy, ["--strip-debug", path], { LD_LIBRARY_PATH: join(sysroot, "lib") });
}

/**
 * Copies a program into `directory` without its debug information. The names of its functions stay: they are a fourteenth of the
 * compressed size, and without them the call stack of a panic is a list of numbers.
 * @param {string} source @param {string} directory @returns {Binary}
 */
export function prepareBinary(source, directory) {
  const found = parseElf(read("readelf", ["--wide", "-h", "-d", "-V", source]));
  const path = join(directory, found.platform.name, "heapbeat");
  mkdirSync(join(directory, found.platform.name), { recursive: true });
  copyFileSync(source, path);
  chmodSync(path, 0o755);
  stripDebug(path);
  checkVersion({ ...found, path });
  return { ...found, path };
}

/** Fails if a program of this machine states another version than Cargo.toml. @param {Binary} binary */
function checkVersion({ path, platform }) {
  if (platform.cpu !== process.arch) return;
  const stated = read(path, ["--version"]).trim();
  if (stated.split(" ")[1] !== PROJECT.version) {
    fail(`${path} says "${stated}", and Cargo.toml has the version ${PROJECT.version}: build the program again`);
  }
}

/** The size of a file in bytes. @param {string} path */
export const sizeOf = (path) => statSync(path).size;

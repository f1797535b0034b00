// The program for one platform: which platform that is, and which C library it needs, are read from the file itself, so that no package
// promises what its program does not keep.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../log.mjs";
import { PROJECT } from "./project.mjs";

/**
 * A system and a machine. The name is that of Node: `process.platform` and `process.arch`. `wheel` is Python's name of the machine, where
 * there are wheels.
 * @typedef {{ name: string, os: string, cpu: string, rust: string, wheel?: string }} Platform
 */

/** The platforms of Linux, by the machine that an ELF file names. @type {Record<string, Platform>} */
const MACHINES = {
  "Advanced Micro Devices X86-64": { name: "linux-x64", os: "linux", cpu: "x64", rust: "x86_64", wheel: "x86_64" },
  AArch64: { name: "linux-arm64", os: "linux", cpu: "arm64", rust: "aarch64", wheel: "aarch64" },
};

/** The platforms of macOS, by the machine that a Mach-O file names. @type {Record<number, Platform>} */
const APPLE_MACHINES = {
  16777223: { name: "darwin-x64", os: "darwin", cpu: "x64", rust: "x86_64" },
  16777228: { name: "darwin-arm64", os: "darwin", cpu: "arm64", rust: "aarch64" },
};

/** The platforms of Windows, by the machine that a PE file names. @type {Record<number, Platform>} */
const WINDOWS_MACHINES = {
  34404: { name: "win32-x64", os: "win32", cpu: "x64", rust: "x86_64" },
};

/**
 * @typedef {object} Binary
 * @property {string} path
 * @property {Platform} platform
 * @property {string | undefined} glibc the oldest glibc that it runs with; nothing if it is static and needs none
 * @property {string} triple Rust's name of the target, by which cargo-binstall finds the archive
 */

/** Whether a program guards others, for which the packages of npm and PyPI exist. @param {Binary} binary */
export const guardsPrograms = ({ platform }) => platform.os === "linux";

/** The name of a program's file. @param {Omit<Binary, "path">} binary */
export const fileName = ({ platform }) => (platform.os === "win32" ? "heapbeat.exe" : "heapbeat");

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

/**
 * Finds out for what a program of macOS or Windows was built, from its content; nothing if it is of another system.
 * @param {Buffer} content @returns {Omit<Binary, "path"> | undefined}
 */
export function parseForeign(content) {
  if (content.readUInt32LE(0) === 0xfeed_facf) {
    const platform = APPLE_MACHINES[content.readUInt32LE(4)];
    if (platform) return { platform, glibc: undefined, triple: `${platform.rust}-apple-darwin` };
  }
  if (content.toString("latin1", 0, 2) === "MZ") {
    const header = content.readUInt32LE(0x3c);
    const platform = WINDOWS_MACHINES[content.readUInt16LE(header + 4)];
    if (platform) return { platform, glibc: undefined, triple: `${platform.rust}-pc-windows-gnu` };
  }
  return undefined;
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
  const found = parseForeign(readFileSync(source)) ?? parseElf(read("readelf", ["--wide", "-h", "-d", "-V", source]));
  const path = join(directory, found.platform.name, fileName(found));
  mkdirSync(join(directory, found.platform.name), { recursive: true });
  copyFileSync(source, path);
  chmodSync(path, 0o755);
  // A program of macOS has its debug information elsewhere, and is signed.
  if (found.platform.os !== "darwin") stripDebug(path);
  checkVersion({ ...found, path });
  return { ...found, path };
}

/** Fails if a program of this machine states another version than Cargo.toml. @param {Binary} binary */
function checkVersion({ path, platform }) {
  if (platform.cpu !== process.arch || platform.os !== process.platform) return;
  const stated = read(path, ["--version"]).trim();
  if (stated.split(" ")[1] !== PROJECT.version) {
    fail(`${path} says "${stated}", and Cargo.toml has the version ${PROJECT.version}: build the program again`);
  }
}

/** The size of a file in bytes. @param {string} path */
export const sizeOf = (path) => statSync(path).size;

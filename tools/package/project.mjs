// What every package says of itself. The version, the license, the description and the repository's address are stated once, in Cargo.toml;
// the packages for npm and PyPI are made from there.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

/** @param {string} path @returns {any} */
const readToml = (path) => parse(readFileSync(path, "utf8"));

const { version, license, repository } = readToml("Cargo.toml").workspace.package;

export const PROJECT = {
  /** The version of all packages. */
  version: /** @type {string} */ (version),
  /** An SPDX expression. */
  license: /** @type {string} */ (license),
  /** The address of the repository. It is a placeholder until the repository is public. */
  repository: /** @type {string} */ (repository),
  description: /** @type {string} */ (readToml("server/cli/Cargo.toml").package.description),
  edgeDescription: /** @type {string} */ (readToml("edge/Cargo.toml").package.description),
};

/** The files with the license, which are part of every package. */
export const LICENSE_FILES = ["LICENSE-APACHE", "LICENSE-MIT"];

/**
 * The time that archives state for their files, in seconds: that of the last commit, so that packages of one commit are the same bytes.
 */
export function sourceDate() {
  const { stdout } = spawnSync("git", ["log", "-1", "--format=%ct"], { encoding: "utf8" });
  return stdout.trim() || "315532800";
}

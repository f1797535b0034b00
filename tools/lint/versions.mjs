// Fails if a version or the repository's address is stated in a second place and differs from Cargo.toml: crates take both from the
// workspace, a crate that another one needs is required in the same version, the crates of others are required from the tested version
// on, and the changelog knows the version.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { fail, logNote } from "../log.mjs";
import { findOtherAddresses, findVersionProblems } from "./version-problems.mjs";

/** @param {string} path @returns {any} */
const readToml = (path) => parse(readFileSync(path, "utf8"));

const { workspace } = readToml("Cargo.toml");
const manifests = Object.fromEntries(
  workspace.members.map((/** @type {string} */ folder) => [folder, readToml(`${folder}/Cargo.toml`)]),
);
const problems = findVersionProblems({
  workspace,
  manifests,
  locked: readToml("Cargo.lock").package,
  changelog: readFileSync("CHANGELOG.md", "utf8"),
  tag: process.env.RELEASE_TAG,
});
// Tests name repositories that do not exist.
const pattern = ["-lE", "(github\\.com|ghcr\\.io)/[a-zA-Z0-9_.-]+/heapbeat", "--", ":!*.test.mjs"];
const { stdout } = spawnSync("git", ["grep", ...pattern], { encoding: "utf8" });
const files = stdout.split("\n").filter(Boolean);
const texts = Object.fromEntries(files.map((path) => [path, readFileSync(path, "utf8")]));
problems.push(...findOtherAddresses(workspace.package.repository, texts));
const { channel } = readToml("rust-toolchain.toml").toolchain;
if (channel !== `${workspace.package["rust-version"]}.0`) {
  problems.push(
    `rust-toolchain.toml: the channel is ${channel}, and Cargo.toml has the rust-version ${workspace.package["rust-version"]}`,
  );
}
for (const problem of problems) logNote(problem);
if (problems.length > 0) fail("versions differ; see above");

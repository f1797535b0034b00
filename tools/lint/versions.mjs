// Fails if a version or the repository's address is stated in a second place and differs from Cargo.toml: crates take both from the
// workspace, a crate that another one needs is required in the same version, the crates of others are required from the tested version
// on, and the changelog knows the version.

import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { fail, logNote } from "../log.mjs";
import { findVersionProblems } from "./version-problems.mjs";

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
for (const problem of problems) logNote(problem);
if (problems.length > 0) fail("versions differ; see above");

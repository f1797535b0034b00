// Prints the text of a release, which is the changelog's section of its version: release-notes.mjs v0.1.0

import { readFileSync } from "node:fs";
import { releaseNotes } from "../lint/version-problems.mjs";
import { fail } from "../log.mjs";

const tag = process.argv[2] ?? "";
console.log(
  releaseNotes(readFileSync("CHANGELOG.md", "utf8"), tag.replace(/^v/, "")) ??
    fail(`CHANGELOG.md has no section for ${tag}`),
);

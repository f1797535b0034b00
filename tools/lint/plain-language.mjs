// Fails if a source or document contains a word or fragment that this project no longer uses. CONTRIBUTING.md has the rules behind them:
// names are the terms of the field, and a sentence begins with its subject. A word is added once the repository is free of it.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fail, logNote } from "../log.mjs";
import { findRetiredWords } from "./retired-words.mjs";

/** The lint's own files contain the words. Recorded output and generated files are not edited. */
const EXCLUDED = /^(?:tools\/lint\/|bench\/results\/|edge\/assets\/api\/|package-lock\.json|Cargo\.lock)/;

const { stdout } = spawnSync("git", ["ls-files"], { encoding: "utf8" });
const paths = stdout.split("\n").filter((path) => /\.(?:rs|m?js|md|ftl|html|toml)$/.test(path) && !EXCLUDED.test(path));
let found = 0;
for (const path of paths) {
  for (const { line, word, hint } of findRetiredWords(readFileSync(path, "utf8"))) {
    logNote(`${path}:${line}: "${word}" is not used here; ${hint}`);
    found += 1;
  }
}
if (found > 0) fail("words that this project does not use; see above");

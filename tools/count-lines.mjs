// Counts the lines of Rust that are not tests: `node tools/count-lines.mjs [CHECKOUT]`. Counted are the files in the folders `src`. Left
// out are items below `#[cfg(test)]` with their files, `tests/`, `benches/` and `examples/`, and the packages that only tests use.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { blankIgnored, blankTests, readProductionSources } from "./lint/rust-source.mjs";

const root = process.argv[2] ?? ".";

/** Folders of the packages, those of earlier commits included. */
const PACKAGES = [
  "shared",
  "shared/forecast",
  "shared/monitors",
  "server",
  "server/cli",
  "server/convert",
  "server/front",
  "server/agents",
  "server/connection",
  "server/pprof",
  "server/demo",
  "edge",
  "edge/worker",
  "tools/build",
];

/** Lines of a file outside its tests: all of them, and those with code. @param {string} path */
function countFile(path) {
  // A line without code gets a mark, so that it differs from a line of a test, which becomes blank.
  const code = blankIgnored(readFileSync(path, "utf8")).trimEnd();
  const lines = code.split("\n");
  const marked = lines.map((line) => (line.trim() === "" ? "·" : line)).join("\n");
  const kept = blankTests(marked).code.split("\n");
  const all = kept.filter((line) => line.trim() !== "").length;
  return { all, code: kept.filter((line) => !["", "·"].includes(line.trim())).length };
}

let total = { all: 0, code: 0 };
console.log(`${"package".padEnd(18)}${"lines".padStart(8)}${"with code".padStart(12)}`);
const print = (/** @type {string} */ name, /** @type {{ all: number, code: number }} */ { all, code }) =>
  console.log(`${name.padEnd(18)}${String(all).padStart(8)}${String(code).padStart(12)}`);
for (const name of PACKAGES.filter((it) => existsSync(join(root, it, "src")))) {
  const sum = { all: 0, code: 0 };
  for (const path of readProductionSources(join(root, name, "src")).keys()) {
    const { all, code } = countFile(path);
    sum.all += all;
    sum.code += code;
  }
  print(name, sum);
  total = { all: total.all + sum.all, code: total.code + sum.code };
}
print("all", total);

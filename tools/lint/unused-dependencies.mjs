// Fails if a Cargo.toml names a dependency that the sources of its package do not use, or if the workspace names one that no
// package uses. A dependency that is needed only for its features is listed under [package.metadata.cargo-machete], as for cargo-machete.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { fail, logNote } from "../log.mjs";
import { readProductionSources, readSources } from "./rust-source.mjs";

const readManifest = (/** @type {string} */ path) => /** @type {any} */ (parse(readFileSync(path, "utf8")));
const { workspace } = readManifest("Cargo.toml");

/** Names of the dependencies in these sections, those of targets included. @param {any} manifest @param {string} section */
const namesIn = (manifest, section) =>
  [manifest, ...Object.values(manifest.target ?? {})].flatMap((table) => Object.keys(table[section] ?? {}));

/** @param {string} name @param {Iterable<string>} sources */
function isUsed(name, sources) {
  const word = new RegExp(`\\b${name.replaceAll("-", "_")}\\b`);
  return [...sources].some((code) => word.test(code));
}

const problems = [];
const named = new Set();
for (const member of workspace.members) {
  const path = join(member, "Cargo.toml");
  const manifest = readManifest(path);
  const ignored = manifest.package.metadata?.["cargo-machete"]?.ignored ?? [];
  const production = [...readProductionSources(join(member, "src")).values()];
  const all = ["src", "tests", "examples", "benches"].flatMap((it) => [...readSources(join(member, it)).values()]);
  for (const [section, sources] of /** @type {const} */ ([
    ["dependencies", production],
    ["dev-dependencies", all],
  ])) {
    for (const name of namesIn(manifest, section)) {
      named.add(name);
      if (ignored.includes(name) || isUsed(name, sources)) continue;
      const tests = section === "dependencies" && isUsed(name, all);
      problems.push(`${path}: ${name} in [${section}] is ${tests ? "used by tests alone" : "not used"}`);
    }
  }
}
for (const name of Object.keys(workspace.dependencies)) {
  if (!named.has(name)) problems.push(`Cargo.toml: ${name} in [workspace.dependencies] is named by no package`);
}
for (const problem of problems) logNote(problem);
if (problems.length > 0) fail("dependencies are named that nothing uses; see above");

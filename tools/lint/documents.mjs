// Fails if a document names a path of the repository that does not exist, or quotes a message that no program prints.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fail, logNote } from "../log.mjs";
import { findMissingPaths, findUnprintedTexts } from "./document-references.mjs";

/** Documents whose quoted messages are those of the programs. */
const QUOTES_MESSAGES = /^docs\/(?:troubleshooting|deploy)\.md$/;

const { stdout } = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
const files = stdout.split("\n").filter((path) => path !== "");
const sources = files
  .filter(
    (path) => /^(?:server|shared|edge|tools)\/.*\.(?:rs|m?js|ftl|sh)$/.test(path) && !path.startsWith("tools/lint/"),
  )
  .map((path) => readFileSync(path, "utf8"))
  .join("\n")
  // The supervisor of another program says `program` where it says `worker` otherwise.
  .replaceAll("{noun}", "worker");
let found = 0;
for (const document of files.filter((path) => /^(?:CONTRIBUTING|README|docs\/[^/]+)(?:\.md)$/.test(path))) {
  const text = readFileSync(document, "utf8");
  for (const { line, path } of findMissingPaths(text, files, document === "CONTRIBUTING.md")) {
    logNote(`${document}:${line}: \`${path}\` does not exist`);
    found += 1;
  }
  if (!QUOTES_MESSAGES.test(document)) continue;
  for (const { line, message } of findUnprintedTexts(text, sources)) {
    logNote(`${document}:${line}: no source contains the message \`${message}\``);
    found += 1;
  }
}
if (found > 0) fail("documents refer to paths or messages that do not exist; see above");

// Files with secrets: readable by their owner alone, and never written through a link or into a file that somebody else has opened.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { END_SIGNALS } from "../process.mjs";

/** Replaces a file by a new one. @param {string} path @param {string} text */
export function writeSecretFile(path, text) {
  rmSync(path, { force: true });
  writeFileSync(path, text, { flag: "wx", mode: 0o600 });
}

/**
 * A line of .dev.vars. Wrangler and Node read no escapes there but `\n` between double quotes, so that the quotes are chosen by the value.
 * Throws if it fits between none.
 * @param {string} name @param {string} value
 */
export function renderVariable(name, value) {
  const quotes = value.includes("\\") ? ["'", "`"] : ['"', "'", "`"];
  const line = quotes.map((it) => `${name}=${it}${value}${it}\n`).find((it) => parseEnv(it)[name] === value);
  if (line === undefined || /\p{Cc}/u.test(value)) {
    throw new Error(`${name} has a line break, or all kinds of quotation marks: ${SECRETS} cannot hold it`);
  }
  return line;
}

/** The file with the secrets of a project that `heapbeat-edge init` has made. */
export const SECRETS = ".dev.vars";

/**
 * Writes secrets as JSON for a command of wrangler, until this process ends. In any other form wrangler replaces `$NAME` in them, and a variable
 * of the environment takes the place of the secret of its name. Returns the path.
 * @param {Record<string, string | undefined>} secrets
 */
export function lendSecrets(secrets) {
  const directory = mkdtempSync(join(tmpdir(), "heapbeat-secrets-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  // Ctrl-C ends the command, and then this process, which otherwise would leave the file.
  for (const signal of END_SIGNALS) process.on(signal, () => process.exit(130));
  const path = join(directory, "secrets.json");
  writeSecretFile(path, JSON.stringify(secrets));
  return path;
}

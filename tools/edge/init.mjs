// `heapbeat-edge init`: asks for the backend's address and a title, and writes the files of a project that deploys the edge.

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fail, logNote, logStep } from "../log.mjs";
import { parseAddress, recognizeBackend } from "./backend.mjs";
import { renderProject, renderSecrets } from "./project.mjs";
import { askFor } from "./questions.mjs";
import { SECRETS } from "./secret-file.mjs";

/** What a Worker may be called. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,52}[a-z0-9])?$/;

/** @param {string} name */
const checkName = (name) =>
  NAME.test(name) ? undefined : `"${name}" is no name of a Worker: use a to z, 0 to 9 and -, at most 54 characters`;

/** @param {string} title */
const checkTitle = (title) =>
  title && title.length <= 200 && !/\p{Cc}/u.test(title) ? undefined : "a title has 1 to 200 characters of text";

/** The file that may be there before: a repository that was just made has one. */
const IGNORED = ".gitignore";

/** What is at a path, without following a link. @param {string} path */
const look = (path) => lstatSync(path, { throwIfNoEntry: false });

/**
 * The lines of a .gitignore that another one does not have. Without them the secrets would be committed.
 * @param {string} existing @param {string} wanted
 */
export function missingLines(existing, wanted) {
  const known = new Set(existing.split("\n").map((line) => line.trim().replace(/^\/|\/$/g, "")));
  const missing = wanted.split("\n").filter((line) => line && !known.has(line));
  const separator = existing === "" || existing.endsWith("\n") ? "" : "\n";
  return missing.length > 0 ? `${separator}${missing.join("\n")}\n` : "";
}

/** @param {string} address */
function checkAddress(address) {
  const parsed = parseAddress(address);
  return "problem" in parsed ? parsed.problem : undefined;
}

/**
 * The answer of an option, or of the person at the terminal, or the preset.
 * @param {string | undefined} given @param {string} option @param {string} question @param {string} preset
 * @param {(answer: string) => string | undefined} check
 */
async function answer(given, option, question, preset, check) {
  if (given === undefined && process.stdin.isTTY) return askFor(question, preset, check);
  const value = given ?? preset;
  const problem = check(value);
  if (problem) fail(`${option}: ${problem}`, 2);
  return value;
}

/**
 * @param {{ directory: string, root: string, version: string, backend?: string, title?: string, name?: string, install: boolean }} options
 *   `root` is the folder of this package
 */
export async function init({ directory, root, version, backend, title, name, install }) {
  const ours = ["wrangler.toml", "package.json", SECRETS, ".dev.vars.example"];
  const taken =
    ours.find((file) => look(join(directory, file))) ??
    (look(join(directory, IGNORED))?.isFile() === false ? IGNORED : undefined);
  if (taken)
    fail(`${join(directory, taken)} exists already: choose an empty folder, such as heapbeat-edge init status`, 2);
  const address = await answer(backend, "--backend", "Address of your backend:", "", checkAddress);
  const parsed = parseAddress(address);
  if ("problem" in parsed) return fail(parsed.problem, 2);
  const { note, ...monitor } = await recognizeBackend(parsed.url);
  logNote(note);
  const answers = {
    title: await answer(title, "--title", "Title of the page:", `${parsed.url.hostname} status`, checkTitle),
    name: await answer(name, "--name", "Name of the Worker:", "heapbeat", checkName),
    monitor,
  };
  // A secret that the backend has already is taken from the environment, so that it is in no history of a shell.
  const secret = process.env.HEAPBEAT_SECRET || randomBytes(32).toString("hex");
  const secrets = { HEAPBEAT_SECRET: secret, ADMIN_TOKEN: randomBytes(32).toString("hex") };
  const template = readFileSync(join(root, "wrangler.toml"), "utf8");
  const { [IGNORED]: ignored, ...files } = renderProject({ template, version, answers });
  let secretsText;
  try {
    secretsText = renderSecrets(secrets);
  } catch (error) {
    return fail(/** @type {Error} */ (error).message, 2);
  }
  mkdirSync(directory, { recursive: true });
  const ignoreFile = join(directory, IGNORED);
  const existing = look(ignoreFile) ? readFileSync(ignoreFile, "utf8") : "";
  // Before the secrets, which it keeps out of the repository.
  appendFileSync(ignoreFile, missingLines(existing, ignored));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(directory, path), text, { flag: "wx" });
  writeFileSync(join(directory, SECRETS), secretsText, { flag: "wx", mode: 0o600 });
  logStep(`wrote ${[...Object.keys(files), IGNORED, SECRETS].join(", ")}`);
  if (install) {
    logStep("npm install");
    const args = ["install", "--no-audit", "--no-fund"];
    if (spawnSync("npm", args, { cwd: directory, stdio: "inherit" }).status !== 0)
      fail("npm install failed; see above");
  }
  logStep("next");
  const path = relative(process.cwd(), directory);
  if (path) logNote(`cd ${path}`);
  if (!install) logNote("npm install");
  if (monitor.kind === "heapbeat") logNote("give your backend HEAPBEAT_SECRET, with the value that is in .dev.vars");
  logNote("npx heapbeat-edge dev       the page on this machine");
  logNote("npx heapbeat-edge deploy    the page on Cloudflare");
}

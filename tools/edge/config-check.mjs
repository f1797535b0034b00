// Checks the settings of wrangler.toml by the Worker itself: it runs on this machine for a moment, without a tick, and lists what is wrong
// with its variables, as it does for the owner.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { parse } from "smol-toml";
import { END_SIGNALS } from "../process.mjs";
import { writeDevConfig } from "./dev-config.mjs";
import { findFreePort } from "./free-port.mjs";
import { startEdge, waitForSuccess } from "./local-edge.mjs";
import { SECRETS, writeSecretFile } from "./secret-file.mjs";

/** Milliseconds that the check of the settings may take. */
const TIMEOUT = 60_000;

/** @typedef {{ position: string, reason: string }} Problem */

/**
 * Copies the secrets to where wrangler reads them, beside the configuration, with a token of the owner's. Returns that token.
 * @param {string} stateDir
 */
export function copySecrets(stateDir) {
  const text = existsSync(SECRETS) ? readFileSync(SECRETS, "utf8") : "";
  // The secret may hold two tokens with a comma between them.
  const known = parseEnv(text).ADMIN_TOKEN?.split(",")[0]?.trim();
  const token = known || randomBytes(32).toString("hex");
  const added = known ? "" : `\nADMIN_TOKEN="${token}"\n`;
  writeSecretFile(join(stateDir, SECRETS), text + added);
  return token;
}

/** The problems that an edge on this machine lists. @param {number} port @param {string} token @returns {Promise<Problem[]>} */
export async function readProblems(port, token) {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/admin/status`, { headers });
  if (!response.ok) throw new Error(`the edge does not list the problems of its settings: status ${response.status}`);
  const { problems } = /** @type {{ problems: Problem[] }} */ (await response.json());
  return [...findMisplaced(parse(readFileSync("wrangler.toml", "utf8"))), ...problems];
}

/** The variables that are beside `vars` instead of in it, where nobody reads them. @param {Record<string, unknown>} config @returns {Problem[]} */
export function findMisplaced(config) {
  const names = Object.keys(config).filter((name) => /^[A-Z][A-Z_]*$/.test(name));
  return names.map((name) => {
    const value = config[name];
    const right = Array.isArray(value)
      ? `[[vars.${name}]]`
      : typeof value === "object"
        ? `[vars.${name}]`
        : `it below [vars]`;
    return { position: name, reason: `is no setting of wrangler, and the edge does not see it: write ${right}` };
  });
}

/** Checks the settings as they will be deployed. @returns {Promise<Problem[]>} */
export async function checkConfig() {
  const stateDir = mkdtempSync(join(tmpdir(), "heapbeat-check-"));
  const log = /** @type {string[]} */ ([]);
  /** @type {import("../process.mjs").Service | undefined} */
  let edge;
  // The folder has the secrets, and the edge is in a process group of its own, which Ctrl-C does not reach.
  const clean = async () => {
    await edge?.stop();
    rmSync(stateDir, { recursive: true, force: true });
  };
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
    clean().finally(() => process.exit(130));
  };
  for (const signal of END_SIGNALS) process.on(signal, interrupt);
  try {
    const port = await findFreePort();
    const token = copySecrets(stateDir);
    const config = writeDevConfig({ stateDir, isLocal: false });
    edge = startEdge({ config, port, stateDir, onLine: (line) => log.push(line) });
    const deadline = Date.now() + TIMEOUT;
    let ended = false;
    const exit = edge.exit.then((description) => {
      ended = true;
      throw new Error(description);
    });
    await Promise.race([
      waitForSuccess(`http://127.0.0.1:${port}/api/v1/status`, () => ended || Date.now() > deadline),
      exit,
    ]);
    return await readProblems(port, token);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Error(`the settings could not be checked: ${message}\n${log.slice(-20).join("\n")}`);
  } finally {
    await clean();
    // Nothing follows what was interrupted, and least of all a deployment.
    if (isInterrupted) await new Promise(() => {});
    for (const signal of END_SIGNALS) process.off(signal, interrupt);
  }
}

/** The secret that a problem says is missing. @param {Problem} problem */
export const missingSecret = ({ reason }) => /^the Worker has no secret `(\w+)`/.exec(reason)?.[1];

/** A problem with its line of wrangler.toml. @param {Problem} problem */
export function describeProblem({ position, reason }) {
  const line = findLine(readFileSync("wrangler.toml", "utf8"), position);
  return `wrangler.toml${line ? `:${line}` : ""}: ${position}: ${reason}`;
}

/**
 * The line of a position in the settings, such as `MONITORS[1].interval`, `ALERTS.ops` or the id of a monitor; undefined if it is not found.
 * @param {string} text that of wrangler.toml @param {string} position
 */
export function findLine(text, position) {
  const lines = text.split("\n");
  const [name = "", ...keys] = position.split(".");
  const [, list = "", index] = /^([\w-]+)(?:\[(\d+)\])?$/.exec(name) ?? [];
  const blocks = findBlocks(lines);
  const ofList = blocks.filter((block) => block.name === list);
  const isVariable = ofList.length > 0;
  const hasId = (/** @type {Block} */ block, /** @type {string | undefined} */ id) =>
    block.lines.some((line) => new RegExp(`^\\s*id\\s*=\\s*["']${escapePattern(id ?? "")}["']`).test(line));
  const block = index
    ? ofList[Number(index)]
    : isVariable
      ? (ofList.find((it) => hasId(it, keys[0])) ?? ofList[0])
      : blocks.find((it) => it.name === "MONITORS" && hasId(it, list));
  if (!block) return findKey(lines, list);
  const key = keys.map((it) => it.replace(/\[\d+\]$/, "")).find((it) => findKey(block.lines, it) !== undefined);
  return block.start + (key === undefined ? 0 : /** @type {number} */ (findKey(block.lines, key)) - 1);
}

/** @typedef {{ name: string, start: number, lines: string[] }} Block its first line counts from 1 */

/** The blocks `[[vars.NAME]]` and `[vars.NAME]`, each with the tables within it. @param {string[]} lines @returns {Block[]} */
function findBlocks(lines) {
  const blocks = /** @type {Block[]} */ ([]);
  let isInside = false;
  for (const [number, line] of lines.entries()) {
    const header = /^\s*\[\[?\s*([\w.-]+)\s*\]\]?/.exec(line)?.[1];
    const name = header && /^vars\.([\w-]+)$/.exec(header)?.[1];
    if (name) blocks.push({ name, start: number + 1, lines: [] });
    if (header) isInside = name !== undefined || header.startsWith(`vars.${blocks.at(-1)?.name}.`);
    if (isInside) blocks.at(-1)?.lines.push(line);
  }
  return blocks;
}

/** The line of a key or of the table of its name, from 1. @param {string[]} lines @param {string} key */
function findKey(lines, key) {
  const name = escapePattern(key);
  const found = lines.findIndex((line) =>
    new RegExp(`^\\s*["']?${name}["']?\\s*=|^\\s*\\[\\[?[\\w.-]*\\.?${name}\\s*\\]`).test(line),
  );
  return found < 0 ? undefined : found + 1;
}

/** @param {string} text */
const escapePattern = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

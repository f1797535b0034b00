// Reads Rust sources for the lints: without comments and literals, and without what is compiled for tests alone.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Comments, strings (raw and byte strings included) and characters; a lifetime (`'a`) does not match. */
const IGNORED =
  /\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/|\b(?:br|cr|r)(#*)"[\s\S]*?"\1|(?:\b[bc])?"(?:[^"\\]|\\[\s\S])*"|(?:\bb)?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x[\da-fA-F]{2}|.))'/g;

/** An attribute that compiles the next item for tests alone. */
const TEST_ONLY = /#\[cfg\((?:test|all\(test\b[^\]]*)\)\]/g;

/** The text with comments and literals blanked out; line numbers stay. @param {string} text */
export const blankIgnored = (text) => text.replaceAll(IGNORED, (match) => match.replaceAll(/[^\n]/g, " "));

/** The offset behind the item that begins at `start`. @param {string} code @param {number} start */
function endOfItem(code, start) {
  let depth = 0;
  for (let at = start; at < code.length; at += 1) {
    const character = code[at] ?? "";
    if ("{([".includes(character)) depth += 1;
    if ("})]".includes(character)) {
      depth -= 1;
      if (depth === 0 && character === "}") return at + 1;
    }
    if (character === ";" && depth === 0) return at + 1;
  }
  return code.length;
}

/**
 * Blanks out the items that are compiled for tests alone, and returns the modules among them that have files of their own.
 * @param {string} code
 */
export function blankTests(code) {
  const testModules = [];
  let rest = code;
  for (const { index, 0: attribute } of code.matchAll(TEST_ONLY)) {
    const end = endOfItem(code, index + attribute.length);
    const item = code.slice(index, end);
    const [, module] = /\bmod\s+(\w+)\s*;$/.exec(item) ?? [];
    if (module) testModules.push(module);
    rest = rest.slice(0, index) + item.replaceAll(/[^\n]/g, " ") + rest.slice(end);
  }
  return { code: rest, testModules };
}

/** Every file below `directory` whose name ends with .rs. @param {string} directory @returns {string[]} */
export function rustFiles(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return rustFiles(path);
    return entry.name.endsWith(".rs") ? [path] : [];
  });
}

/** The folder in which the modules of a file have their files. @param {string} path */
const moduleFolder = (path) => (/(?:^|\/)(?:lib|main|mod)\.rs$/.test(path) ? dirname(path) : path.replace(/\.rs$/, ""));

/**
 * The code of every file below `directory`, without comments and literals.
 * @param {string} directory @returns {Map<string, string>} by path
 */
export const readSources = (directory) =>
  new Map(rustFiles(directory).map((path) => [path, blankIgnored(readFileSync(path, "utf8"))]));

/**
 * The same without what is compiled for tests alone.
 * @param {string} directory @returns {Map<string, string>}
 */
export function readProductionSources(directory) {
  const sources = readSources(directory);
  for (const [path, text] of [...sources]) {
    const { code, testModules } = blankTests(text);
    if (sources.has(path)) sources.set(path, code);
    for (const module of testModules) {
      const folder = join(moduleFolder(path), module);
      for (const file of [...sources.keys()]) {
        if (file === `${folder}.rs` || file.startsWith(`${folder}/`)) sources.delete(file);
      }
    }
  }
  return sources;
}

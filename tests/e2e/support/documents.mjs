// The examples in docs/: indented blocks of code, and code within a line.

import { readdirSync, readFileSync } from "node:fs";

/** The names of all pages of docs/. */
export const PAGES = readdirSync("docs").filter((name) => name.endsWith(".md"));

/** Reads a page of docs/. @param {string} name */
const readPage = (name) => readFileSync(`docs/${name}`, "utf8");

/** Returns the indented blocks of a page, without the indent. @param {string} name @returns {string[]} */
export function readBlocks(name) {
  /** @type {string[][]} */ const blocks = [[]];
  for (const line of readPage(name).split("\n")) {
    const isCode = line.startsWith("    ");
    if (isCode) blocks.at(-1)?.push(line.slice(4));
    else if (line === "") blocks.at(-1)?.push("");
    else blocks.push([]);
  }
  return blocks.map((lines) => lines.join("\n").trim()).filter((block) => block !== "");
}

/** Returns the code within lines of a page. @param {string} name @returns {string[]} */
export function readInlineCode(name) {
  const prose = readPage(name)
    .split("\n")
    .filter((line) => !line.startsWith("    "))
    .join("\n");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
}

// Output for the person at the terminal. What is printed may be from a project, a server or another process, so that nothing that a terminal
// obeys goes there.

import { stripVTControlCharacters } from "node:util";

/** A text without control characters, except for tabs and the ends of lines, and without marks that reverse it. @param {string} text */
export const printable = (text) =>
  stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n]|\p{Bidi_Control}|[\p{Zl}\p{Zp}]/gu, " ");

/** A text in one line. @param {string} text */
export const singleLine = (text) => printable(text).replace(/[\t\n]/g, " ");

const color = process.stdout.isTTY && !process.env.NO_COLOR;
const style = (/** @type {string} */ code, /** @type {string} */ text) =>
  color ? `\x1b[${code}m${text}\x1b[0m` : text;

/** Prints the title of a step that begins. @param {string} text */
export const logStep = (text) => console.log(`== ${printable(text)}`);

/** Prints a detail below a step. @param {string} text */
export const logNote = (text) => console.log(`   ${printable(text)}`);

/** Prints a line of a process's output. @param {string} name @param {string} line */
export const logOutput = (name, line) => console.log(`${style("2", `${name.padEnd(6)} |`)} ${printable(line)}`);

/** Prints an error. @param {string} text */
export const logError = (text) => console.error(`${style("31", "heapbeat:")} ${printable(text)}`);

/** Prints an error and ends this process. @param {string} text @param {number} [code] @returns {never} */
export function fail(text, code = 1) {
  logError(text);
  process.exit(code);
}

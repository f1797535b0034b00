// Output for the person at the terminal.

const color = process.stdout.isTTY && !process.env.NO_COLOR;
const style = (/** @type {string} */ code, /** @type {string} */ text) =>
  color ? `\x1b[${code}m${text}\x1b[0m` : text;

/** Prints the title of a step that begins. @param {string} text */
export const logStep = (text) => console.log(`== ${text}`);

/** Prints a detail below a step. @param {string} text */
export const logNote = (text) => console.log(`   ${text}`);

/** Prints a line of a process's output. @param {string} name @param {string} line */
export const logOutput = (name, line) => console.log(`${style("2", `${name.padEnd(6)} |`)} ${line}`);

/** Prints an error. @param {string} text */
export const logError = (text) => console.error(`${style("31", "heapbeat:")} ${text}`);

/** Prints an error and ends this process. @param {string} text @param {number} [code] @returns {never} */
export function fail(text, code = 1) {
  logError(text);
  process.exit(code);
}

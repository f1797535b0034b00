// What is told to the person at the terminal, in one voice.

const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (/** @type {string} */ code, /** @type {string} */ text) =>
  colour ? `\x1b[${code}m${text}\x1b[0m` : text;

/** A step that begins. @param {string} text */
export const step = (text) => console.log(`== ${text}`);

/** Something worth knowing. @param {string} text */
export const note = (text) => console.log(`   ${text}`);

/** A line of a child's output. @param {string} name @param {string} line */
export const line = (name, line) => console.log(`${paint("2", `${name.padEnd(6)} |`)} ${line}`);

/** Ends the process with a message. @param {string} text @param {number} [code] @returns {never} */
export function fail(text, code = 1) {
  console.error(`${paint("31", "heapbeat:")} ${text}`);
  process.exit(code);
}

// Questions to the person at the terminal.

import { createInterface } from "node:readline/promises";

/** @param {string} question */
async function ask(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

/** Asks until the answer is yes or no; an empty one is no. @param {string} question */
export async function askYesOrNo(question) {
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}

/**
 * Asks until `check` accepts the answer. An empty answer is `preset`.
 * @param {string} question @param {string} preset @param {(answer: string) => string | undefined} check the problem, if there is one
 */
export async function askFor(question, preset, check) {
  for (;;) {
    const answer = (await ask(preset ? `${question} [${preset}] ` : `${question} `)) || preset;
    const problem = check(answer);
    if (problem === undefined) return answer;
    console.log(`   ${problem}`);
  }
}

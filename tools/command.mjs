// Runs a command of the build whose output the person at the terminal sees.

import { spawn } from "node:child_process";
import { fail } from "./say.mjs";

/**
 * Runs a command to its end, and ends the process where it fails.
 * @param {string[]} command
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 */
export async function runCommand([program, ...args], { cwd, env } = {}) {
  const child = spawn(program, args, { stdio: "inherit", cwd, env: { ...process.env, ...env } });
  const failure = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  if (failure) fail(`${program} ${args[0]} failed (${failure}); its output is above`);
}

// Ports of this machine: whether one is free, and the next one that is.

import { createServer } from "node:net";

/** How many ports after one that is taken are tried. */
const TRIES = 20;

/** Listens for a moment. Returns the port, or undefined if it is taken. @param {number} port @param {string} host @returns {Promise<number | undefined>} */
const tryPort = (port, host) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", (/** @type {NodeJS.ErrnoException} */ error) =>
      resolve(error.code === "EADDRINUSE" ? undefined : port),
    );
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : port));
    });
  });

/** A port that is free. */
export const findFreePort = async () => /** @type {number} */ (await tryPort(0, "127.0.0.1"));

/** Whether no other process listens at `port`. @param {number} port */
const isFree = async (port) =>
  (await tryPort(port, "::")) !== undefined && (await tryPort(port, "127.0.0.1")) !== undefined;

/**
 * Returns what to do about a port that is taken; undefined if it is free.
 * @param {number} port @param {string} variable the variable that sets the port @param {string} command the command that uses it
 */
export async function describeTakenPort(port, variable, command) {
  if (await isFree(port)) return undefined;
  const first = port + TRIES > 65_535 ? port - TRIES - 1 : port + 1;
  let other = first;
  while (other < first + TRIES && !(await isFree(other))) other += 1;
  return `port ${port} is taken by another process: stop it, or choose another port: ${variable}=${other} ${command}`;
}

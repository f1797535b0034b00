// Waiting for something rather than for luck.

/**
 * Asks `probe` again and again until it gives something truthy, and returns that.
 * @template T
 * @param {string} what for the error
 * @param {() => Promise<T> | T} probe
 * @param {number} [patience] in milliseconds
 */
export async function until(what, probe, patience = 30_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

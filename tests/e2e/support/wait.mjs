// Waiting for a condition. The bound only ends a test that hangs; it says nothing about how fast anything is.

/** The longest wait in milliseconds. */
export const HANG_TIMEOUT_MS = 600_000;

/**
 * Evaluates `condition` until it returns something truthy, and returns that.
 * @template T
 * @param {string} what for the error
 * @param {() => Promise<T> | T} condition
 */
export async function waitUntil(what, condition) {
  const deadline = Date.now() + HANG_TIMEOUT_MS;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

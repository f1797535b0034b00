// Waiting for a condition. The bound only ends a test that hangs; it says nothing about how fast anything is.

/** The longest wait in milliseconds, many times what a step takes on a busy machine. */
export const HANG_TIMEOUT_MS = 180_000;

/**
 * Evaluates `condition` until it returns something truthy, and returns that.
 * @template T
 * @param {string} what for the error
 * @param {() => Promise<T> | T} condition
 * @param {number} [timeoutMs] for what consists of many steps
 */
export async function waitUntil(what, condition, timeoutMs = HANG_TIMEOUT_MS) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

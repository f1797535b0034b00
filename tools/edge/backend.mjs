// Recognizes the backend at an address: a heapbeat server, whose `/health` states its memory, or anything else that speaks HTTP.

/** Milliseconds that a backend may take, as an instance that sleeps has to wake first. */
const TIMEOUT = 30_000;

/** Size limit of its answer, in bytes once it is decompressed. */
const MAX_BODY = 64 << 10;

/** Reads the JSON of a response; undefined if there is none, or too much. @param {Response} response */
async function readJson(response) {
  let [text, size] = ["", 0];
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a body is that of a heapbeat server. @param {any} body */
const isHealth = (body) =>
  typeof body?.status === "string" && typeof body.memory?.rss === "number" && typeof body.uptime === "number";

/** The address with a scheme, or the reason why it is none. @param {string} text @returns {{ url: URL } | { problem: string }} */
export function parseAddress(text) {
  const address = text.trim();
  if (address === "") return { problem: "the address of your backend is missing, such as https://api.example.com" };
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  const url = URL.parse(hasScheme ? address : `https://${address}`);
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    return { problem: `"${address}" is no address: it looks like https://api.example.com` };
  }
  if (url.username || url.password) return { problem: "the address has a password in it, which the page would show" };
  return { url };
}

/**
 * Recognizes the backend. An address without a path is asked for `/health` first.
 * @param {URL} url @param {typeof fetch} request
 * @returns {Promise<{ kind: "heapbeat" | "http", url: string, note: string }>}
 */
export async function recognizeBackend(url, request = fetch) {
  const health = url.pathname === "/" ? new URL("/health", url) : url;
  try {
    const response = await request(health, { signal: AbortSignal.timeout(TIMEOUT) });
    const body = await readJson(response);
    if (isHealth(body)) {
      return { kind: "heapbeat", url: health.href, note: `${health.href} is a heapbeat server: ${body.memory.rss} MB` };
    }
    return { kind: "http", url: url.href, note: `${url.href} is not a heapbeat server: it is monitored by its status` };
  } catch (error) {
    const { message, cause } = /** @type {Error & { cause?: Error }} */ (error);
    const reason = cause?.message || message;
    return {
      kind: "heapbeat",
      url: health.href,
      note: `${health.href} does not answer (${reason}); check the address`,
    };
  }
}

// A module in the place of `cloudflare:sockets`, with names that a test knows: each name below `names.example` is this machine, whatever a
// resolver says. The resolver is answered here too: names that begin with `cloudflare` lead to an address of Cloudflare, for their first lookup.

// @ts-expect-error It exists in workerd.
import { connect as connectAddress } from "cloudflare:sockets";

/** @param {{ hostname: string, port: number }} address @param {unknown} options */
export const connect = ({ hostname, port }, options) =>
  connectAddress({ hostname: hostname.endsWith(".names.example") ? "127.0.0.1" : hostname, port }, options);

/** The names that were looked up. @type {Set<string>} */
const known = new Set();

const fetchAddress = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.hostname !== "cloudflare-dns.com") return fetchAddress(input, init);
  const name = url.searchParams.get("name") ?? "";
  const isFirst = !known.has(name);
  known.add(name);
  const data = name.startsWith("cloudflare") && isFirst ? "104.16.0.1" : "192.0.2.1";
  return Promise.resolve(Response.json({ Status: 0, Answer: [{ name, type: 1, TTL: 60, data }] }));
};

// Makes the keys that browsers are told with, and says where they go: a pair on the curve P-256, as RFC 8292 wants it.

import { generateKeyPairSync } from "node:crypto";

const { x, y, d } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const bytes = (/** @type {string | undefined} */ text) => Buffer.from(text ?? "", "base64url");
const point = Buffer.concat([Buffer.of(4), bytes(x), bytes(y)]).toString("base64url");

console.log(`Into wrangler.toml, under [vars]; whoever looks at the page may know these:

SUBSCRIPTIONS = 20
VAPID_PUBLIC_KEY = "${point}"
VAPID_SUBJECT = "mailto:you@example.com"   # where a push service can reach you

Into the Worker's secrets, and nowhere else (npx wrangler secret put VAPID_PRIVATE_KEY asks for it):

${d}

With another pair all who asked have to ask again.`);

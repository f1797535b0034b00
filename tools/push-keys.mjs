// Generates the key pair of web push notifications (VAPID, RFC 8292: on the curve P-256) and prints where to put it.

import { generateKeyPairSync } from "node:crypto";

const { x, y, d } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const bytes = (/** @type {string | undefined} */ text) => Buffer.from(text ?? "", "base64url");
const point = Buffer.concat([Buffer.of(4), bytes(x), bytes(y)]).toString("base64url");

console.log(`Put these into wrangler.toml, under [vars]; they are public:

SUBSCRIPTIONS = 20
VAPID_PUBLIC_KEY = "${point}"
VAPID_SUBJECT = "mailto:you@example.com"   # where a push service can reach you

Put this into the Worker's secrets, and nowhere else (npx wrangler secret put VAPID_PRIVATE_KEY asks for it):

${d}

With a new pair every browser has to subscribe again.`);

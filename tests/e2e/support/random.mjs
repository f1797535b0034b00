// Questions at random, allowed and forbidden ones, made of what the document says of an operation. The same seed asks the same.

/** @typedef {import("./openapi.mjs").Operation} Operation */
/** @typedef {import("./openapi.mjs").ApiRequest} Question */

/** What stands in nobody's documentation, as text. */
const ODD = [
  ...["", " ", "0", "-1", "1e309", "NaN", "null", "true", "[]", "{}", "9007199254740993", "99999999999999999999999"],
  ...[
    "\u0000",
    "a\r\nb",
    "%",
    "%00",
    "../../etc/passwd",
    "a/b",
    "a?b#c",
    "'\"<script>",
    "１２",
    "é",
    "😀",
    "\u202e\u2066x",
  ],
  ...[
    "2026-02-30T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01",
    "-9223372036854775808",
  ],
  ...["1d1d", "0d", "0.0000001ms", "91.0000001d", "1e3s", "a".repeat(41), "x".repeat(999), "é".repeat(600)],
];

/** Queries that are none. */
const BROKEN = [
  "%",
  "%zz=1",
  "%ff%fe=1",
  "=",
  "&&&",
  "a=%c3",
  "from=%00",
  "limit[]=1",
  "limit=1&limit=2",
  "😀".repeat(3),
];

const HEADERS = {
  accept: ["*/*", "text/html", "application/openmetrics-text;version=1.0.0", "application/xml;q=0", ";;,", ""],
  "accept-language": ["de", "xx-YY,*;q=0", "zh-Hant,ja;q=0.9", ",,;q=", "a".repeat(500)],
  "if-none-match": ["*", '"x"', 'W/"6-85944171f73967e8"', ",,", "\u00e9"],
  "content-type": ["application/json", "text/xml", "multipart/form-data; boundary=x", "?"],
  range: ["bytes=0-1", "bytes=-", "lines=1"],
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND"];

export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1, without 1 (mulberry32). */
  share() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @param {number} share */
  chance(share) {
    return this.share() < share;
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[Math.floor(this.share() * list.length)];
  }

  /** A whole number within these. @param {number} least @param {number} most */
  within(least, most) {
    return least + Math.floor(this.share() * (most - least + 1));
  }

  /** A value that a schema allows, as far as that is easily had. @param {any} schema @param {any} example @returns {any} */
  allowed(schema, example) {
    if (schema.anyOf) return this.allowed(this.pick(schema.anyOf), undefined);
    if (schema.enum) return this.pick(schema.enum);
    if (schema.type === "integer") {
      const { minimum = 0, maximum = 1e15 } = schema;
      return this.pick([minimum, maximum, this.within(minimum, maximum)]);
    }
    if (schema.format === "date-time") return new Date(this.within(0, 4e12)).toISOString();
    return this.pick([example, schema.default, ...(schema.examples ?? [])].filter((it) => it !== undefined));
  }

  /** A parameter's value; every third one is odd. @param {import("./openapi.mjs").Parameter} parameter */
  value({ schema, example }) {
    const { minimum, maximum } = schema.anyOf?.[0] ?? schema;
    const beyond = minimum === undefined ? [] : [minimum - 1, maximum + 1, minimum + 0.5];
    const value = this.chance(0.33)
      ? this.pick([...ODD, ...beyond])
      : (this.allowed(schema, example) ?? this.pick(ODD));
    return encodeURIComponent(String(value));
  }

  /** JSON that is almost what it was. @param {any} node @returns {any} */
  spoiled(node) {
    const odd = () =>
      this.pick([null, true, 0, -1, 1e300, "", "\u0000", "x".repeat(300), [], {}, [[[]]], "😀", ...ODD]);
    if (node === null || typeof node !== "object" || this.chance(0.1)) return this.chance(0.5) ? odd() : node;
    if (Array.isArray(node)) {
      const items = node.map((item) => (this.chance(0.5) ? this.spoiled(item) : item));
      return this.chance(0.2) ? [...items, ...items, odd()] : items;
    }
    const fields = Object.entries(node).filter(() => this.chance(0.9));
    const spoiled = fields.map(([name, value]) => [name, this.chance(0.4) ? this.spoiled(value) : value]);
    return Object.fromEntries(this.chance(0.2) ? [...spoiled, [this.pick(ODD), odd()]] : spoiled);
  }

  /** @param {any} example */
  body(example) {
    const text = (/** @type {any} */ node) => (typeof node === "string" ? node : JSON.stringify(node));
    return this.pick([
      () => text(example),
      () => text(typeof example === "string" ? example.replace(/\d+/g, () => this.pick(ODD)) : this.spoiled(example)),
      () =>
        text(typeof example === "string" ? example.slice(0, this.within(0, example.length)) : this.spoiled(example)),
      () => this.pick(["", "{}", "[]", "nothing", "[".repeat(30_000), '{"a":'.repeat(3000), "1e400", '"\\ud800"']),
      () => Buffer.from(Array.from({ length: 40 }, () => this.within(0, 255))),
    ])();
  }

  /**
   * A question about an operation. `ids` are some that there are, `tokens` what may stand in `Authorization`.
   * @param {Operation} operation @param {string[]} ids @param {string[]} tokens @returns {Question}
   */
  question({ path, method, parameters, body }, ids, tokens) {
    const id = () => (this.chance(0.8) ? this.pick(ids) : encodeURIComponent(this.pick(ODD)));
    const known = parameters.filter((it) => it.in === "query");
    const pairs = known.filter(() => this.chance(0.5)).map((it) => `${it.name}=${this.value(it)}`);
    if (this.chance(0.05)) pairs.push(`${this.pick(["windw", "FROM", "__proto__", "a.b[]", ""])}=1`);
    if (this.chance(0.05)) pairs.push(encodeURI(this.pick(BROKEN)).replaceAll("%25", "%"));
    /** @type {Record<string, string>} */ const headers = {};
    for (const [name, values] of Object.entries(HEADERS)) if (this.chance(0.2)) headers[name] = this.pick(values);
    if (this.chance(0.9)) headers.authorization = this.pick(tokens);
    const asked = this.chance(0.85) ? method : this.pick(METHODS);
    const sends = asked !== "GET" && asked !== "HEAD" && this.chance(0.9);
    return {
      method: asked,
      path: path.replace("{id}", id) + (pairs.length > 0 ? `?${pairs.join("&")}` : ""),
      headers,
      body: sends ? this.body(body?.example ?? {}) : undefined,
      chunked: sends && this.chance(0.05),
    };
  }
}

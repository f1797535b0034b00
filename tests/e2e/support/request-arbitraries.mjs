// Arbitrary requests for fast-check, valid and invalid ones, built from what the API description says of an operation.

import fc from "fast-check";

/** @typedef {import("./openapi.mjs").Operation} Operation */
/** @typedef {import("./openapi.mjs").ApiRequest} ApiRequest */

/** Texts that no description allows, or only just. */
const ODD_TEXTS = [
  ...["", " ", "0", "-1", "1e309", "NaN", "null", "true", "[]", "{}", "9007199254740993", "99999999999999999999999"],
  ...["\u0000", "a\r\nb", "%", "%00", "../../etc/passwd", "a/b", "a?b#c", "'\"<script>", "１２", "é", "😀"],
  ...["\u202e\u2066x", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-01-01"],
  ...["-9223372036854775808", "1d1d", "0d", "0.0000001ms", "91.0000001d", "1e3s", "a".repeat(41), "x".repeat(999)],
  "é".repeat(600),
];

const ODD_JSON = [null, true, 0, -1, 1e300, "x".repeat(300), [], {}, [[[]]], ...ODD_TEXTS];

const BROKEN_QUERIES = [
  ...["%", "%zz=1", "%ff%fe=1", "=", "&&&", "a=%c3", "from=%00", "limit[]=1", "limit=1&limit=2"],
  encodeURI("😀".repeat(3)),
];

const UNKNOWN_PARAMETERS = ["windw", "FROM", "__proto__", "a.b[]", ""];

const BROKEN_BODIES = ["", "{}", "[]", "nothing", "[".repeat(30_000), '{"a":'.repeat(3000), "1e400", '"\\ud800"'];

const HEADERS = {
  accept: ["*/*", "text/html", "application/openmetrics-text;version=1.0.0", "application/xml;q=0", ";;,", ""],
  "accept-language": ["de", "xx-YY,*;q=0", "zh-Hant,ja;q=0.9", ",,;q=", "a".repeat(500)],
  "if-none-match": ["*", '"x"', 'W/"6-85944171f73967e8"', ",,", "\u00e9"],
  "content-type": ["application/json", "text/xml", "multipart/form-data; boundary=x", "?"],
  range: ["bytes=0-1", "bytes=-", "lines=1"],
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND"];

const oddText = fc.constantFrom(...ODD_TEXTS);
const oddJson = fc.constantFrom(...ODD_JSON);

/**
 * Picks `rare` in `percent` of the cases and `usual` otherwise; shrinks to `usual`.
 * @template T, U @param {number} percent @param {import("fast-check").Arbitrary<T>} rare @param {import("fast-check").Arbitrary<U>} usual
 * @returns {import("fast-check").Arbitrary<T | U>}
 */
const choose = (percent, rare, usual) =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 100 - percent, arbitrary: usual },
    { weight: percent, arbitrary: rare },
  );

/** @template T @param {number} percent @param {import("fast-check").Arbitrary<T>} arbitrary */
const sometimes = (percent, arbitrary) => choose(percent, arbitrary, fc.constant(undefined));

/** A value that a schema allows. @param {any} schema @param {unknown} example @returns {import("fast-check").Arbitrary<unknown>} */
function allowedValue(schema, example) {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((/** @type {any} */ one) => allowedValue(one, undefined)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === "integer") {
    const { minimum = 0, maximum = 1e15 } = schema;
    return fc.oneof(
      fc.constantFrom(minimum, maximum),
      fc.maxSafeInteger().map((it) => minimum + (Math.abs(it) % (maximum - minimum + 1))),
    );
  }
  if (schema.format === "date-time") return fc.nat().map((seconds) => new Date(seconds * 1000).toISOString());
  const examples = [example, schema.default, ...(schema.examples ?? [])].filter((it) => it !== undefined);
  return examples.length > 0 ? fc.constantFrom(...examples) : oddText;
}

/** A query parameter. Every third value is odd. @param {import("./openapi.mjs").Parameter} parameter */
function queryParameter({ name, schema, example }) {
  const { minimum, maximum } = schema.anyOf?.[0] ?? schema;
  const outside = minimum === undefined ? [] : [minimum - 1, maximum + 1, minimum + 0.5];
  const value = choose(33, fc.constantFrom(...ODD_TEXTS, ...outside), allowedValue(schema, example));
  return sometimes(
    50,
    value.map((it) => `${name}=${encodeURIComponent(String(it))}`),
  );
}

/** The query of an operation, with its question mark; empty when there is none. @param {Operation} operation */
function query({ parameters }) {
  const known = parameters.filter((it) => it.in === "query").map(queryParameter);
  const unknown = sometimes(
    5,
    fc.constantFrom(...UNKNOWN_PARAMETERS).map((name) => `${name}=1`),
  );
  const broken = sometimes(5, fc.constantFrom(...BROKEN_QUERIES));
  return fc.tuple(...known, unknown, broken).map((parts) => {
    const present = parts.filter((it) => it !== undefined);
    return present.length > 0 ? `?${present.join("&")}` : "";
  });
}

/** JSON that resembles `node`. @param {any} node @returns {import("fast-check").Arbitrary<any>} */
function mutatedJson(node) {
  if (node === null || typeof node !== "object") return choose(25, oddJson, fc.constant(node));
  return choose(10, oddJson, Array.isArray(node) ? mutatedArray(node) : mutatedObject(node));
}

/** @param {any[]} node */
const mutatedArray = (node) =>
  fc
    .tuple(fc.tuple(...node.map((item) => choose(50, mutatedJson(item), fc.constant(item)))), sometimes(20, oddJson))
    .map(([items, extra]) => (extra === undefined ? items : [...items, ...items, extra]));

/** @param {Record<string, any>} node */
function mutatedObject(node) {
  const fields = Object.entries(node).map(([name, value]) =>
    choose(
      10,
      fc.constant([]),
      choose(40, mutatedJson(value), fc.constant(value)).map((it) => [[name, it]]),
    ),
  );
  const extra = sometimes(20, fc.tuple(oddText, oddJson));
  return fc.tuple(fc.tuple(...fields), extra).map(([kept, more]) => {
    const entries = kept.flat();
    return Object.fromEntries(more === undefined ? entries : [...entries, more]);
  });
}

/** A text in which every number is odd. @param {string} text */
function mutatedText(text) {
  const numbers = text.match(/\d+/g)?.length ?? 0;
  return fc.array(oddText, { minLength: numbers, maxLength: numbers }).map((values) => {
    const rest = [...values];
    return text.replace(/\d+/g, () => rest.shift() ?? "");
  });
}

/** A request body that resembles the example of the operation. @param {any} example @returns {import("fast-check").Arbitrary<string | Buffer>} */
function requestBody(example) {
  const text = typeof example === "string" ? example : JSON.stringify(example);
  const mutated =
    typeof example === "string" ? mutatedText(text) : mutatedJson(example).map((it) => JSON.stringify(it));
  return fc.oneof(
    fc.constant(text),
    mutated,
    fc.nat({ max: text.length }).map((length) => text.slice(0, length)),
    fc.constantFrom(...BROKEN_BODIES),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
}

/** Some of the headers, each with one of its values. */
const someHeaders = fc.record(
  Object.fromEntries(
    Object.entries(HEADERS).map(([name, values]) => [name, sometimes(20, fc.constantFrom(...values))]),
  ),
);

/**
 * A request about an operation. `ids` exist; `tokens` are values of `Authorization`.
 * @param {Operation} operation @param {string[]} ids @param {string[]} tokens
 * @returns {import("fast-check").Arbitrary<ApiRequest>}
 */
export function arbitraryRequest(operation, ids, tokens) {
  const { path, method, body } = operation;
  return fc
    .record({
      method: choose(15, fc.constantFrom(...METHODS), fc.constant(method)),
      id: choose(20, oddText.map(encodeURIComponent), fc.constantFrom(...ids)),
      query: query(operation),
      headers: someHeaders,
      authorization: choose(10, fc.constant(undefined), fc.constantFrom(...tokens)),
      body: choose(10, fc.constant(undefined), requestBody(body?.example ?? {})),
      chunked: choose(5, fc.constant(true), fc.constant(false)),
    })
    .map((it) => {
      const present = Object.entries({ ...it.headers, authorization: it.authorization });
      const sent = it.method === "GET" || it.method === "HEAD" ? undefined : it.body;
      return {
        method: it.method,
        path: path.replace("{id}", () => it.id) + it.query,
        headers: Object.fromEntries(present.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
        body: sent,
        chunked: it.chunked && sent !== undefined,
      };
    });
}

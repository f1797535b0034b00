// Writes the reference page of the API, edge/assets/api.html, from the OpenAPI document: static HTML without a script, as the page's policy
// allows none. The usual viewers (Swagger UI, Redoc, Scalar) render in the browser and need scripts and inline styles.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Marked } from "marked";

const DOCUMENT = "edge/assets/api/v1/openapi.json";
const PAGE = "edge/assets/api.html";

/** The longest pattern that is shown; a longer one does not help a reader. */
const MAX_PATTERN = 60;

/** Descriptions are Markdown; HTML in them is shown as text. */
const marked = new Marked({ renderer: { html: ({ text }) => escapeHtml(text) } });

/** @param {unknown} text */
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** @param {string} [text] */
const renderText = (text = "") => marked.parse(text, { async: false });
/** @param {string} [text] */
const renderLine = (text = "") => marked.parseInline(text, { async: false });
/** @param {unknown} value */
const renderCode = (value) => `<code>${escapeHtml(typeof value === "string" ? value : JSON.stringify(value))}</code>`;
/** @param {string} name */
const anchorOf = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "-");

/** Lays out JSON in lines of at most 76 characters if possible. @param {any} value @param {string} [indent] @returns {string} */
function layOut(value, indent = "") {
  const line = JSON.stringify(value, null, 1)?.replace(/\n */g, " ") ?? "null";
  if (typeof value !== "object" || value === null || line.length + indent.length < 76) return line;
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (Array.isArray(value) && value.every((it) => typeof it !== "object" || it === null)) {
    const words = value.map((it) => JSON.stringify(it));
    const lines = [""];
    for (const [index, word] of words.entries()) {
      const text = word + (index < words.length - 1 ? "," : "");
      const last = lines.length - 1;
      if ((lines[last] + text).length + inner.length > 76) lines.push(text);
      else lines[last] += (lines[last] && " ") + text;
    }
    return `[\n${lines.map((it) => inner + it).join("\n")}\n${indent}]`;
  }
  const parts = Array.isArray(value)
    ? value.map((it) => layOut(it, inner))
    : Object.entries(value).map(([name, it]) => `${JSON.stringify(name)}: ${layOut(it, inner)}`);
  return `${open}\n${parts.map((it) => inner + it).join(",\n")}\n${indent}${close}`;
}

/** Describes the values of a schema in a few words. @param {any} schema @returns {string} */
function describeType(schema) {
  if (schema === undefined) return "anything";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return `<a href="#schema-${name}">${name}</a>`;
  }
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map(describeType).join(" or ");
  if ("const" in schema) return `always ${renderCode(schema.const)}`;
  const types = [schema.type ?? []].flat();
  const nullable = types.includes("null") ? " or null" : "";
  const fallback = "default" in schema ? `, by default ${renderCode(schema.default)}` : "";
  return (
    describeValues(
      schema,
      types.find((type) => type !== "null"),
    ) +
    nullable +
    fallback
  );
}

/** @param {any} schema @param {string} [type] @returns {string} */
function describeValues(schema, type) {
  if (schema.enum)
    return schema.enum
      .filter((/** @type {any} */ it) => it !== null)
      .map(renderCode)
      .join(" or ");
  if (type === "array") {
    const row = schema.prefixItems?.map(describeType).join(", ");
    return row ? `row of ${row}` : `list of ${describeType(schema.items)}`;
  }
  if (type === "string") {
    if (schema.format) return schema.format;
    const shown = schema.pattern && schema.pattern.length <= MAX_PATTERN;
    return shown ? `text like ${renderCode(schema.pattern)}` : "text";
  }
  const { minimum, maximum } = schema;
  if (minimum === undefined) return type ?? "anything";
  return maximum === undefined ? `${type} from ${minimum}` : `${type} from ${minimum} to ${maximum}`;
}

/** A path that may be broken after its slashes. @param {string} method @param {string} path */
const renderSignature = (method, path) =>
  `<code><b>${method.toUpperCase()}</b> ${escapeHtml(path).replace(/\/(?=.)/g, "/<wbr>")}</code>`;

/** @param {any} content @param {string} label */
const renderContent = (content = {}, label) =>
  Object.entries(content)
    .map(([type, { schema, example }]) => {
      const text = typeof example === "string" ? example.trimEnd() : layOut(example);
      const shown =
        example === undefined ? "" : `<pre aria-label="${label}" role="group"><code>${escapeHtml(text)}</code></pre>`;
      return `<p class="quiet"><code>${escapeHtml(type)}</code>, ${describeType(schema)}</p>\n${shown}\n`;
    })
    .join("");

/** @param {[string, string][]} entries Terms and their definitions, as HTML. */
const renderList = (entries) =>
  `<dl>\n${entries.map(([term, definition]) => `<dt>${term}</dt>\n<dd>${definition}</dd>\n`).join("")}</dl>\n`;

/** The properties of an object, or what else the schema allows. @param {any} schema @returns {string} */
function renderProperties(schema) {
  if (!schema.properties) return `<p>${describeType(schema)}</p>\n`;
  return renderList(
    Object.entries(schema.properties).map(([name, property]) => {
      const optional = schema.required?.includes(name) ? "" : ", optional";
      const inner = [property, property.items].find((it) => it?.properties);
      const term = `<code>${name}</code> <span class="quiet">${describeType(property)}${optional}</span>`;
      return [term, renderLine(property.description) + (inner ? `\n${renderProperties(inner)}` : "")];
    }),
  );
}

/** @param {{ path: string, method: string, operation: any }} entry */
function renderOperation({ path, method, operation }) {
  const { operationId: id, security, requestBody, responses } = operation;
  const parameters = (operation.parameters ?? []).filter((/** @type {any} */ it) => !it.$ref);
  const tokens = (security ?? [])
    .flatMap(Object.keys)
    .map((/** @type {string} */ it) => `<a href="#token-${it}">${it}</a>`);
  /** @type {[string, any][]} */ const all = Object.entries(responses);
  const own = all.filter(([, it]) => !it.$ref);
  const errors = all.filter(([, it]) => it.$ref).map(([status]) => `<a href="#error-${status}">${status}</a>`);
  return [
    `<article aria-labelledby="${id}">\n<h3 id="${id}">${renderSignature(method, path)}</h3>\n`,
    `<p><strong>${renderLine(operation.summary)}.</strong></p>\n${renderText(operation.description)}`,
    tokens.length > 0 ? `<p>Needs a token: ${tokens.join(" or ")}.</p>\n` : "",
    parameters.length > 0
      ? `<h4>Parameters</h4>\n${renderList(
          parameters.map((/** @type {any} */ it) => {
            const example = it.example === undefined ? "" : `, such as ${renderCode(it.example)}`;
            const kind = `in the ${it.in}: ${describeType(it.schema)}${example}`;
            return [`<code>${it.name}</code> <span class="quiet">${kind}</span>`, renderLine(it.description)];
          }),
        )}`
      : "",
    requestBody
      ? `<h4>Body</h4>\n<p>${renderLine(requestBody.description)}</p>\n${renderContent(requestBody.content, "An example of the body")}`
      : "",
    "<h4>Answers</h4>\n",
    ...own.map(
      ([status, it]) =>
        `<p><b>${status}</b> ${renderLine(it.description)}</p>\n${renderContent(it.content, "An example of the answer")}`,
    ),
    `<p>Or one of these: ${errors.join(", ")}.</p>\n</article>\n`,
  ].join("");
}

/** @param {string} id @param {string} title @param {string} content */
const renderSection = (id, title, content) =>
  `<section aria-labelledby="${id}">\n<h2 id="${id}">${escapeHtml(title)}</h2>\n${content}</section>\n`;

/** Errors, headers, tokens and schemas. @param {any} components @param {Map<string, string>} statuses */
function renderComponents({ responses, headers, securitySchemes, schemas }, statuses) {
  const headerNames = { Cached: "Cache-Control of public answers", NotCached: "Cache-Control of other answers" };
  /** @param {any} all @param {(name: string, it: any) => [string, string]} render */
  const list = (all, render) => renderList(Object.entries(all).map(([name, it]) => render(name, it)));
  const problems =
    '<p>All but 304 have a <a href="#schema-Problem">Problem</a> as <code>application/problem+json</code>.</p>\n';
  return [
    renderSection(
      "errors",
      "Errors",
      problems +
        list(responses, (name, it) => {
          const status = statuses.get(name) ?? "405";
          return [
            `<b id="error-${status}">${status}</b> <span class="quiet">${name}</span>`,
            renderLine(it.description),
          ];
        }),
    ),
    renderSection(
      "headers",
      "Headers",
      list(headers, (name, it) => {
        const shown = /** @type {Record<string, string>} */ (headerNames)[name] ?? name;
        return [`${shown} <span class="quiet">${describeType(it.schema)}</span>`, renderLine(it.description)];
      }),
    ),
    renderSection(
      "tokens",
      "Tokens",
      `<p>Send one as <code>Authorization: Bearer TOKEN</code>.</p>\n${list(securitySchemes, (name, it) => [
        `<span id="token-${name}">${name}</span>`,
        renderLine(it.description),
      ])}`,
    ),
    renderSection(
      "schemas",
      "Schemas",
      Object.entries(schemas)
        .map(([name, schema]) => {
          const id = `schema-${name}`;
          const body = renderText(schema.description) + renderProperties(schema);
          return `<article aria-labelledby="${id}">\n<h3 id="${id}">${name}</h3>\n${body}</article>\n`;
        })
        .join(""),
    ),
  ].join("");
}

/** Renders the page of a document. @param {any} document */
export function renderReference(document) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  /** @type {Map<string, string>} */ const statuses = new Map(
    operations.flatMap(({ operation }) =>
      Object.entries(operation.responses)
        .filter(([, it]) => it.$ref)
        .map(([status, it]) => [it.$ref.split("/").at(-1), status]),
    ),
  );
  /** @type {(tag: any) => { path: string, method: string, operation: any }[]} */
  const operationsOf = (tag) => operations.filter(({ operation }) => operation.tags.includes(tag.name));
  const contents = document.tags
    .map((/** @type {any} */ tag) => {
      const links = operationsOf(tag).map(
        ({ path, method, operation }) =>
          `<li><a href="#${operation.operationId}">${renderSignature(method, path)}</a> ${renderLine(operation.summary)}</li>\n`,
      );
      return `<h3><a href="#${anchorOf(tag.name)}">${escapeHtml(tag.name)}</a></h3>\n<ul>\n${links.join("")}</ul>\n`;
    })
    .join("");
  const sections = document.tags
    .map((/** @type {any} */ tag) =>
      renderSection(
        anchorOf(tag.name),
        tag.name,
        renderText(tag.description) + operationsOf(tag).map(renderOperation).join(""),
      ),
    )
    .join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API · heapbeat</title>
<meta name="description" content="Every operation of the API: parameters, answers and errors">
<link rel="icon" href="/icons/up.svg" type="image/svg+xml">
<link rel="stylesheet" href="/api.css">
<link rel="service-desc" type="application/json" href="/api/v1/openapi.json">
</head>
<body>
<a class="skip" href="#main">Skip to the operations</a>
<header>
<p><a href="/">Status page</a></p>
<h1>API</h1>
${renderText(document.info.description)}<p>The same as an OpenAPI 3.1 document: <a href="/api/v1/openapi.json"><code>/api/v1/openapi.json</code></a>.</p>
</header>
<nav aria-labelledby="contents">
<h2 id="contents">Contents</h2>
${contents}<h3>Common parts</h3>
<ul>
<li><a href="#errors">Errors</a></li>
<li><a href="#headers">Headers</a></li>
<li><a href="#tokens">Tokens</a></li>
<li><a href="#schemas">Schemas</a></li>
</ul>
</nav>
<main id="main">
${sections}${renderComponents(document.components, statuses)}</main>
</body>
</html>
`;
}

/** Writes the page if it is not current. */
export function writeReference() {
  const page = renderReference(JSON.parse(readFileSync(DOCUMENT, "utf8")));
  let current = "";
  try {
    current = readFileSync(PAGE, "utf8");
  } catch {
    // The page does not exist yet.
  }
  if (page !== current) writeFileSync(PAGE, page);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeReference();

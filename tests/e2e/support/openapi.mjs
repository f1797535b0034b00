// The API as its document describes it: what may be asked, and whether an answer is one of those that are declared.

import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { Ajv2020 } from "ajv/dist/2020.js";

export const DOCUMENT = "edge/assets/api/v1/openapi.json";

/**
 * @typedef {{ name: string, in: string, required?: boolean, schema: any, example?: any }} Parameter
 * @typedef {{ path: string, method: string, id: string, parameters: Parameter[], body?: { kind: string, example: any },
 *   responses: Record<string, any>, secured: boolean }} Operation
 * @typedef {{ method: string, path: string, headers?: Record<string, string>, body?: string | Buffer, chunked?: boolean,
 *   claims?: number }} Question `claims`: bytes of a body that is announced and never sent
 * @typedef {{ status: number, headers: import("node:http").IncomingHttpHeaders, body: Buffer }} Answer
 */

const METHODS = ["get", "put", "post", "delete"];
const agent = new Agent({ keepAlive: true });

/** Asks as it is written: nothing of the path is made better. @param {string} base @param {Question} question */
export const ask = (base, { method, path, headers = {}, body, chunked = false, claims }) =>
  new Promise((/** @type {(answer: Answer) => void} */ resolve, reject) => {
    const { hostname, port } = new URL(base);
    const bytes = claims ?? (body === undefined ? undefined : Buffer.byteLength(body));
    const known = bytes === undefined ? {} : { "content-length": String(bytes) };
    const length = chunked ? { "transfer-encoding": "chunked" } : known;
    const own = { hostname, port, method, path, agent, headers: { ...length, ...headers } };
    const sent = request(own, (answer) => {
      /** @type {Buffer[]} */ const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
        if (claims) sent.destroy();
      });
    });
    sent.on("error", reject);
    if (claims) sent.flushHeaders();
    else sent.end(body);
  });

export class Described {
  /** @type {Ajv2020} */ #ajv;
  /** @type {Map<string, import("ajv").ValidateFunction>} */ #known = new Map();

  constructor() {
    /** The document itself. @type {any} */
    this.document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
    const instant = (/** @type {string} */ text) => !Number.isNaN(Date.parse(text));
    this.#ajv = new Ajv2020({
      strictTypes: false,
      strictTuples: false,
      formats: { "date-time": instant, date: instant, int64: true, "uri-reference": /^\// },
    });
    const { schemas } = this.document.components;
    this.#ajv.addKeyword("components");
    this.#ajv.addSchema({ components: { schemas } }, "api");
    /** @type {Operation[]} */
    this.operations = Object.entries(this.document.paths).flatMap(([path, methods]) =>
      METHODS.filter((method) => method in methods).map((method) => this.#operation(path, method, methods[method])),
    );
  }

  /** @param {string} path @param {string} method @param {any} said @returns {Operation} */
  #operation(path, method, said) {
    const [content] = Object.entries(said.requestBody?.content ?? {});
    return {
      path,
      method: method.toUpperCase(),
      id: said.operationId,
      parameters: (said.parameters ?? []).map((/** @type {any} */ it) => this.resolved(it)),
      body: content && { kind: content[0], example: content[1].example },
      responses: said.responses,
      secured: Boolean(said.security),
    };
  }

  /** What a reference leads to. @param {any} node @returns {any} */
  resolved(node) {
    if (typeof node.$ref !== "string") return node;
    const names = node.$ref.slice(2).split("/");
    return names.reduce((/** @type {any} */ at, /** @type {string} */ name) => at[name], this.document);
  }

  /** What is wrong with a value; nothing where it is as the schema says. @param {any} schema @param {unknown} value */
  mismatch(schema, value) {
    const key = JSON.stringify(schema);
    const known = this.#known.get(key) ?? this.#ajv.compile(schema.$ref ? { $ref: `api${schema.$ref}` } : schema);
    this.#known.set(key, known);
    return known(value) ? "" : this.#ajv.errorsText(known.errors);
  }

  /** The operations of a path. @param {string} path */
  of(path) {
    return this.operations.filter((it) => it.path === path);
  }

  /**
   * What is wrong with an answer to somebody who asked at `path`, a template of the document; nothing where it is declared.
   * @param {string} path @param {string} method @param {Answer} answer
   */
  wrong(path, method, answer) {
    const { status, headers, body } = answer;
    const operations = this.of(path);
    const operation = operations.find((it) => it.method === (method === "HEAD" ? "GET" : method));
    if (!operation && method === "OPTIONS" && status !== 404)
      return status === 204 && headers.allow ? "" : `${status} to OPTIONS`;
    if (!operation && status !== 405 && status !== 404) return `${status} to a method that the path does not have`;
    if (operation && !(status in operation.responses)) return `${status} is not declared`;
    const { responses } = this.document.components;
    const refused = status === 404 ? responses.NotFound : responses.MethodNotAllowed;
    const declared = operation ? this.resolved(operation.responses[status]) : refused;
    for (const [name, header] of Object.entries(declared.headers ?? {})) {
      const { required, schema } = this.resolved(header);
      const value = headers[name.toLowerCase()];
      if (value === undefined && required) return `${status} without ${name}`;
      const mismatch = value === undefined ? "" : this.mismatch(schema, value);
      if (mismatch) return `${status} with ${name}: ${value}: ${mismatch}`;
    }
    return this.#content(declared.content, method, answer) || (status < 400 ? "" : problem(answer, body));
  }

  /** @param {Record<string, any> | undefined} content @param {string} method @param {Answer} answer */
  #content(content, method, { status, headers, body }) {
    const kind = headers["content-type"];
    if (!content) return kind || body.length > 0 ? `${status} with a body` : "";
    if (!kind || !(kind in content)) return `${status} as ${kind}`;
    if (method === "HEAD") return body.length > 0 ? `${status} with a body` : "";
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (!/[/+]json$/.test(kind)) return text ? "" : `${status} without a body`;
    try {
      const mismatch = this.mismatch(content[kind].schema, JSON.parse(text));
      return mismatch && `${status}: ${mismatch}: ${text.slice(0, 300)}`;
    } catch (error) {
      return `${status} with no JSON: ${error}: ${text.slice(0, 300)}`;
    }
  }
}

/** Of an error: that its body says the same status. @param {Answer} answer @param {Buffer} body */
function problem({ status, headers }, body) {
  if (headers["content-type"] !== "application/problem+json" || body.length === 0) return "";
  const said = JSON.parse(body.toString()).status;
  return said === status ? "" : `${status} whose body says ${said}`;
}

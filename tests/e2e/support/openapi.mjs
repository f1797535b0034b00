// The description of the API: its operations, and whether a response is one that it declares.

import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { Ajv2020 } from "ajv/dist/2020.js";

export const DOCUMENT_PATH = "edge/assets/api/v1/openapi.json";

/**
 * @typedef {{ name: string, in: string, required?: boolean, schema: any, example?: any }} Parameter
 * @typedef {{ path: string, method: string, id: string, parameters: Parameter[], body?: { kind: string, example: any },
 *   responses: Record<string, any>, secured: boolean }} Operation
 * @typedef {{ method: string, path: string, headers?: Record<string, string>, body?: string | Buffer, chunked?: boolean,
 *   announcedBytes?: number }} ApiRequest `announcedBytes` is the length of a body that is announced and never sent
 * @typedef {{ status: number, headers: import("node:http").IncomingHttpHeaders, body: Buffer }} ApiResponse
 */

const METHODS = ["get", "put", "post", "delete"];
const agent = new Agent({ keepAlive: true });

/** Sends a request with its path exactly as written. @param {string} base @param {ApiRequest} request */
export const sendRequest = (base, { method, path, headers = {}, body, chunked = false, announcedBytes }) =>
  new Promise((/** @type {(response: ApiResponse) => void} */ resolve, reject) => {
    const { hostname, port } = new URL(base);
    const bytes = announcedBytes ?? (body === undefined ? undefined : Buffer.byteLength(body));
    const known = bytes === undefined ? {} : { "content-length": String(bytes) };
    const length = chunked ? { "transfer-encoding": "chunked" } : known;
    const options = { hostname, port, method, path, agent, headers: { ...length, ...headers } };
    const sent = request(options, (response) => {
      /** @type {Buffer[]} */ const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
        if (announcedBytes) sent.destroy();
      });
    });
    sent.on("error", reject);
    if (announcedBytes) sent.flushHeaders();
    else sent.end(body);
  });

export class ApiDescription {
  /** @type {Ajv2020} */ #ajv;
  /** @type {Map<string, import("ajv").ValidateFunction>} */ #validators = new Map();

  constructor() {
    /** The document itself. @type {any} */
    this.document = JSON.parse(readFileSync(DOCUMENT_PATH, "utf8"));
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
      METHODS.filter((method) => method in methods).map((method) =>
        this.#parseOperation(path, method, methods[method]),
      ),
    );
  }

  /** @param {string} path @param {string} method @param {any} node @returns {Operation} */
  #parseOperation(path, method, node) {
    const [content] = Object.entries(node.requestBody?.content ?? {});
    return {
      path,
      method: method.toUpperCase(),
      id: node.operationId,
      parameters: (node.parameters ?? []).map((/** @type {any} */ it) => this.resolve(it)),
      body: content && { kind: content[0], example: content[1].example },
      responses: node.responses,
      secured: Boolean(node.security),
    };
  }

  /** Resolves a `$ref`. @param {any} node @returns {any} */
  resolve(node) {
    if (typeof node.$ref !== "string") return node;
    const names = node.$ref.slice(2).split("/");
    return names.reduce((/** @type {any} */ at, /** @type {string} */ name) => at[name], this.document);
  }

  /** Finds how a value breaks a schema; empty when it is valid. @param {any} schema @param {unknown} value */
  findMismatch(schema, value) {
    const key = JSON.stringify(schema);
    const validate =
      this.#validators.get(key) ?? this.#ajv.compile(JSON.parse(key.replaceAll('"$ref":"#', '"$ref":"api#')));
    this.#validators.set(key, validate);
    return validate(value) ? "" : this.#ajv.errorsText(validate.errors);
  }

  /** Lists the operations of a path. @param {string} path */
  listOperations(path) {
    return this.operations.filter((it) => it.path === path);
  }

  /**
   * Finds how a response deviates from the document; empty when it is declared. `path` is a path template of the document.
   * @param {string} path @param {string} method @param {ApiResponse} response
   */
  findDeviation(path, method, response) {
    const { status, headers, body } = response;
    const operations = this.listOperations(path);
    const operation = operations.find((it) => it.method === (method === "HEAD" ? "GET" : method));
    if (!operation && method === "OPTIONS" && status !== 404)
      return status === 204 && headers.allow ? "" : `${status} to OPTIONS`;
    if (!operation && status !== 405 && status !== 404) return `${status} to a method that the path does not have`;
    if (operation && !(status in operation.responses)) return `${status} is not declared`;
    const { responses } = this.document.components;
    const error = status === 404 ? responses.NotFound : responses.MethodNotAllowed;
    const declared = operation ? this.resolve(operation.responses[status]) : error;
    for (const [name, header] of Object.entries(declared.headers ?? {})) {
      const { required, schema } = this.resolve(header);
      const value = headers[name.toLowerCase()];
      if (value === undefined && required) return `${status} without ${name}`;
      const mismatch = value === undefined ? "" : this.findMismatch(schema, value);
      if (mismatch) return `${status} with ${name}: ${value}: ${mismatch}`;
    }
    return (
      this.#findContentDeviation(declared.content, method, response) ||
      (status < 400 ? "" : findProblemDeviation(response, body))
    );
  }

  /** @param {Record<string, any> | undefined} content @param {string} method @param {ApiResponse} response */
  #findContentDeviation(content, method, { status, headers, body }) {
    const kind = headers["content-type"];
    if (!content) return kind || body.length > 0 ? `${status} with a body` : "";
    if (!kind || !(kind in content)) return `${status} as ${kind}`;
    if (method === "HEAD") return body.length > 0 ? `${status} with a body` : "";
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (!/[/+]json$/.test(kind)) return text ? "" : `${status} without a body`;
    try {
      const mismatch = this.findMismatch(content[kind].schema, JSON.parse(text));
      return mismatch && `${status}: ${mismatch}: ${text.slice(0, 300)}`;
    } catch (error) {
      return `${status} without valid JSON: ${error}: ${text.slice(0, 300)}`;
    }
  }
}

/** Checks that a problem document names the status of its response. @param {ApiResponse} response @param {Buffer} body */
function findProblemDeviation({ status, headers }, body) {
  if (headers["content-type"] !== "application/problem+json" || body.length === 0) return "";
  const named = JSON.parse(body.toString()).status;
  return named === status ? "" : `${status} whose body says ${named}`;
}

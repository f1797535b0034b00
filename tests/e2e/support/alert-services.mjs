// Stand-ins for seven services that receive alerts, each as strict about its format as its documentation: Slack (incoming
// webhooks), Discord (execute webhook), Telegram (sendMessage), PagerDuty (Events API v2), ntfy (publish as JSON), Resend
// (POST /emails), and a plain webhook. They answer a request that breaks the format as the real service does.

import { readBody, Target } from "./target.mjs";

const ROUTING_KEY = "0123456789abcdef0123456789abcdef";

/** Throws a refusal unless the condition holds. @type {(condition: unknown, status: number, body?: unknown) => void} */
const requireThat = (condition, status, body) => {
  if (!condition) throw Object.assign(new Error("refused"), { refusal: { status, body } });
};

const isText = (/** @type {unknown} */ value, maxLength = Number.POSITIVE_INFINITY) =>
  typeof value === "string" && value.length > 0 && value.length <= maxLength;

/** @typedef {{ path: string, body: any, headers: import("node:http").IncomingHttpHeaders }} Call */

/** How each service answers a valid message. @type {Record<string, (call: Call) => { status: number, body?: unknown }>} */
const SERVICES = {
  slack({ path, body }) {
    requireThat(path === "/slack/T0/B0/good", 404, "no_service");
    requireThat(isText(body.text), 400, "no_text");
    requireThat(body.blocks.length <= 50, 400, "invalid_blocks");
    for (const block of body.blocks) {
      const limit = /** @type {Record<string, number>} */ ({ header: 150, section: 3000 })[block.type];
      const texts = block.type === "context" ? block.elements : [block.text];
      for (const { type, text } of texts) {
        requireThat(isText(text, limit ?? 3000), 400, "invalid_blocks");
        requireThat(type === "plain_text" || /^<https?:[^<>|]+\|Status page>$/.test(text), 400, "text is not plain");
      }
    }
    return { status: 200, body: "ok" };
  },
  discord({ path, body }) {
    requireThat(path === "/discord/webhooks/1/good", 401, { message: "Invalid Webhook Token", code: 50027 });
    requireThat(isText(body.content, 2000) && body.embeds.length <= 10, 400, { code: 50006 });
    for (const embed of body.embeds)
      requireThat(isText(embed.description, 4096) && Date.parse(embed.timestamp), 400, { code: 50035 });
    requireThat(body.allowed_mentions?.parse?.length === 0, 400, { message: "it may mention everyone" });
    requireThat(!/(^|[^\\])[<>*_`~|@]/.test(body.content), 400, { message: "text is not escaped" });
    return { status: 204 };
  },
  telegram({ path, body }) {
    requireThat(path === "/telegram/bot1:good/sendMessage", 401, {
      ok: false,
      error_code: 401,
      description: "Unauthorized",
    });
    requireThat(body.chat_id === "-1001" && isText(body.text, 4096), 400, { ok: false, error_code: 400 });
    return { status: 200, body: { ok: true, result: { message_id: 1 } } };
  },
  pagerduty({ path, body }) {
    requireThat(path === "/pagerduty/v2/enqueue", 404);
    requireThat(body.routing_key === ROUTING_KEY, 400, {
      status: "invalid event",
      errors: ["'routing_key' is incorrect"],
    });
    requireThat(["trigger", "acknowledge", "resolve"].includes(body.event_action) && isText(body.dedup_key, 255), 400);
    if (body.event_action === "trigger") {
      const { summary, source, severity } = body.payload;
      requireThat(isText(summary, 1024) && isText(source), 400);
      requireThat(["critical", "error", "warning", "info"].includes(severity), 400);
    }
    return { status: 202, body: { status: "success", dedup_key: body.dedup_key } };
  },
  ntfy({ path, body, headers }) {
    requireThat(path === "/ntfy", 404);
    requireThat(headers.authorization === "Bearer tk_good", 401, { code: 40101, error: "unauthorized" });
    requireThat(/^[-_A-Za-z0-9]{1,64}$/.test(body.topic) && isText(body.message, 4096) && isText(body.title, 256), 400);
    requireThat(Number.isInteger(body.priority) && body.priority >= 1 && body.priority <= 5, 400);
    requireThat(
      body.tags.every((/** @type {unknown} */ tag) => isText(tag)),
      400,
    );
    return { status: 200, body: { id: "x" } };
  },
  email({ path, body, headers }) {
    requireThat(path === "/resend/emails", 404);
    requireThat(headers.authorization === "Bearer re_good", 401, { statusCode: 401, name: "restricted_api_key" });
    requireThat(isText(body.from) && Array.isArray(body.to) && body.to.length <= 50, 422);
    requireThat(isText(body.subject, 998) && !/[\r\n]/.test(body.subject) && isText(body.text), 422);
    requireThat(isText(headers["idempotency-key"], 256), 400, { name: "invalid_idempotency_key" });
    return { status: 200, body: { id: "x" } };
  },
  hook({ path, body, headers }) {
    requireThat(path === "/hook/good", 403);
    requireThat(isText(body.title) && isText(body.key) && headers["idempotency-key"] === body.key, 400);
    return { status: 200 };
  },
};

/** The variables of an edge with a channel for every service: `ALERTS` and the secrets that it names. @param {string} url */
export const defineChannels = (url) => ({
  ALERTS: [
    { id: "slack", kind: "slack", secret: "SLACK" },
    { id: "discord", kind: "discord", secret: "DISCORD" },
    { id: "telegram", kind: "telegram", secret: "TELEGRAM", chat: "-1001", endpoint: `${url}/telegram` },
    { id: "pagerduty", kind: "pagerduty", secret: "PAGERDUTY", endpoint: `${url}/pagerduty` },
    { id: "ntfy", kind: "ntfy", secret: "NTFY", topic: "ops", endpoint: `${url}/ntfy` },
    {
      id: "email",
      kind: "email",
      secret: "EMAIL",
      from: "a@b.example",
      to: ["c@d.example"],
      endpoint: `${url}/resend`,
    },
    { id: "hook", kind: "webhook", secret: "HOOK" },
  ],
  SLACK: `${url}/slack/T0/B0/good`,
  DISCORD: `${url}/discord/webhooks/1/good`,
  TELEGRAM: "1:good",
  PAGERDUTY: ROUTING_KEY,
  NTFY: "tk_good",
  EMAIL: "re_good",
  HOOK: `${url}/hook/good`,
});

/** The names of all services. */
export const SERVICE_NAMES = Object.keys(SERVICES);

export class AlertServices {
  static async start() {
    const services = new AlertServices();
    services.target = await Target.start((request, response) => services.#respond(request, response));
    return services;
  }

  constructor() {
    /** @type {Target | undefined} */
    this.target = undefined;
    /** The messages that each service accepted, in order. @type {Record<string, any[]>} */
    this.accepted = Object.fromEntries(SERVICE_NAMES.map((name) => [name, []]));
    /** The number of requests that each service received. @type {Record<string, number>} */
    this.requestCounts = Object.fromEntries(SERVICE_NAMES.map((name) => [name, 0]));
    /** How all of them behave: `busy` answers 429 and names `retryAfterSeconds`. @type {"work" | "busy" | "fail" | "hang"} */
    this.behavior = "work";
    this.retryAfterSeconds = 120;
  }

  get url() {
    return /** @type {Target} */ (this.target).url;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #respond(request, response) {
    const path = request.url ?? "";
    const first = path.split("/")[1];
    const name = first === "resend" ? "email" : first;
    const text = await readBody(request);
    this.requestCounts[name] += 1;
    if (this.behavior === "hang") return;
    const { status, body, headers } = this.#decideResponse(name, path, text, request);
    const json = typeof body === "string" ? body : JSON.stringify(body ?? {});
    response.writeHead(status, headers).end(status === 204 ? undefined : json);
  }

  /** @param {string} name @param {string} path @param {string} text @param {import("node:http").IncomingMessage} request */
  #decideResponse(name, path, text, request) {
    if (this.behavior === "fail") return { status: 500, body: "internal error", headers: {} };
    if (this.behavior === "busy") {
      return {
        status: 429,
        body: { retry_after: this.retryAfterSeconds },
        headers: { "retry-after": `${this.retryAfterSeconds}` },
      };
    }
    try {
      requireThat(request.method === "POST" && /^application\/json/.test(request.headers["content-type"] ?? ""), 415);
      const body = JSON.parse(text);
      const response = SERVICES[name]({ path, body, headers: request.headers });
      this.accepted[name].push(body);
      return { ...response, headers: {} };
    } catch (error) {
      const refusal = /** @type {any} */ (error).refusal ?? { status: 400, body: String(error) };
      return { headers: {}, ...refusal };
    }
  }

  async stop() {
    await this.target?.stop();
  }
}

// Seven services that take alerts, each as strict about its format as its documentation says it is: Slack (incoming
// webhooks), Discord (execute webhook), Telegram (sendMessage), PagerDuty (Events API v2), ntfy (publish as JSON),
// Resend (POST /emails), and a webhook of one's own. What breaks the format is answered as the real one does.

import { Target } from "./target.mjs";

const ROUTING_KEY = "0123456789abcdef0123456789abcdef";

/** What is wrong, if anything. @typedef {{ status: number, body?: unknown }} Refusal */

/** @type {(good: unknown, status: number, body?: unknown) => void} */
const need = (good, status, body) => {
  if (!good) throw Object.assign(new Error("refused"), { refusal: { status, body } });
};

const text = (/** @type {unknown} */ value, most = Number.POSITIVE_INFINITY) =>
  typeof value === "string" && value.length > 0 && value.length <= most;

/** @typedef {{ path: string, body: any, headers: import("node:http").IncomingHttpHeaders }} Call */

/** What each answers when it has taken a message. @type {Record<string, (call: Call) => { status: number, body?: unknown }>} */
const SERVICES = {
  slack({ path, body }) {
    need(path === "/slack/T0/B0/good", 404, "no_service");
    need(text(body.text), 400, "no_text");
    need(body.blocks.length <= 50, 400, "invalid_blocks");
    for (const block of body.blocks) {
      need(
        block.type === "section" && block.text.type === "mrkdwn" && text(block.text.text, 3000),
        400,
        "invalid_blocks",
      );
      need(!/<(?!https?:)/.test(block.text.text), 400, "foreign text is not escaped");
    }
    return { status: 200, body: "ok" };
  },
  discord({ path, body }) {
    need(path === "/discord/webhooks/1/good", 401, { message: "Invalid Webhook Token", code: 50027 });
    need(text(body.content, 2000) && body.embeds.length <= 10, 400, { code: 50006 });
    for (const embed of body.embeds)
      need(text(embed.description, 4096) && Date.parse(embed.timestamp), 400, { code: 50035 });
    need(body.allowed_mentions?.parse?.length === 0, 400, { message: "it may mention everyone" });
    return { status: 204 };
  },
  telegram({ path, body }) {
    need(path === "/telegram/bot1:good/sendMessage", 401, { ok: false, error_code: 401, description: "Unauthorized" });
    need(body.chat_id === "-1001" && text(body.text, 4096), 400, { ok: false, error_code: 400 });
    return { status: 200, body: { ok: true, result: { message_id: 1 } } };
  },
  pagerduty({ path, body }) {
    need(path === "/pagerduty/v2/enqueue", 404);
    need(body.routing_key === ROUTING_KEY, 400, { status: "invalid event", errors: ["'routing_key' is incorrect"] });
    need(["trigger", "acknowledge", "resolve"].includes(body.event_action) && text(body.dedup_key, 255), 400);
    if (body.event_action === "trigger") {
      const { summary, source, severity } = body.payload;
      need(text(summary, 1024) && text(source), 400);
      need(["critical", "error", "warning", "info"].includes(severity), 400);
    }
    return { status: 202, body: { status: "success", dedup_key: body.dedup_key } };
  },
  ntfy({ path, body, headers }) {
    need(path === "/ntfy", 404);
    need(headers.authorization === "Bearer tk_good", 401, { code: 40101, error: "unauthorized" });
    need(/^[-_A-Za-z0-9]{1,64}$/.test(body.topic) && text(body.message, 4096) && text(body.title, 256), 400);
    need(Number.isInteger(body.priority) && body.priority >= 1 && body.priority <= 5, 400);
    need(
      body.tags.every((/** @type {unknown} */ tag) => text(tag)),
      400,
    );
    return { status: 200, body: { id: "x" } };
  },
  email({ path, body, headers }) {
    need(path === "/resend/emails", 404);
    need(headers.authorization === "Bearer re_good", 401, { statusCode: 401, name: "restricted_api_key" });
    need(text(body.from) && Array.isArray(body.to) && body.to.length <= 50, 422);
    need(text(body.subject, 998) && !/[\r\n]/.test(body.subject) && text(body.text), 422);
    need(text(headers["idempotency-key"], 256), 400, { name: "invalid_idempotency_key" });
    return { status: 200, body: { id: "x" } };
  },
  hook({ path, body, headers }) {
    need(path === "/hook/good", 403);
    need(text(body.title) && text(body.key) && headers["idempotency-key"] === body.key, 400);
    return { status: 200 };
  },
};

/** `[[vars.ALERTS]]` for all of them and the Worker secrets that they name. @param {string} url */
export const channels = (url) => ({
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
export const NAMES = Object.keys(SERVICES);

export class Services {
  /** @param {(self: Services) => Promise<Target>} start */
  static async start(start = (self) => Target.start((request, response) => self.#answer(request, response))) {
    const services = new Services();
    services.target = await start(services);
    return services;
  }

  constructor() {
    /** @type {Target | undefined} */
    this.target = undefined;
    /** What each took, in order. @type {Record<string, any[]>} */
    this.taken = Object.fromEntries(NAMES.map((name) => [name, []]));
    /** How often each was asked. @type {Record<string, number>} */
    this.asked = Object.fromEntries(NAMES.map((name) => [name, 0]));
    /** What all of them do: work, be busy for some seconds, fail or hang. @type {"work" | "busy" | "fail" | "hang"} */
    this.mood = "work";
    this.patience = 120;
  }

  get url() {
    return /** @type {Target} */ (this.target).url;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    const path = request.url ?? "";
    const first = path.split("/")[1];
    const name = first === "resend" ? "email" : first;
    let whole = "";
    for await (const chunk of request) whole += chunk;
    this.asked[name] += 1;
    if (this.mood === "hang") return;
    const { status, body, headers } = this.#decide(name, path, whole, request);
    const json = typeof body === "string" ? body : JSON.stringify(body ?? {});
    response.writeHead(status, headers).end(status === 204 ? undefined : json);
  }

  /** @param {string} name @param {string} path @param {string} whole @param {import("node:http").IncomingMessage} request */
  #decide(name, path, whole, request) {
    if (this.mood === "fail") return { status: 500, body: "internal error", headers: {} };
    if (this.mood === "busy") {
      return { status: 429, body: { retry_after: this.patience }, headers: { "retry-after": `${this.patience}` } };
    }
    try {
      need(request.method === "POST" && /^application\/json/.test(request.headers["content-type"] ?? ""), 415);
      const body = JSON.parse(whole);
      const answer = SERVICES[name]({ path, body, headers: request.headers });
      this.taken[name].push(body);
      return { ...answer, headers: {} };
    } catch (error) {
      const refusal = /** @type {any} */ (error).refusal ?? { status: 400, body: String(error) };
      return { headers: {}, ...refusal };
    }
  }

  async stop() {
    await this.target?.stop();
  }
}

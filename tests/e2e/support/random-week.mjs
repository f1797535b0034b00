// A random week in workerd: the script and the judge are those of the native test (edge/tests/random_weeks, edge/examples/week.rs); here
// the real Worker gets its ticks, its targets answer as the script says, and its services write down what they get.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge } from "./edge.mjs";
import { subscribe } from "./subscriptions.mjs";
import { readBody, Target } from "./target.mjs";
import { ADMIN_TOKEN, HEARTBEAT_HEADERS, HEARTBEAT_TOKEN } from "./tokens.mjs";
import { listWorkerdPids } from "./workerd-processes.mjs";

const PROGRAM = "target/debug/examples/week";

/** The recipients: three channels and a subscriber. The places in this list are the numbers of the script. */
const RECIPIENTS = ["c0", "c1", "c2", "subscriber"];

const HOUR = 3_600_000;

/** Runs the program and returns what it prints. @param {string[]} args @param {string} [input] */
async function runProgram(args, input = "") {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build -p heapbeat-edge --example week`);
  const child = spawn(PROGRAM, args, { stdio: ["pipe", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (/** @type {Buffer} */ data) => (output += data));
  child.stderr.on("data", (/** @type {Buffer} */ data) => (errors += data));
  const closed = once(child, "close");
  child.stdin.end(input);
  const [code] = await closed;
  if (code !== 0) throw new Error(errors);
  return output;
}

export class RandomWeek {
  /** @param {number} seed @param {number} ticks */
  constructor(seed, ticks) {
    this.seed = seed;
    this.ticks = ticks;
    /** @type {any} */ this.script = undefined;
    /** The tick that runs. */
    this.number = 0;
    /** @type {{ heard: any[], acted: any[] }} */ this.record = { heard: [], acted: [] };
    this.isKilled = false;
    this.kills = 0;
    this.stateDir = mkdtempSync(join(tmpdir(), "heapbeat-week-"));
    /** @type {any[]} */ this.list = [];
    /** The announced maintenance, as it was sent last. */
    this.maintenance = "[]";
  }

  get plan() {
    return this.script.ticks[this.number];
  }

  /** Runs the week, and returns what the judge says about it; it throws if anything is wrong. */
  async run() {
    const targets = await Target.start((request, response) => this.#answerProbe(request, response));
    const services = await Target.start((request, response) => this.#answerMessage(request, response));
    try {
      this.script = JSON.parse(await runProgram(["script", String(this.seed), String(this.ticks), targets.url]));
      this.services = services.url;
      this.edge = await this.#startEdge();
      await this.#runTicks();
      const record = JSON.stringify(this.record);
      const { WEEK_RECORDS } = process.env;
      if (WEEK_RECORDS) writeFileSync(join(WEEK_RECORDS, `${this.seed}.json`), record);
      return await runProgram(["judge", String(this.seed), String(this.ticks)], record);
    } finally {
      await this.edge?.stop().catch(() => {});
      await Promise.all([targets.stop(), services.stop()]);
      rmSync(this.stateDir, { recursive: true, force: true });
    }
  }

  #startEdge() {
    const channel = (/** @type {string} */ id, /** @type {number} */ index) => {
      const [reminder, quiet] = [this.script.reminders[index], this.script.quiet[index]];
      const clock = (/** @type {number} */ hour) => `${String(hour).padStart(2, "0")}:00`;
      return {
        id,
        kind: "webhook",
        secret: `HOOK_${id}`.toUpperCase(),
        ...(reminder && { reminder: `${reminder / HOUR}h` }),
        ...(quiet && { quiet: `${clock(quiet[0])}-${clock(quiet[1])}` }),
      };
    };
    const channels = RECIPIENTS.slice(0, 3);
    const secrets = channels.map((id) => [`HOOK_${id}`.toUpperCase(), `${this.services}/${id}`]);
    const tokens = { ADMIN_TOKEN, HEARTBEAT_TOKEN, ...Object.fromEntries(secrets) };
    const vars = { SUBSCRIPTIONS: 1, ALERTS: channels.map(channel), ...tokens };
    return Edge.start([], { stateDir: this.stateDir, vars });
  }

  async #runTicks() {
    const edge = () => /** @type {Edge} */ (this.edge);
    const { status } = await subscribe(edge(), { url: `${this.services}/subscriber` });
    if (status !== 204) throw new Error(`the subscription was refused: ${status}`);
    for (this.number = 0; this.number < this.ticks; this.number += 1) {
      const { at, kind, list } = this.plan;
      if (list) await this.#apply("/admin/monitors", { monitors: list });
      await this.#announce();
      if (kind === "Missed") continue;
      await this.#tick(at);
      if (kind === "Doubled" && !this.isKilled) await this.#tick(at);
      if (this.isKilled) {
        await edge()
          .stop()
          .catch(() => {});
        this.edge = await this.#startEdge();
        // The edge's own clock goes on from the tick that it stored.
        this.isKilled = false;
      }
      await this.#report();
      await this.#act();
    }
  }

  /** @param {number} at */
  async #tick(at) {
    const tick = /** @type {Edge} */ (this.edge).runScheduled("edge", at);
    await (this.plan.killed_after === null ? tick : tick.catch(() => {}));
  }

  /** @param {string} path @param {unknown} body */
  async #apply(path, body) {
    const response = await /** @type {Edge} */ (this.edge).requestAsAdmin("PUT", path, body);
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  /** Announces the maintenance that lasts, until it ends by the script. */
  async #announce() {
    const windows = [];
    for (const [monitor, { maintained, listed }] of this.plan.monitors.entries()) {
      if (!maintained || !listed) continue;
      const isOver = (/** @type {any} */ tick) => !tick.monitors[monitor].maintained || !tick.monitors[monitor].listed;
      const end = this.script.ticks.slice(this.number).find(isOver)?.at ?? this.plan.at + 24 * HOUR;
      const format = (/** @type {number} */ at) => `${new Date(at).toISOString().slice(0, 16)}Z`;
      windows.push({ id: `w${monitor}`, title: "Work", to: format(end), monitors: [`m${monitor}`], from: "" });
      const first = this.script.ticks.slice(0, this.number).findLastIndex(isOver) + 1;
      windows[windows.length - 1].from = format(this.script.ticks[first].at);
    }
    const text = JSON.stringify(windows);
    if (text === this.maintenance) return;
    this.maintenance = text;
    await this.#apply("/admin/maintenance", { maintenance: windows });
  }

  async #report() {
    const { report } = this.plan;
    if (report === null) return;
    const events = { Start: "start", Success: "success", Failure: "fail" };
    const path = `/api/v1/heartbeats/m7?event=${events[/** @type {keyof typeof events} */ (report)]}`;
    const response = await /** @type {Edge} */ (this.edge).request(path, {
      method: "POST",
      headers: HEARTBEAT_HEADERS,
    });
    if (response.status !== 204) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  async #act() {
    if (this.plan.action === null) return;
    const [monitor, action] = this.plan.action;
    const edge = /** @type {Edge} */ (this.edge);
    const incidents = await edge.readIncidents();
    const open = incidents.find((it) => it.monitor === `m${monitor}` && it.closed === null);
    this.record.acted.push({ tick: this.number, monitor, incident: open?.id ?? null });
    if (!open) return;
    const update = action === "Resolve" ? { resolve: true } : { acknowledge: true };
    const response = await edge.requestAsAdmin("POST", `/admin/incidents/${open.id}`, update);
    if (response.status !== 200) throw new Error(`${open.id}: ${response.status} ${await response.text()}`);
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  #answerProbe(request, response) {
    const monitor = Number((request.url ?? "").slice("/m".length));
    const { found } = this.plan.monitors[monitor];
    const status = { Well: 200, Slow: 200, Refused: 503, Missing: 404 }[/** @type {string} */ (found)];
    response.writeHead(status ?? 500).end(found === "Slow" ? "slow" : "well");
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answerMessage(request, response) {
    const message = JSON.parse(await readBody(request));
    if (message.challenge) return void response.end(message.challenge);
    const recipient = RECIPIENTS.indexOf((request.url ?? "").slice(1));
    const service = this.plan.services[recipient];
    const seconds = service.Busy;
    const isAccepted = service === "Works" || service === "Mute";
    const names = { Works: "Accepted", Fails: "Failed", Rejects: "Rejected", Mute: "Lost" };
    /** @type {unknown} */
    let answer = seconds === undefined ? names[/** @type {keyof typeof names} */ (service)] : { Busy: seconds };
    if (this.plan.killed_after !== null) {
      answer = { Killed: isAccepted };
      if (!this.isKilled) {
        this.isKilled = true;
        this.kills += 1;
        for (const pid of listWorkerdPids()) process.kill(Number(pid), "SIGKILL");
      }
    }
    const { key, incident, monitor, event, severity, title, incidents } = message;
    const said = { incident: incident ?? "", monitor: monitor ?? "", event, severity, title };
    this.record.heard.push({ tick: this.number, recipient, answer, key, ...said, incidents: incidents ?? [] });
    if (this.isKilled || service === "Mute") return void response.destroy();
    const status = { Works: 200, Fails: 500, Rejects: 404 }[/** @type {string} */ (service)] ?? 429;
    response.writeHead(status, seconds === undefined ? {} : { "retry-after": String(seconds) }).end();
  }
}

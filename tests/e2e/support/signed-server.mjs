// A heapbeat server with a secret whose clock is the test's: a day of reports, one for each minute, made by the real code
// (edge/examples/history/reports.rs) and signed here as docs say they are.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Target } from "./target.mjs";

export const SECRET = "a secret that both halves hold";

const MINUTE = 60_000;

const code = (/** @type {string} */ text) => createHmac("sha256", SECRET).update(text).digest("hex");

export class Signed {
  /** @param {Target} target @param {Map<number, string>} bodies */
  constructor(target, bodies) {
    this.target = target;
    this.url = `${target.url}/health`;
    this.bodies = bodies;
    /** The server's clock, in Unix milliseconds. */
    this.now = 0;
  }

  /**
   * Its memory runs full before each death, which lasts from the one instant to the other. Each report has the samples of the
   * last `ring` milliseconds, 40 minutes where it is not said.
   * @param {{ from: number, until: number, deaths: [number, number][], ring?: number }} reports
   */
  static async start(reports) {
    const command = ["run", "--quiet", "--locked", "-p", "heapbeat-edge", "--example", "history"];
    const child = spawn("cargo", command, { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "close");
    child.stdin.end(JSON.stringify({ reports }));
    /** @type {Map<number, string>} */
    const bodies = new Map();
    for await (const line of createInterface({ input: child.stdout })) {
      const { at, body } = JSON.parse(line);
      bodies.set(at, body);
    }
    if ((await ended)[0] !== 0) throw new Error("there are no reports; see above");
    const target = await Target.start((request, response) => signed.#answer(request, response));
    const signed = new Signed(target, bodies);
    return signed;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  #answer(request, response) {
    const header = String(request.headers["heapbeat-signature"] ?? "");
    const [, time, nonce, theirs] = /^v1 t=(\d+) n=([0-9a-f]{32}) s=([0-9a-f]{64})$/.exec(header) ?? [];
    const asked = `heapbeat request v1\n${request.method}\n${request.url}\n${time}\n${nonce}`;
    const body = this.bodies.get(this.now - (this.now % MINUTE));
    if (theirs !== code(asked) || body === undefined) {
      response.writeHead(theirs === code(asked) ? 503 : 401).end();
      return;
    }
    const signature = `v1 s=${code(`heapbeat response v1\n${nonce}\n${body}`)}`;
    // As the real server does; a body of no known length is read in pieces, which takes longer.
    const length = Buffer.byteLength(body);
    const headers = { "content-type": "application/json", "content-length": length, "heapbeat-signature": signature };
    response.writeHead(200, headers).end(body);
  }

  async stop() {
    await this.target.stop();
  }
}

// A past for a hub that never ran: ninety days of it in seconds, made natively by the edge's own code
// (edge/examples/history) and taken in as an import.
//
//   const edge = await Edge.start([]);
//   const { monitors, rows } = await fill(edge, { monitors: 50, days: 90 });
//
// Afterwards the edge has `monitors` (ids `m00`, `m01` and on), and its last tick was a minute before `edge.now`. The same call
// gives the same past. Everybody has outages, slow hours and time in which nobody looked; every other has announced work, every
// seventh is three weeks old; the first `memory` heapbeat monitors sign reports, with deploys every three days and a death for
// want of memory every nine. Of the first ten, in the last day: `m00` was killed seven hours ago (20 s, between two ticks),
// `m01` was slow, `m02` is down since 25 minutes, `m03` was down, `m04` was worked on, `m05` is slow. Six minutes were missed by
// all, nine hours ago. A tick after that asks the real targets, `url`, which sign nothing.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Bytes of rows in one import. */
const PAGE = 1024 * 1024;

const GROUPS = ["Website", "Backend", "Payments", "Internal"];
const NAMES = ["API", "Web", "Checkout", "Search", "Images", "Mail", "Login", "Reports", "Billing", "Queue"];

/**
 * The list that `fill` gives to the edge, as `heapbeat apply` would.
 * @param {number} count @param {string} url
 */
export const monitors = (count, url) =>
  Array.from({ length: count }, (_, index) => {
    const kind = ["heapbeat", "http", "tcp", "heapbeat", "http"][index % 5];
    return {
      id: `m${String(index).padStart(2, "0")}`,
      name: `${NAMES[index % NAMES.length]}${index < NAMES.length ? "" : ` ${Math.floor(index / NAMES.length) + 1}`}`,
      kind,
      url: kind === "tcp" ? url.replace(/^http/, "tcp") : `${url}/${index}`,
      group: GROUPS[Math.floor((index * GROUPS.length) / count)],
      degraded: ["[RESPONSE_TIME] < 800"],
    };
  });

/**
 * Fills the edge's hubs. `url` is where the monitors are, should a tick follow.
 * @param {import("./edge.mjs").Edge} edge
 * @param {{ monitors?: number, days?: number, memory?: number, url?: string }} [options]
 */
export async function fill(edge, { monitors: count = 50, days = 90, memory = 4, url = "http://127.0.0.1:9" } = {}) {
  const list = monitors(count, url);
  const put = await edge.hub(0, "/monitors", "PUT", JSON.stringify({ monitors: list }));
  if (!put.ok) throw new Error(`the list was refused: ${await put.text()}`);
  // As many hubs as it takes; each says whom it watches.
  const hubs = Number(put.headers.get("x-heapbeat-hubs") ?? 1);
  let [rows, reports] = [0, memory];
  for (let hub = 0; hub < hubs; hub += 1) {
    const status = /** @type {any} */ (await (await edge.hub(hub, "/status")).json());
    const ids = new Set(status.monitors.map((/** @type {any} */ it) => it.id));
    const its = list.filter(({ id }) => ids.has(id));
    rows += await past(edge, hub, { monitors: its, days, memory: reports });
    reports = Math.max(0, reports - its.filter(({ kind }) => kind === "heapbeat").length);
  }
  return { monitors: list, rows };
}

/** Fills one hub. @param {import("./edge.mjs").Edge} edge @param {number} hub @param {object} wanted */
async function past(edge, hub, wanted) {
  const first = await (await edge.hub(hub, "/export?99-0")).text();
  const { schema } = JSON.parse(first.split("\n")[0]);
  const command = ["run", "--quiet", "--locked", "-p", "heapbeat-edge", "--example", "history"];
  const child = spawn("cargo", command, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify({ ...wanted, until: edge.now - 60_000, came: Date.now() }));
  const ended = once(child, "close");
  let [page, rows] = ["", 0];
  const send = async () => {
    const answer = await edge.hub(hub, `/import?${schema}`, "POST", page);
    if (!answer.ok) throw new Error(`the hub took no past: ${await answer.text()}`);
    page = "";
  };
  for await (const line of createInterface({ input: child.stdout })) {
    page += `${line}\n`;
    rows += 1;
    if (page.length > PAGE) await send();
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`the past was not made: cargo ended with ${code}`);
  await send();
  return rows;
}

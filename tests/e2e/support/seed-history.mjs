// Fills the hubs of an edge that never ran with a past of up to ninety days, in seconds.
//
//   const edge = await Edge.start([]);
//   const { monitors, rows } = await seedHistory(edge, { monitors: 50, days: 90 });
//
// Afterwards the edge has `monitors` (ids `m00`, `m01` and on), and its last tick was a minute before `edge.now`. The same call
// gives the same past. Every monitor has outages, slow hours and unobserved time; every other one has announced maintenance,
// every seventh is three weeks old; the first `memory` heapbeat monitors sign reports, with a deploy every three days and an
// out-of-memory kill every nine. Of the first ten, in the last day: `m00` was killed seven hours ago (20 s, between two ticks),
// `m01` was slow, `m02` has been down for 25 minutes, `m03` was down, `m04` was under maintenance, `m05` is slow. Six minutes
// were missed by all monitors, nine hours ago. A tick after that probes the real targets at `url`, which sign nothing.

import { generateHistory } from "./history-generator.mjs";

/** The bytes of rows in one import. */
const PAGE = 1024 * 1024;

const GROUPS = ["Website", "Backend", "Payments", "Internal"];
const NAMES = ["API", "Web", "Checkout", "Search", "Images", "Mail", "Login", "Reports", "Billing", "Queue"];

/**
 * Lists the monitors that `seedHistory` applies to the edge.
 * @param {number} count @param {string} url
 */
export const listSeededMonitors = (count, url) =>
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
 * Seeds the hubs of an edge. `url` is the address of the monitors for the ticks that follow.
 * @param {import("./edge.mjs").Edge} edge
 * @param {{ monitors?: number, days?: number, memory?: number, url?: string }} [options]
 */
export async function seedHistory(edge, options = {}) {
  const { monitors: count = 50, days = 90, memory = 4, url = "http://127.0.0.1:9" } = options;
  const monitors = listSeededMonitors(count, url);
  const { hub_count: hubs, result } = await edge.requestHub(0, { ApplyMonitors: { monitors, dry_run: false } });
  if (!result.Ok?.Applied?.applied) throw new Error(`the hub refused the list: ${JSON.stringify(result)}`);
  let [rows, reports] = [0, memory];
  for (let hub = 0; hub < (hubs ?? 1); hub += 1) {
    const status = await edge.requestHub(hub, { Status: { audience: "Public" } });
    const ids = new Set(status.result.Ok.Status.monitors.map((/** @type {any} */ it) => it.id));
    const assigned = monitors.filter(({ id }) => ids.has(id));
    rows += await seedHub(edge, hub, { monitors: assigned, days, memory: reports });
    reports = Math.max(0, reports - assigned.filter(({ kind }) => kind === "heapbeat").length);
  }
  return { monitors, rows };
}

/** Seeds one hub and returns the number of rows. @param {import("./edge.mjs").Edge} edge @param {number} hub @param {object} options */
async function seedHub(edge, hub, options) {
  const exported = await edge.requestHub(hub, { Export: { from: { hub, table: 99, row: 0 } } });
  const { schema } = JSON.parse(exported.result.Ok.Export.split("\n")[0]);
  let [page, rows] = ["", 0];
  const importPage = async () => {
    const { result } = await edge.requestHub(hub, { Import: { hub, schema, lines: page } });
    if (!result.Ok) throw new Error(`the hub refused the import: ${JSON.stringify(result)}`);
    page = "";
  };
  for await (const line of generateHistory({ ...options, until: edge.now - 60_000, received: Date.now() })) {
    page += `${line}\n`;
    rows += 1;
    if (page.length > PAGE) await importPage();
  }
  await importPage();
  return rows;
}

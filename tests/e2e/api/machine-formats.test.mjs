// Badges, feeds, the calendar and metrics, read by independent parsers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { XMLValidator } from "fast-xml-parser";
import { parseAtomFeed, parseRssFeed } from "feedsmith";
import ICAL from "ical.js";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";

const TITLE = "We move; the <b>database</b>, all of it, longer than a calendar's line";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.startHealthy({ rss: 151 });
  edge = await Edge.start(
    [
      defineMonitor("api", target.url, { name: 'A "quoted" & <i>odd</i> API' }),
      defineMonitor("gone", REFUSED_URL, { "failure-threshold": 1 }),
    ],
    {
      vars: {
        MAINTENANCE: [
          { id: "move", title: TITLE, from: "2026-01-01T02:00Z", to: "2026-01-01T03:00Z", monitors: ["api"] },
        ],
      },
    },
  );
  await edge.tickTimes(5);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Reads a path that has to have this content type. @param {string} path @param {string} type @param {Record<string, string>} [headers] */
async function readAs(path, type, headers = {}) {
  const response = await edge.request(path, { headers });
  const body = await response.text();
  assert.equal(response.status, 200, `${path}: ${body}`);
  assert.ok(response.headers.get("content-type")?.startsWith(type), `${path}: ${response.headers.get("content-type")}`);
  assert.match(String(response.headers.get("cache-control")), /^public/);
  return body;
}

/** @param {string} xml */
const assertWellFormed = (xml) => assert.equal(XMLValidator.validate(xml), true, xml);

test("badges of every style are well-formed and show status, uptime and memory", async () => {
  const texts = {
    status: /api: up|API: up/i,
    uptime: /uptime: 100% \((\d+(\.\d+)?% observed )?since \d{4}-\d\d-\d\d\)/,
    memory: /memory: 151 MB/,
  };
  for (const style of ["", "flat", "flat-square", "for-the-badge"]) {
    for (const [metric, pattern] of Object.entries(texts)) {
      const query = `?metric=${metric}${style && `&style=${style}`}`;
      const svg = await readAs(`/badge/api.svg${query}`, "image/svg+xml");
      assertWellFormed(svg);
      assert.match(svg, new RegExp(pattern.source, "i"), query);
    }
  }
  const hostile = encodeURIComponent('"><script>alert(1)</script>&');
  const svg = await readAs(`/badge/gone.svg?label=${hostile}`, "image/svg+xml");
  assertWellFormed(svg);
  assert.ok(!svg.includes("<script") && svg.includes("down"), svg);
  const shield = JSON.parse(await readAs("/badge/gone.json", "application/json"));
  assert.deepEqual([shield.schemaVersion, shield.label, shield.message], [1, "GONE", "down"]);
});

test("unknown badges, metrics and styles are refused with problem documents", async () => {
  for (const [path, status] of /** @type {const} */ ([
    ["/badge/nobody.svg", 404],
    ["/badge/api.png", 404],
    ["/badge/api.svg?metric=cpu", 400],
    ["/badge/api.svg?style=3d", 400],
    ["/badge/api.svg?colour=red", 400],
  ])) {
    const response = await edge.request(path);
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  }
});

test("both feeds list each incident and maintenance window once and link to its page", async () => {
  const [atom, rss] = [
    await readAs("/feed.atom", "application/atom+xml"),
    await readAs("/feed.rss", "application/rss+xml"),
  ];
  assertWellFormed(atom);
  assertWellFormed(rss);
  const feed = parseAtomFeed(atom);
  const entries = feed.entries ?? [];
  assert.equal(new Set(entries.map((entry) => entry.id)).size, entries.length);
  assert.ok(feed.links?.some((link) => link.rel === "self" && link.href === `${edge.url}/feed.atom`));
  const titles = entries.map((entry) => String(/** @type {any} */ (entry.title)?.value ?? entry.title));
  assert.ok(
    titles.some((title) => /GONE is down: connection refused/.test(title)),
    titles.join("\n"),
  );
  assert.ok(titles.includes(`Announced: ${TITLE}`), titles.join("\n"));
  for (const entry of entries) {
    assert.ok(!Number.isNaN(Date.parse(String(entry.updated))), JSON.stringify(entry));
    const [link] = entry.links ?? [];
    assert.equal((await fetch(String(link?.href))).status, 200, String(link?.href));
  }
  const items = parseRssFeed(rss).items ?? [];
  assert.deepEqual(items.map((item) => item.title).sort(), titles.sort());
  for (const item of items) {
    assert.ok(!Number.isNaN(Date.parse(String(item.pubDate))), JSON.stringify(item));
    assert.ok(item.guid?.value);
  }
});

test("the calendar has the maintenance window with its full title", async () => {
  const text = await readAs("/calendar.ics", "text/calendar");
  for (const line of text.split("\r\n")) assert.ok(Buffer.byteLength(line) <= 75, line);
  assert.ok(!/[^\r]\n/.test(text), "every line ends with CRLF");
  const events = new ICAL.Component(ICAL.parse(text)).getAllSubcomponents("vevent");
  assert.equal(events.length, 1);
  const event = new ICAL.Event(events[0]);
  assert.equal(event.summary, TITLE);
  assert.equal(event.startDate.toJSDate().toISOString(), "2026-01-01T02:00:00.000Z");
  assert.equal(event.endDate.toJSDate().toISOString(), "2026-01-01T03:00:00.000Z");
  assert.ok(event.uid);
});

/** Parses OpenMetrics strictly: the value of each sample by its name and labels. @param {string} text */
function parseOpenMetrics(text) {
  assert.ok(text.endsWith("# EOF\n"));
  /** @type {Map<string, string>} */ const types = new Map();
  /** @type {Map<string, number>} */ const samples = new Map();
  for (const line of text.split("\n").slice(0, -2)) {
    const meta = line.match(/^# (TYPE|HELP|UNIT) ([a-zA-Z_:][\w:]*) (.+)$/);
    if (meta) {
      const [, kind, name, value] = meta;
      if (kind === "TYPE") {
        assert.ok(!types.has(String(name)), `${name} is declared twice`);
        types.set(String(name), String(value));
      }
      continue;
    }
    const sample = line.match(
      /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/,
    );
    assert.ok(sample, `not a sample: ${line}`);
    const [, name, labels = "", value] = /** @type {[string, string, string | undefined, string]} */ (
      /** @type {unknown} */ (sample)
    );
    const family = [...types].find(([it, kind]) => {
      const suffix = { counter: "_total", info: "_info" }[kind] ?? "";
      return name === it + suffix;
    });
    assert.ok(family, `${name} has no type before it`);
    assert.equal(family[0], [...types.keys()].at(-1), `${name} is apart from its family`);
    assert.ok(!samples.has(name + labels), `${name}${labels} appears twice`);
    samples.set(name + labels, Number(value));
  }
  return samples;
}

test("metrics are valid OpenMetrics with states, failure reasons and the edge's own counters", async () => {
  const accept = { accept: "application/openmetrics-text; version=1.0.0" };
  const samples = parseOpenMetrics(await readAs("/metrics", "application/openmetrics-text", accept));
  const expected = {
    'heapbeat_monitor_up{monitor="api"}': 1,
    'heapbeat_monitor_up{monitor="gone"}': 0,
    'heapbeat_monitor_failing{monitor="gone",reason="connection-refused"}': 1,
    'heapbeat_monitor_memory_rss_bytes{monitor="api"}': 151 * 1_048_576,
    heapbeat_edge_ticks_total: 5,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(samples.get(name), value, name);
  const plain = await readAs("/metrics", "text/plain");
  assert.ok(plain.includes('heapbeat_monitor_up{monitor="api"} 1') && !plain.includes("# EOF"));
});

// Hostile text from every source: names, groups, titles, notes, and a server with the right secret that lies. Everything shows
// it as it was written, and none of it becomes markup, a header, a line or a template.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, openPage, readVisibleText } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { sendRaw } from "../support/raw-http.mjs";
import { SECRET, SignedServer } from "../support/signed-server.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

/** Each would call `fired` with its number, or leave an element that the pages do not have. */
const EVIL = {
  name: `"><script>fired(1)</script><img src=x onerror=fired(2)>`,
  other: `]]></title><x:script xmlns:x="http://www.w3.org/1999/xhtml">fired(3)</x:script>`,
  group: `'><svg onload=fired(4)>{{>head}}{{$headline.up}}{{site.title}}`,
  title: `</title><script>fired(5)</script>`,
  link: `<b onmouseover=fired(6)>here</b>`,
  label: `a"} 1 # {x="\\`,
  work: `<iframe srcdoc="<script>fired(7)</script>">;X-EVIL:1,\\nATTENDEE:x`,
  note: `--><script>fired(8)</script>{"next":"1-1"}\u2028\u202e=cmd|' /C calc'!A0`,
  evidence: `<script>fired(9)</script>\r\nX-Evil: 1\n{{>head}}</ul></section>`,
  version: `"><script>fired(10)</script>`,
  answer: `<script>fired(11)</script>`,
};

/** Sends reports full of hostile text. @type {SignedServer} */ let liar;
/** Fails with hostile text. @type {Target} */ let rude;
/** @type {Edge} */ let edge;
/** @type {import("playwright-core").Browser} */ let browser;
/** The ids of the incidents of `liar` and of `rude`. @type {string[]} */ let incidents = [];
/** @type {string[]} */ const log = [];

/** Replaces every text in a report. @param {string} text */
function poisonReport(text) {
  const report = JSON.parse(text);
  report.version = EVIL.version;
  report.limit.origin = EVIL.evidence;
  report.unavailable_sources = [EVIL.evidence];
  if (report.previous_exit) {
    const texts = [EVIL.evidence, EVIL.name, EVIL.other];
    report.previous_exit.evidence = texts.map((text) => ({
      code: text,
      params: { memory_bytes: text, [text]: text },
      text,
    }));
    report.previous_exit.version = EVIL.version;
    report.previous_exit.panic = EVIL.evidence;
  }
  return JSON.stringify(report);
}

before(async () => {
  browser = await launchBrowser();
  liar = await SignedServer.start({
    from: START,
    until: START + 9 * MINUTE,
    deaths: [[START + 4 * MINUTE + 15_000, START + 4 * MINUTE + 35_000]],
  });
  for (const [at, body] of liar.reports) liar.reports.set(at, poisonReport(body));
  rude = await Target.start((_, response) => {
    response.statusMessage = EVIL.answer;
    response.writeHead(500, { "content-type": "text/html", "x-evil": EVIL.answer }).end(EVIL.answer);
  });
  edge = await Edge.start(
    [
      defineMonitor("liar", liar.url, { name: EVIL.name, group: EVIL.group, secret: "SECRET_OF_LIAR" }),
      defineMonitor("rude", `${rude.url}/%22%3E${encodeURIComponent(EVIL.answer)}`, {
        name: EVIL.other,
        kind: "http",
        "failure-threshold": 1,
        "depends-on": ["label"],
      }),
      defineMonitor("label", `${rude.url}/`, { name: EVIL.label, group: EVIL.title, kind: "http" }),
      { id: EVIL.name, name: EVIL.name, kind: EVIL.name, url: `javascript:${EVIL.name}` },
    ],
    {
      log,
      faultInjection: true,
      vars: {
        ADMIN_TOKEN,
        SECRET_OF_LIAR: SECRET,
        PAGE: { title: EVIL.title, links: [{ name: EVIL.link, url: "https://example.com/'\"><b>" }] },
        MAINTENANCE: [{ id: "w", title: EVIL.work, from: "2026-01-01T02:00Z", to: "2026-01-01T03:00Z" }],
      },
    },
  );
  for (let minute = 0; minute < 9; minute += 1) {
    liar.now = edge.now;
    await edge.tick();
  }
  incidents = (await edge.readIncidents()).map((it) => it.id);
  for (const id of incidents) {
    const noted = await edge.requestAsAdmin("POST", `/admin/incidents/${id}`, { note: EVIL.note });
    assert.equal(noted.status, 200, await noted.text());
  }
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await liar?.stop();
  await rude?.stop();
});

test("the edge knows an out-of-memory kill with hostile evidence, and an outage", async () => {
  assert.ok(
    incidents.some((id) => id.startsWith("liar-")) && incidents.some((id) => id.startsWith("rude-")),
    `${incidents}`,
  );
  const { last_exit } = await edge.readMonitor("liar");
  assert.equal(last_exit.kind, "oom_kill");
  assert.match(last_exit.evidence[0], /fired\(9\)/);
});

test("a browser runs none of it and creates no element from it, even without the pages' own policy", async () => {
  const paths = ["/", "/?lang=de", "/monitors/liar", "/monitors/rude", ...incidents.map((id) => `/incidents/${id}`)];
  const pictures = [
    "/badge/liar.svg",
    "/badge/rude.svg?style=for-the-badge",
    `/badge/label.svg?label=${encodeURIComponent(EVIL.name)}`,
  ];
  const others = [
    "/preview.svg",
    "/feed.atom",
    "/feed.rss",
    "/metrics",
    "/api/v1/status",
    "/api/v1/monitors/%3Cscript%3E",
  ];
  for (const path of [...paths, ...pictures, ...others]) {
    for (const bypassCSP of [false, true]) {
      const context = await browser.newContext({ bypassCSP });
      const page = await context.newPage();
      /** @type {unknown[]} */ const fired = [];
      await page.exposeFunction("fired", (/** @type {unknown} */ number) => fired.push(number));
      page.on("dialog", (dialog) => fired.push(dialog.message()));
      await page.goto(edge.url + path, { waitUntil: "load" });
      const foreign = await page.evaluate(() =>
        [...document.querySelectorAll("*")]
          .filter(
            (it) => /^(iframe|b|x:script)$/i.test(it.tagName) || [...it.attributes].some((a) => /^on/i.test(a.name)),
          )
          .map((it) => it.outerHTML.slice(0, 100)),
      );
      const scripts = await page.evaluate(() =>
        [...document.querySelectorAll("script")].map((it) => it.getAttribute("src") ?? it.textContent),
      );
      assert.deepEqual(
        foreign.filter((it) => !/^<b>\w+ \d+, \d{4}<\/b>$/.test(it)),
        [],
        path,
      );
      for (const script of scripts) assert.match(String(script), /^\/page\.js\?|^try\{const t=localStorage/, path);
      assert.deepEqual(fired, [], path);
      await context.close();
    }
  }
});

test("another site cannot frame a page, or load a response as a script or a style sheet", async (t) => {
  const paths = [
    "/api/v1/status",
    "/feed.atom",
    "/metrics",
    "/badge/liar.svg",
    "/calendar.ics",
    "/api/v1/openapi.json",
    "/x",
  ];
  // The elements fire `load` when they get what they need, and `error` otherwise.
  const recordEvents = `<script>done = { loaded: [], failed: [] };
    for (const [event, list] of [["load", "loaded"], ["error", "failed"]])
      addEventListener(event, ({ target }) => /SCRIPT|LINK/.test(target.tagName) && done[list].push(target.outerHTML), true);
  </script>`;
  const evil = await Target.start((_, response) => {
    response.setHeader("content-type", "text/html");
    const tags = paths.map(
      (path) => `<script src="${edge.url}${path}"></script><link rel=stylesheet href="${edge.url}${path}">`,
    );
    response.end(`<!doctype html>${recordEvents}<iframe src="${edge.url}/"></iframe>${tags.join("")}`);
  });
  t.after(() => evil.stop());
  const page = await browser.newPage();
  /** @type {string[]} */ const messages = [];
  page.on("console", (message) => messages.push(message.text()));
  // `localhost` is another site than 127.0.0.1.
  await page.goto(evil.url.replace("127.0.0.1", "localhost"), { waitUntil: "load" });
  assert.ok(
    messages.some((it) => /frame-ancestors/.test(it)),
    messages.join("\n"),
  );
  const { failed, loaded } = await page.evaluate(() => /** @type {any} */ (globalThis).done);
  assert.deepEqual([loaded, failed.length], [[], paths.length * 2], `${failed}`);
  await page.close();
});

test("a person reads it as it was written", async () => {
  const { page, errors, close } = await openPage(browser, `${edge.url}/`, { viewport: { width: 900, height: 900 } });
  const text = await readVisibleText(page);
  for (const written of [EVIL.name, EVIL.other, EVIL.group, EVIL.title, EVIL.link, EVIL.label]) {
    assert.ok(text.includes(written), written);
  }
  assert.ok((await page.title()).includes(EVIL.title));
  assert.deepEqual(errors, []);
  await close();
});

test("feeds and images are well-formed and have no foreign elements", async () => {
  const page = await browser.newPage();
  for (const path of [
    "/feed.atom",
    "/feed.rss",
    "/badge/liar.svg",
    "/badge/rude.svg",
    "/badge/label.svg",
    "/preview.svg",
  ]) {
    const xml = await edge.readText(path);
    const { error, names } = await page.evaluate((xml) => {
      const document = new DOMParser().parseFromString(xml, "application/xml");
      const all = [...document.querySelectorAll("*")];
      return { error: document.querySelector("parsererror")?.textContent, names: all.map((it) => it.nodeName) };
    }, xml);
    assert.equal(error, undefined, path);
    const foreign = names.filter((name) => /(^|:)(script|img|iframe|b)$/i.test(name));
    assert.deepEqual(foreign, [], path);
  }
  await page.close();
});

test("JSON, metrics and the calendar contain it as text", async () => {
  const { monitors } = await edge.readStatus();
  assert.deepEqual(
    monitors.map((/** @type {any} */ it) => it.name),
    [EVIL.name, EVIL.other, EVIL.label],
  );
  for (const accept of ["text/plain", "application/openmetrics-text"]) {
    const metrics = await (await edge.request("/metrics", { headers: { accept } })).text();
    const label = String.raw`[a-z_]+="(?:[^"\\]|\\["\\n])*"`;
    const sample = new RegExp(String.raw`^[a-z_]+(\{${label}(,${label})*\})? [0-9.e+-]+$`);
    for (const line of metrics.trimEnd().split("\n")) assert.ok(line.startsWith("# ") || sample.test(line), line);
    assert.equal(metrics.match(/^heapbeat_monitor_up\{/gm)?.length, 3);
  }
  const calendar = await edge.readText("/calendar.ics");
  const names = calendar
    .replaceAll("\r\n ", "")
    .trimEnd()
    .split("\r\n")
    .map((line) => line.split(/[:;]/)[0]);
  assert.ok(!names.includes("ATTENDEE") && !names.includes("X-EVIL"), `${names}`);
  assert.equal(names.filter((name) => name === "BEGIN").length, names.filter((name) => name === "END").length);
  assert.equal(names.filter((name) => name === "SUMMARY").length, 1);
});

test("none of it becomes a header", async () => {
  const injected = "x%0d%0aX-Injected:%201%0d%0a%0d%0a%3Cscript%3E";
  const paths = [
    ...["/", "/api/v1/status", "/api/v1/incidents?limit=1", `/incidents/${incidents[0]}`, "/feed.atom"],
    ...[`/?lang=${injected}`, `/monitors/liar?range=${injected}`, `/monitors/liar?from=${injected}&to=2`],
    ...[`/api/v1/incidents?before=${injected}`, `/badge/liar.svg?label=${injected}`, `/badge/${injected}.svg`],
    ...[`/api/v1/monitors/liar/uptime?window=${injected}`, `/${injected}`, `/monitors/${injected}`],
  ];
  for (const path of paths) {
    const { head, body } = await sendRaw(edge.url, path);
    assert.doesNotMatch(head, /^x-(evil|injected)/im, path);
    assert.doesNotMatch(head, /fired|<script/, path);
    assert.doesNotMatch(body, /^X-Injected/m, path);
  }
});

test("an export has one row on each line, and a note is returned without the mark that reverses text", async () => {
  const tables = new Set();
  for (const page of await edge.exportPages()) {
    const rows = page
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const { table } of rows) tables.add(table);
    assert.notEqual(rows.at(-1).next, "1-1", "the position in a note is not taken for the next page");
  }
  assert.ok(tables.has("incident"), `${[...tables]}`);
  const incident = await edge.readJson(`/api/v1/incidents/${incidents[0]}`);
  const note = `note: ${EVIL.note.replace("\u202e", "")}`;
  assert.ok(incident.timeline.some((/** @type {any} */ it) => it.message === note));
});

test("the log has one event on each line, and strangers cannot write to it", async () => {
  await edge.injectFault("hub-0");
  const line = "%0a2026-01-01 hub: all is well %0d%0a fired(12)";
  for (const path of [
    `/monitors/liar?range=${line}`,
    `/incidents/x${line}`,
    `/api/v1/incidents?before=${line}`,
    `/${line}`,
  ]) {
    await sendRaw(edge.url, path.replaceAll(" ", "%20"), { headers: [`X-A: fired(12)`, `User-Agent: fired(12)`] });
  }
  await sendRaw(edge.url, "/");
  await edge.clearFault();
  assert.ok(
    log.some((message) => message.includes("hub-0")),
    "the failure is logged",
  );
  for (const message of log) {
    assert.doesNotMatch(message, /fired\((9|11|12)\)|X-Evil|all is well/, "nothing that a stranger sent is logged");
    assert.doesNotMatch(message, /[\r\n]/, message);
  }
});

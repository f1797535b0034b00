// What the pages say in every state, in a real Chromium: the sentence at the top is right, nothing is in the console, nothing
// is too wide, and axe finds nothing; light and dark, narrow and wide, with and without JavaScript, in two languages. A past
// of ninety days is in page/status-page.test.mjs.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launchBrowser } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { findFreePort, renderHealth, Target } from "../support/target.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SCREENSHOTS;
const WIDTHS = [320, 768, 1440];
const SCHEMES = /** @type {const} */ (["light", "dark"]);

/** Nothing falls out of date while the test looks at it. */
const SLOW = { interval: "1h", "failure-threshold": 1 };

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** @type {Target} */ let mute;
let gone = "";

before(async () => {
  browser = await launchBrowser();
  target = await Target.start((_, response) => response.end(renderHealth({ rss: 151 })));
  mute = await Target.start(() => {});
  gone = `http://127.0.0.1:${await findFreePort()}/`;
});

after(async () => {
  await browser?.close();
  await target?.stop();
  await mute?.stop();
});

const shop = () => [
  defineMonitor("api", target.url, { ...SLOW, name: "API", group: "Backend" }),
  defineMonitor("web", target.url, { ...SLOW, name: "Website", kind: "http", group: "Shop" }),
  defineMonitor("pay", target.url, { ...SLOW, name: "Payments", kind: "http", group: "Shop" }),
];

/** With one of them gone for good. */
const limping = () => shop().map((it) => (it.id === "pay" ? { ...it, url: gone } : it));

/** @typedef {{ path: string, status?: number, en: [RegExp, ...RegExp[]], de: [RegExp, ...RegExp[]] }} Expected the headline, and what else is seen */

/**
 * How a state comes about, and what its pages say.
 * @type {Record<string, { start: () => Promise<Edge>, pages: () => Expected[] }>}
 */
const STATES = {
  "all up": {
    start: async () => ticked(await Edge.start(shop()), 2),
    pages: () => [
      { path: "/", en: [/^Everything is up$/, /151\s*MB/], de: [/^Alles läuft$/, /151\s*MB/] },
      {
        path: "/monitors/api",
        en: [/^API: Up$/, /No incident is known/],
        de: [/^API: Läuft$/, /keine Störung|Keine Störung/],
      },
    ],
  },
  "one is down": {
    start: async () => ticked(await Edge.start(limping()), 2),
    pages: () => [
      {
        path: "/",
        en: [/^Payments is down$/, /Open incidents/, /the connection was refused/],
        de: [/^Payments ist ausgefallen$/, /Offene Störungen/, /Verbindung/],
      },
      {
        path: "/monitors/pay",
        en: [/^Payments: Down$/, /still going on/],
        de: [/^Payments: Ausgefallen$/, /Verbindung/],
      },
      {
        path: `/incidents/pay-${Date.UTC(2026, 0, 1) / 1000}`,
        en: [/^Payments: the connection was refused$/, /still going on/, /Timeline/],
        de: [/^Payments: die Verbindung wurde abgelehnt$/, /Verlauf/],
      },
    ],
  },
  "all are down": {
    start: async () => ticked(await Edge.start(shop().map((it) => ({ ...it, url: gone }))), 1),
    pages: () => [{ path: "/", en: [/^All 3 are down$/], de: [/^Alle 3 sind ausgefallen$/] }],
  },
  maintenance: {
    start: async () => {
      const work = {
        id: "move",
        title: "We move to another house",
        from: "2026-01-01T00:00Z",
        to: "2026-01-01T05:00Z",
        monitors: ["pay"],
      };
      return ticked(await Edge.start(limping(), { vars: { MAINTENANCE: [work] } }), 2);
    },
    pages: () => [
      {
        path: "/",
        en: [/^Payments is under maintenance$/, /We move to another house\s+.*· Payments/],
        de: [/^Payments wird gewartet$/, /We move to another house/],
      },
      { path: "/monitors/pay", en: [/^Payments: Maintenance$/], de: [/^Payments: Wartung$/] },
    ],
  },
  "no data yet": {
    start: async () => Edge.start(shop()),
    pages: () => [
      {
        path: "/",
        en: [/^Nothing was observed yet$/, /a minute at the most/, /no data/],
        de: [/^Noch wurde nichts beobachtet$/, /keine/],
      },
      { path: "/monitors/api", en: [/^API: Not observed$/, /no data/], de: [/^API: Nicht beobachtet$/] },
    ],
  },
  "nothing to watch": {
    start: async () => Edge.start([]),
    pages: () => [
      {
        path: "/",
        en: [/^Nothing is watched yet$/, /Add what to watch/],
        de: [/^Noch wird nichts beobachtet$/, /wrangler\.toml/],
      },
    ],
  },
  "the edge is blind": {
    start: async () => {
      const silent = { kind: "http", timeout: "300ms", "failure-threshold": 1 };
      const other = mute.url.replace("127.0.0.1", "localhost");
      const list = [
        defineMonitor("api", mute.url, { ...silent, name: "API" }),
        defineMonitor("web", other, { ...silent, name: "Website" }),
      ];
      return ticked(await Edge.start(list, { vars: { REFERENCES: mute.url } }), 1);
    },
    pages: () => [
      {
        path: "/",
        en: [/^Nobody is watching at the moment$/, /Everything has failed at once since/],
        de: [/^Im Moment sieht niemand hin$/],
      },
      {
        path: "/monitors/api",
        en: [/^API: Not observed$/, /it is the edge that cannot see/],
        de: [/^API: Nicht beobachtet$/],
      },
    ],
  },
  "a hub fails": {
    start: async () => {
      const edge = await ticked(await Edge.start(shop(), { faultInjection: true }), 1);
      await edge.injectFault("hub-0");
      return edge;
    },
    pages: () =>
      ["/", "/monitors/api"].map((path) => ({
        path,
        status: 503,
        en: [/^The status cannot be read at the moment$/, /Watching goes on/],
        de: [/^Der Stand ist im Moment nicht zu lesen$/, /Beobachtet wird weiter/],
      })),
  },
};

/** @param {Edge} edge @param {number} times @param {number} [minutes] */
async function ticked(edge, times, minutes = 60) {
  for (let n = 0; n < times; n += 1) await edge.tick(minutes);
  return edge;
}

for (const [state, { start, pages }] of Object.entries(STATES)) {
  test(state, { timeout: 180_000 }, async (t) => {
    const edge = await start();
    t.after(() => edge.stop());
    for (const locale of /** @type {const} */ (["en", "de"])) {
      for (const javaScriptEnabled of [true, false]) {
        for (const expected of pages()) {
          const shot = `${state}-${expected.path.replaceAll("/", "_")}-${locale}-${javaScriptEnabled}`.replaceAll(
            " ",
            "-",
          );
          await look({ edge, ...expected, said: expected[locale], locale, javaScriptEnabled, shot });
        }
      }
    }
  });
}

/**
 * Loads a page once and looks at it in every light and from every distance.
 * @param {{ edge: Edge, path: string, status?: number, said: RegExp[], locale: string, javaScriptEnabled: boolean,
 *   shot: string }} what
 */
async function look({ edge, path, status = 200, said, locale, javaScriptEnabled, shot }) {
  const context = await browser.newContext({ locale, javaScriptEnabled, timezoneId: "UTC" });
  const page = await context.newPage();
  const named = `${path}, ${locale}, ${javaScriptEnabled ? "with" : "without"} JavaScript`;
  /** @type {string[]} */ const trouble = [];
  page.on("console", (message) => trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(String(error)));
  const answer = await page.goto(edge.url + path, { waitUntil: "networkidle" });
  assert.equal(answer?.status(), status, named);
  // A browser says of a page that it failed, which is what is wanted here.
  if (status >= 400) trouble.splice(0, trouble.length, ...trouble.filter((it) => !it.includes(`status of ${status}`)));
  const [headline, ...more] = said;
  assert.match(String(await page.locator("h1").textContent()), headline, named);
  assert.match(await page.title(), new RegExp(`${headline.source.slice(1, -1)} · Status`), named);
  // biome-ignore lint/performance/useDomNodeTextContent: what a person sees
  const text = await page.locator("body").innerText();
  for (const pattern of more) assert.match(text, pattern, named);
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${named}: ${overflow} px too wide at ${width}`);
      if (SHOTS) {
        mkdirSync(SHOTS, { recursive: true });
        await page.screenshot({ path: `${SHOTS}/${shot}-${colorScheme}-${width}.png`, fullPage: true });
      }
      // Colours are those of the scheme, sizes those of the width: each of them once.
      if (javaScriptEnabled && `${colorScheme} ${width}` in { "light 320": 1, "dark 1440": 1 })
        assert.deepEqual(await violations(page), [], `${named}, ${colorScheme}, ${width} px`);
    }
  }
  assert.deepEqual(trouble, [], named);
  await context.close();
}

/** What axe finds. @param {import("playwright-core").Page} page @returns {Promise<string[]>} */
async function violations(page) {
  // Given to the page by the test, and so no matter of the page's policy.
  await page.evaluate(`globalThis.axe ?? (() => {${axe}})()`);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run();
    return violations.map(
      (/** @type {any} */ it) => `${it.id}: ${it.nodes.slice(0, 3).map((/** @type {any} */ n) => n.html)}`,
    );
  });
}

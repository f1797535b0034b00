// The texts of the pages in every state, in a real Chromium and in every layout. Pages with ninety days of history are in
// status-page.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { BROWSERS, checkLayouts, describeBrowser } from "../support/layouts.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";

/** The results of a long interval stay valid while the test reads the pages. */
const SLOW = { interval: "1h", "failure-threshold": 1 };

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** Closes every connection without an answer. @type {Target} */ let silentTarget;

before(async () => {
  browser = await launchBrowser();
  target = await Target.startHealthy({ rss: 151 });
  silentTarget = await Target.start((request) => void request.socket.destroy());
});

after(async () => {
  await browser?.close();
  await target?.stop();
  await silentTarget?.stop();
});

const defineShop = () => [
  defineMonitor("api", target.url, { ...SLOW, name: "API", group: "Backend" }),
  defineMonitor("web", target.url, { ...SLOW, name: "Website", kind: "http", group: "Shop" }),
  defineMonitor("pay", target.url, { ...SLOW, name: "Payments", kind: "http", group: "Shop" }),
];

/** The shop, with one monitor whose target refuses connections. */
const defineBrokenShop = () => defineShop().map((it) => (it.id === "pay" ? { ...it, url: REFUSED_URL } : it));

/** @typedef {{ path: string, status?: number, en: [RegExp, ...RegExp[]], de: [RegExp, ...RegExp[]] }} ExpectedPage the headline and other texts */

/**
 * How to bring about a state, and the texts of its pages.
 * @type {Record<string, { start: () => Promise<Edge>, pages: () => ExpectedPage[] }>}
 */
const STATES = {
  "all monitors are up": {
    start: async () => runTicks(await Edge.start(defineShop()), 2),
    pages: () => [
      { path: "/", en: [/^All systems operational$/, /151\s*MB/], de: [/^Alle Systeme verfügbar$/, /151\s*MB/] },
      {
        path: "/monitors/api",
        en: [/^API: Operational$/, /No incidents reported/],
        de: [/^API: Verfügbar$/, /Keine Störungen gemeldet/],
      },
    ],
  },
  "one monitor is down": {
    start: async () => runTicks(await Edge.start(defineBrokenShop()), 2),
    pages: () => [
      {
        path: "/",
        en: [/^Payments is down$/, /Active incidents/, /connection refused/],
        de: [/^Payments ist ausgefallen$/, /Aktuelle Störungen/, /Verbindung/],
      },
      {
        path: "/monitors/pay",
        en: [/^Payments: Major outage$/, /Investigating/],
        de: [/^Payments: Größerer Ausfall$/, /Verbindung/],
      },
      {
        path: `/incidents/pay-${Date.UTC(2026, 0, 1) / 1000}`,
        en: [/^Payments: connection refused$/, /Investigating/, /Timeline/],
        de: [/^Payments: Verbindung abgelehnt$/, /Verlauf/],
      },
    ],
  },
  "all monitors are down": {
    start: async () => runTicks(await Edge.start(defineShop().map((it) => ({ ...it, url: REFUSED_URL }))), 1),
    pages: () => [
      {
        path: "/",
        en: [/^Major outage: all 3 services are down$/],
        de: [/^Größerer Ausfall: alle 3 Dienste sind ausgefallen$/],
      },
    ],
  },
  "a monitor is under maintenance": {
    start: async () => {
      const window = {
        id: "move",
        title: "We move to another house",
        from: "2026-01-01T00:00Z",
        to: "2026-01-01T05:00Z",
        monitors: ["pay"],
      };
      return runTicks(await Edge.start(defineBrokenShop(), { vars: { MAINTENANCE: [window] } }), 2);
    },
    pages: () => [
      {
        path: "/",
        en: [/^Payments is under maintenance$/, /We move to another house\s+.*· Payments/],
        de: [/^Payments wird gewartet$/, /We move to another house/],
      },
      { path: "/monitors/pay", en: [/^Payments: Under maintenance$/], de: [/^Payments: In Wartung$/] },
    ],
  },
  "no tick has run": {
    start: async () => Edge.start(defineShop()),
    pages: () => [
      {
        path: "/",
        en: [/^Waiting for the first check$/, /within one minute/, /No data/],
        de: [/^Erste Prüfung steht noch aus$/, /Keine Daten/],
      },
      { path: "/monitors/api", en: [/^API: No data$/, /No data/], de: [/^API: Keine Daten$/] },
    ],
  },
  "no monitor is configured": {
    start: async () => Edge.start([]),
    pages: () => [
      {
        path: "/",
        en: [/^No monitors configured$/, /Add your first monitor/],
        de: [/^Keine Dienste eingerichtet$/, /wrangler\.toml/],
      },
    ],
  },
  "the edge is offline": {
    start: async () => {
      const silent = { kind: "http", "failure-threshold": 1 };
      const otherHost = silentTarget.url.replace("127.0.0.1", "localhost");
      const list = [
        defineMonitor("api", silentTarget.url, { ...silent, name: "API" }),
        defineMonitor("web", otherHost, { ...silent, name: "Website" }),
      ];
      return runTicks(await Edge.start(list, { vars: { REFERENCES: silentTarget.url } }), 1);
    },
    pages: () => [
      {
        path: "/",
        en: [
          /^Monitoring is interrupted: no data since .+$/,
          /Monitoring has been interrupted since .+: all checks failed at the same time/,
        ],
        de: [/^Überwachung unterbrochen: keine Daten seit .+$/, /alle Prüfungen schlugen gleichzeitig fehl/],
      },
      {
        path: "/monitors/api",
        en: [/^API: No data$/, /monitoring is interrupted, as all checks failed/],
        de: [/^API: Keine Daten$/],
      },
    ],
  },
  "a hub fails": {
    start: async () => {
      const edge = await runTicks(await Edge.start(defineShop(), { faultInjection: true }), 1);
      await edge.injectFault("hub-0");
      return edge;
    },
    pages: () =>
      ["/", "/monitors/api"].map((path) => ({
        path,
        status: 503,
        en: [/^Status is temporarily unavailable$/, /Monitoring continues/],
        de: [/^Der Status ist vorübergehend nicht abrufbar$/, /Die Überwachung läuft weiter/],
      })),
  },
};

/** Runs ticks, an hour apart, and returns the edge. @param {Edge} edge @param {number} count */
async function runTicks(edge, count) {
  for (let n = 0; n < count; n += 1) await edge.tick(60);
  return edge;
}

for (const [state, { start, pages }] of Object.entries(STATES)) {
  test(`pages when ${state}`, async (t) => {
    const edge = await start();
    t.after(() => edge.stop());
    for (const options of BROWSERS) {
      for (const { path, status, ...expected } of pages()) {
        const name = `${state}-${path}`.replaceAll(/[ /]/g, "_");
        const texts = await checkLayouts(browser, edge.url + path, { ...options, status, name });
        const [headline, ...others] = expected[options.locale];
        const context = `${path}, ${describeBrowser(options)}`;
        assert.match(texts.headline, headline, context);
        assert.match(texts.title, new RegExp(`${headline.source.slice(1, -1)} · Status`), context);
        for (const pattern of others) assert.match(texts.body, pattern, context);
      }
    }
  });
}

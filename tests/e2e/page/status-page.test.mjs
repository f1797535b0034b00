// The pages in a real Chromium, with ninety days of history: content, layouts, interaction, languages, print and size.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { launchBrowser, openPage, readVisibleText } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { BROWSERS, checkLayouts, describeBrowser } from "../support/layouts.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";

/** The results of a long interval stay valid while the tests read the pages. */
const SLOW = { interval: "10m" };

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** Two monitors; one is down and has a hostile name. @type {Edge} */ let smallEdge;
/** Fifty monitors with ninety days of history. @type {Edge} */ let largeEdge;
/** An out-of-memory incident of `largeEdge`. */ let incident = "";

before(async () => {
  browser = await launchBrowser();
  target = await Target.startHealthy({ rss: 151 });
  smallEdge = await Edge.start(
    [
      defineMonitor("api", target.url, { ...SLOW, group: "Backend" }),
      defineMonitor("gone", REFUSED_URL, { ...SLOW, "failure-threshold": 1, name: "<i>Gone</i> & co" }),
    ],
    { vars: { PAGE: { title: "Example <b>", links: [{ name: "Help", url: "https://example.com/help" }] } } },
  );
  for (let i = 0; i < 5; i += 1) await smallEdge.tick(10);
  largeEdge = await Edge.start([]);
  await seedHistory(largeEdge, { monitors: 50, days: 90 });
  const incidents = await largeEdge.readIncidents();
  incident = incidents.find((it) => it.id.startsWith("m00-") && /memory/.test(it.cause)).id;
});

after(async () => {
  await browser?.close();
  await smallEdge?.stop();
  await largeEdge?.stop();
  await target?.stop();
});

/**
 * The three pages and their texts in English and in German. No tick runs here, so after a while the last state is outdated.
 */
const definePages = () => [
  {
    name: "status",
    path: "/",
    en: [/Active incidents/, /Uptime 90 d/i],
    de: [/Aktuelle Störungen/, /Verfügbarkeit 90/],
  },
  {
    name: "monitor",
    path: "/monitors/m00",
    en: [
      /API: (Operational|No data)/,
      /out of memory: killed by the kernel \(OOM\)/,
      /of 512 MB/,
      /Response time/,
      /Days with incidents/,
    ],
    de: [
      /API: (Verfügbar|Keine Daten)/,
      /Speicher erschöpft: vom Kernel beendet \(OOM\)/,
      /von 512 MB/,
      /Antwortzeit/,
      /Tage mit Störungen/,
    ],
  },
  {
    name: "incident",
    path: `/incidents/${incident}`,
    en: [
      /API: out of memory/,
      /Memory before and during the incident/,
      /memory pressure changed from normal to elevated/,
    ],
    de: [/API: Speicher erschöpft/, /Speicher vor und während der Störung/, /Speicherdruck von normal auf erhöht/],
  },
];

for (const name of ["status", "monitor", "incident"]) {
  for (const options of BROWSERS) {
    test(`the ${name} page has its texts and fits every layout: ${describeBrowser(options)}`, async () => {
      const { path, ...expected } = definePages().find((it) => it.name === name) ?? assert.fail(name);
      const texts = await checkLayouts(browser, largeEdge.url + path, { ...options, name });
      assert.match(texts.body, /日本語/, "the footer is there");
      for (const pattern of expected[options.locale]) assert.match(texts.body, pattern);
    });
  }
}

test("states, memory and reasons are shown, and names are text", async () => {
  const { page, errors, close } = await openPage(browser, `${smallEdge.url}/`, {
    viewport: { width: 800, height: 900 },
  });
  const text = await readVisibleText(page);
  for (const pattern of [/151\s*MB/, /<i>Gone<\/i> & co is down/, /Example <b>/, /connection refused/]) {
    assert.match(text, pattern);
  }
  assert.equal(await page.title(), "<i>Gone</i> & co is down · Example <b>");
  assert.match(String(await page.getAttribute("link[rel=icon]", "href")), /down\.svg$/);
  assert.equal(await page.getAttribute("a:text('Help')", "href"), "https://example.com/help");
  for (const feed of ["/feed.atom", "/feed.rss"])
    assert.match(await smallEdge.readText(feed), /<title>Example &lt;b&gt;<\/title>/);
  assert.deepEqual(errors, []);
  await close();
});

test("print is dark on white without navigation, and reduced motion has no transitions", async () => {
  const { page, close } = await openPage(browser, `${smallEdge.url}/`, { colorScheme: "dark" });
  await page.evaluate(() => {
    document.documentElement.dataset.theme = "dark";
  });
  const readStyle = (/** @type {string} */ of, /** @type {string} */ name) =>
    page
      .locator(of)
      .first()
      .evaluate((it, name) => getComputedStyle(it).getPropertyValue(name), name);
  const readLightness = async () => Number(/\d+/.exec(await readStyle("body", "color"))?.[0]);
  assert.ok((await readLightness()) > 200, "light on dark on the screen");
  await page.emulateMedia({ media: "print" });
  assert.ok((await readLightness()) < 60, await readStyle("body", "color"));
  assert.equal(await readStyle("body", "background-color"), "rgba(0, 0, 0, 0)");
  assert.equal(await readStyle(".card", "break-inside"), "avoid");
  assert.deepEqual(
    [await page.locator(".links").first().isVisible(), await page.locator(".card").first().isVisible()],
    [false, true],
  );
  await page.emulateMedia({ media: "screen", reducedMotion: "no-preference" });
  assert.equal(await readStyle(".bars rect", "transition-duration"), "0.1s");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await readStyle(".bars rect", "transition-duration"), "0s");
  await close();
});

test("a bar opens its day, a range is selected, a chart shows its values, and the theme is remembered", async () => {
  const { page, errors, close } = await openPage(browser, `${largeEdge.url}/`, {
    viewport: { width: 1200, height: 900 },
  });
  const day = page.locator('.bars a[href*="/monitors/m00"]').last();
  await day.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/monitors\/m00#day-\d{4}-\d\d-\d\d$/);
  assert.equal(await page.locator("li:target").count(), 1);
  await page.click("a:text('7 d')");
  await page.waitForURL(/range=7d/);
  assert.equal(await page.getAttribute("a:text('7 d')", "aria-current"), "true");
  const chart = page.locator("[data-chart] svg").first();
  await chart.hover({ position: { x: 300, y: 80 } });
  assert.match(String(await page.locator("[data-chart] .tooltip").first().textContent()), /Resident \d+ MB/);
  const box = await chart.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 200, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 400, box.y + 50);
  await page.mouse.up();
  await page.waitForURL(/from=\d+&to=\d+/);
  await page.click("[data-theme-switch]");
  await page.click("[data-theme-switch]");
  await page.reload();
  assert.equal(await page.getAttribute("html", "data-theme"), "dark");
  assert.deepEqual(errors, []);
  await close();
});

test("the latency chart of the first hour has a value for each tick", async () => {
  const page = await smallEdge.readText("/monitors/api?range=1h");
  const latency = page.split('id="latency"')[1] ?? assert.fail(page);
  assert.equal(latency.match(/<tr data-at=/g)?.length, 5);
});

test("the page of a monitor that is younger than an hour shows an hour, and a day of others", async () => {
  const readShown = async (/** @type {string} */ path, edge = smallEdge) =>
    /<a href="\?range=(\w+)" aria-current="true">/.exec(await edge.readText(path))?.[1];
  assert.equal(await readShown("/monitors/api"), "1h");
  assert.equal(await readShown("/monitors/api?range=24h"), "24h");
  assert.equal(await readShown("/monitors/m00", largeEdge), "24h");
});

test("the language follows the browser unless another one is chosen", async () => {
  const readLanguages = async (/** @type {string} */ path, /** @type {string} */ accept) => {
    const response = await smallEdge.request(path, { headers: { "accept-language": accept } });
    assert.match(String(response.headers.get("vary")), /accept-language/i);
    return [response.headers.get("content-language"), (await response.text()).match(/<html lang="(..)"/)?.[1]];
  };
  assert.deepEqual(await readLanguages("/", "fr-CH, de;q=0.5"), ["fr", "fr"]);
  assert.deepEqual(await readLanguages("/?lang=ja", "fr"), ["ja", "ja"]);
  assert.deepEqual(await readLanguages("/?lang=../x", "zh"), ["zh", "zh"]);
});

test("fifty monitors with ninety days take at most 40 kB, 60 kB with the script, and one blocking request", async () => {
  const measureGzipped = async (/** @type {string} */ path) => {
    const response = await largeEdge.request(path);
    assert.equal(response.status, 200, path);
    return gzipSync(Buffer.from(await response.arrayBuffer())).length;
  };
  const page = await largeEdge.readText("/");
  assert.equal(page.match(/<article class="card/g)?.length, 50);
  const style = page.match(/href="(\/style\.css[^"]*)"/)?.[1] ?? assert.fail("no style");
  const script = page.match(/src="(\/page\.js[^"]*)"/)?.[1] ?? assert.fail("no script");
  const withoutScript = (await measureGzipped("/")) + (await measureGzipped(style));
  const withScript = withoutScript + (await measureGzipped(script));
  assert.ok(withoutScript <= 40_000 && withScript <= 60_000, `${withoutScript} and ${withScript} bytes`);
  assert.equal(page.match(/<link rel="stylesheet"/g)?.length, 1);
  assert.ok(!/<script src="[^"]*"(?! defer)/.test(page));
});

test("an empty edge and a failing hub each have a page that says so", async (t) => {
  const empty = await Edge.start([]);
  t.after(() => empty.stop());
  const { page, errors, close } = await openPage(browser, `${empty.url}/`, {});
  assert.match(await readVisibleText(page), /No monitors configured[\s\S]*Add your first monitor/);
  assert.deepEqual(errors, []);
  await close();
  const broken = await Edge.start([defineMonitor("api", target.url)], { faultInjection: true });
  t.after(() => broken.stop());
  await broken.injectFault("hub-0");
  const response = await broken.request("/");
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get("retry-after")) > 0);
  assert.match(await response.text(), /Status is temporarily unavailable/);
});

test("pages of unknown monitors and incidents are 404", async () => {
  for (const path of ["/monitors/none", "/monitors/", "/monitors/a/b", "/incidents/api-1", "/incidents/x"]) {
    assert.equal((await smallEdge.request(path)).status, 404, path);
  }
  const headers = { accept: "text/html,*/*;q=0.8", "accept-language": "de" };
  const page = await smallEdge.request("/monitors/none", { headers });
  assert.deepEqual([page.status, page.headers.get("content-language")], [404, "de"]);
  assert.match(await page.text(), /<a href="?\/"?>Zur Statusseite<\/a>/);
});

// The pages in a real Chromium: light and dark, narrow and wide, with and without JavaScript, in two languages, for a past of
// ninety days; nothing in the console, and axe finds nothing.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { findFreePort, renderHealth, Target } from "../support/target.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SCREENSHOTS;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** Three monitors of which one is gone and has a hostile name. @type {Edge} */ let few;
/** Fifty monitors and ninety days. @type {Edge} */ let many;
/** Of `many`: an incident for want of memory. */ let incident = "";

before(async () => {
  browser = await launchBrowser();
  target = await Target.start((_, response) => response.end(renderHealth({ rss: 151 })));
  few = await Edge.start(
    [
      // What is asked seldom is known for longer than these tests take.
      defineMonitor("api", target.url, { interval: "10m", group: "Backend" }),
      defineMonitor("gone", `http://127.0.0.1:${await findFreePort()}`, {
        interval: "10m",
        "failure-threshold": 1,
        name: "<i>Gone</i> & co",
      }),
    ],
    { vars: { PAGE: { title: "Example <b>", links: [{ name: "Help", url: "https://example.com/help" }] } } },
  );
  for (let i = 0; i < 5; i += 1) await few.tick(10);
  many = await Edge.start([]);
  await seedHistory(many, { monitors: 50, days: 90 });
  const answer = await fetch(`${many.url}/api/v1/incidents?limit=100`);
  const { incidents } = /** @type {any} */ (await answer.json());
  incident = incidents.find((/** @type {any} */ it) => it.id.startsWith("m00-") && /memory/.test(it.cause)).id;
});

after(async () => {
  await browser?.close();
  await few?.stop();
  await many?.stop();
  await target?.stop();
});

/** What a person reads. @param {import("playwright-core").Page} page */
// biome-ignore lint/performance/useDomNodeTextContent: what a person sees, not what the document holds
const seen = (page) => page.evaluate(() => document.body.innerText);

/** The three pages (nobody ticks, so after a while the past is all that is known): where, and what is on it in English and in German. */
const pages = () => [
  { name: "status", path: "/", en: [/Open incidents/, /Uptime 90 d/i], de: [/Offene Störungen/, /Verfügbarkeit 90/] },
  {
    name: "monitor",
    path: "/monitors/m00",
    en: [
      /API: (Up|Not observed)/,
      /killed by the kernel for want of memory/,
      /of 512 MB/,
      /Latency/,
      /Days with trouble/,
    ],
    de: [
      /API: (Läuft|Nicht beobachtet)/,
      /vom Kernel aus Speichermangel beendet/,
      /von 512 MB/,
      /Antwortzeit/,
      /Tage mit Störungen/,
    ],
  },
  {
    name: "incident",
    path: `/incidents/${incident}`,
    en: [/API: it ran out of memory/, /Memory before it/, /pressure went from calm to alert/],
    de: [/API: der Speicher ging aus/, /Der Speicher davor/, /pressure went from calm to alert/],
  },
];

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const width of [320, 768, 1440]) {
    for (const locale of /** @type {const} */ (["en", "de"])) {
      for (const javaScriptEnabled of [true, false]) {
        test(`${colorScheme}, ${width} px, ${locale}, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async () => {
          for (const { name, path, ...expected } of pages()) {
            const viewport = { width, height: 900 };
            const options = { colorScheme, viewport, locale, javaScriptEnabled, timezoneId: "UTC" };
            const { page, errors, close } = await openPage(browser, many.url + path, options);
            const text = await seen(page);
            assert.match(text, /日本語/, `${name} has its end`);
            for (const pattern of expected[locale]) assert.match(text, pattern, name);
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
            const [background, ink] = await page.evaluate(() => {
              const style = getComputedStyle(document.body);
              return [style.backgroundColor, style.color];
            });
            const light = (/** @type {string} */ colour) =>
              (colour.match(/[\d.]+/g) ?? [])
                .slice(0, 3)
                .map(Number)
                .reduce((a, b) => a + b);
            assert.equal(light(background) > light(ink), colorScheme === "light", `${ink} on ${background}`);
            if (SHOTS) {
              mkdirSync(SHOTS, { recursive: true });
              const path = `${SHOTS}/${name}-${colorScheme}-${width}-${locale}-${javaScriptEnabled}.png`;
              await page.screenshot({ path, fullPage: true });
            }
            assert.deepEqual(errors, []);
            await close();
          }
        });
      }
    }
  }
}

test("axe finds nothing", async () => {
  for (const { path } of pages()) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      // axe is put in by the test, past the page's own policy.
      const { page, close } = await openPage(browser, many.url + path, { bypassCSP: true, colorScheme });
      await page.addScriptTag({ content: axe });
      const violations = await page.evaluate(async () => {
        const results = await /** @type {any} */ (globalThis).axe.run();
        return results.violations.map(
          (/** @type {any} */ v) => `${v.id}: ${v.nodes.slice(0, 3).map((/** @type {any} */ n) => n.html)}`,
        );
      });
      assert.deepEqual(violations, [], path);
      await close();
    }
  }
});

test("what is known is there, and what stands in a name is nothing but text", async () => {
  const { page, errors, close } = await openPage(browser, `${few.url}/`, { viewport: { width: 800, height: 900 } });
  const text = await seen(page);
  for (const told of [/151\s*MB/, /<i>Gone<\/i> & co is down/, /Example <b>/, /the connection was refused/]) {
    assert.match(text, told);
  }
  assert.equal(await page.title(), "<i>Gone</i> & co is down · Example <b>");
  assert.match(String(await page.getAttribute("link[rel=icon]", "href")), /down\.svg$/);
  assert.equal(await page.getAttribute("a:text('Help')", "href"), "https://example.com/help");
  assert.deepEqual(errors, []);
  await close();
});

test("on paper it is dark on white with its content alone, and nothing moves for who wants that", async () => {
  const { page, close } = await openPage(browser, `${few.url}/`, { colorScheme: "dark" });
  await page.evaluate(() => {
    document.documentElement.dataset.theme = "dark";
  });
  const style = (/** @type {string} */ of, /** @type {string} */ name) =>
    page
      .locator(of)
      .first()
      .evaluate((it, name) => getComputedStyle(it).getPropertyValue(name), name);
  const lightness = async () => Number(/\d+/.exec(await style("body", "color"))?.[0]);
  assert.ok((await lightness()) > 200, "light on dark on the screen");
  await page.emulateMedia({ media: "print" });
  assert.ok((await lightness()) < 60, await style("body", "color"));
  assert.equal(await style("body", "background-color"), "rgba(0, 0, 0, 0)");
  assert.equal(await style(".card", "break-inside"), "avoid");
  assert.deepEqual(
    [await page.locator(".links").first().isVisible(), await page.locator(".card").first().isVisible()],
    [false, true],
  );
  await page.emulateMedia({ media: "screen", reducedMotion: "no-preference" });
  assert.equal(await style(".bars rect", "transition-duration"), "0.1s");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await style(".bars rect", "transition-duration"), "0s");
  await close();
});

test("a bar leads to its day, a stretch is chosen, a chart tells its figures, the theme is remembered", async () => {
  const { page, errors, close } = await openPage(browser, `${many.url}/`, { viewport: { width: 1200, height: 900 } });
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
  assert.match(String(await page.locator("[data-chart] .told").first().textContent()), /Resident \d+ MB/);
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

test("the first minutes are a line, not a dot an hour", async () => {
  const page = await (await fetch(`${few.url}/monitors/api?range=1h`)).text();
  const latency = page.split('id="latency"')[1] ?? assert.fail(page);
  assert.equal(latency.match(/<tr data-at=/g)?.length, 5);
});

test("the language is the browser's, unless another one is chosen", async () => {
  const get = async (/** @type {string} */ path, /** @type {string} */ accept) => {
    const answer = await fetch(few.url + path, { headers: { "accept-language": accept } });
    assert.match(String(answer.headers.get("vary")), /accept-language/i);
    return [answer.headers.get("content-language"), (await answer.text()).match(/<html lang="(..)"/)?.[1]];
  };
  assert.deepEqual(await get("/", "fr-CH, de;q=0.5"), ["fr", "fr"]);
  assert.deepEqual(await get("/?lang=ja", "fr"), ["ja", "ja"]);
  assert.deepEqual(await get("/?lang=../x", "zh"), ["zh", "zh"]);
});

test("fifty monitors with ninety days are at most 40 kB on the way, 60 with the script, and one blocking request", async () => {
  const gzipped = async (/** @type {string} */ path) => {
    const answer = await fetch(many.url + path);
    assert.equal(answer.status, 200, path);
    return gzipSync(Buffer.from(await answer.arrayBuffer())).length;
  };
  const page = await (await fetch(`${many.url}/`)).text();
  assert.equal(page.match(/<article class="card/g)?.length, 50);
  const style = page.match(/href="(\/style\.css[^"]*)"/)?.[1] ?? assert.fail("no style");
  const script = page.match(/src="(\/page\.js[^"]*)"/)?.[1] ?? assert.fail("no script");
  const without = (await gzipped("/")) + (await gzipped(style));
  const withScript = without + (await gzipped(script));
  assert.ok(without <= 40_000 && withScript <= 60_000, `${without} and ${withScript} bytes`);
  assert.equal(page.match(/<link rel="stylesheet"/g)?.length, 1);
  assert.ok(!/<script src="[^"]*"(?! defer)/.test(page));
});

test("nothing yet, and a hub that fails: a page that says so", async () => {
  const empty = await Edge.start([]);
  const { page, errors, close } = await openPage(browser, `${empty.url}/`, {});
  assert.match(await seen(page), /Nothing is watched yet[\s\S]*Add what to watch/);
  assert.deepEqual(errors, []);
  await close();
  await empty.stop();
  const broken = await Edge.start([defineMonitor("api", target.url)], { faultInjection: true });
  await broken.injectFault("hub-0");
  const answer = await fetch(`${broken.url}/`);
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  assert.match(await answer.text(), /The status cannot be read at the moment/);
  await broken.stop();
});

test("what there is not is not found, and asks no hub for nonsense", async () => {
  for (const path of ["/monitors/none", "/monitors/", "/monitors/a/b", "/incidents/api-1", "/incidents/x"]) {
    assert.equal((await fetch(few.url + path)).status, 404, path);
  }
});

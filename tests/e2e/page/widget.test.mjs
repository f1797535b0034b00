// The widget on a page of another site, which allows as little as it can, in a real Chromium.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { launchBrowser } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { findFreePort, renderHealth, Target } from "../support/target.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SCREENSHOTS;
const HOSTILE = `<img src=x onerror=alert(1)>$&{}"`;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** The other site; what it shows is the test's. @type {Target} */ let site;
let html = "";
let fine = true;

before(async () => {
  browser = await launchBrowser();
  target = await Target.start((_, response) => (fine ? response.end(renderHealth()) : response.writeHead(500).end()));
  const gone = `http://127.0.0.1:${await findFreePort()}/`;
  const slow = { interval: "1h", "failure-threshold": 1, kind: "http" };
  edge = await Edge.start(
    [
      defineMonitor("api", target.url, { ...slow, name: "API" }),
      defineMonitor("bad", gone, { ...slow, name: HOSTILE }),
      defineMonitor("hidden", gone, { ...slow, public: false }),
    ],
    { faultInjection: true },
  );
  await edge.tick(60);
  site = await Target.start((_, response) => {
    const policy = `default-src 'none'; script-src ${edge.url}; connect-src ${edge.url}; require-trusted-types-for 'script'`;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
    response.end(`<!doctype html><html lang="en"><title>Another site</title><body><main><h1>Shop</h1>${html}</main>`);
  });
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await site?.stop();
  await target?.stop();
});

const widget = (options = "", from = edge.url) => `<p><script src="${from}/widget.js" ${options} async></script></p>`;

/**
 * Opens a page of the other site with `body` on it, and waits for its widgets.
 * @param {string} body @param {{ widgets?: number } & import("playwright-core").BrowserContextOptions} [options]
 */
async function visit(body, { widgets = 1, ...options } = {}) {
  html = body;
  const context = await browser.newContext({ locale: "en", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  /** @type {string[]} */ const trouble = [];
  page.on("console", (message) => trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(String(error)));
  await page.clock.install();
  await page.goto(site.url.replace("127.0.0.1", "localhost"));
  const shown = page.locator("[role=status]");
  if (widgets > 0) await shown.nth(widgets - 1).waitFor();
  /** What the n-th says. @param {number} [n] */
  const said = async (n = 0) => (await shown.nth(n).textContent())?.trim();
  return { page, trouble, said, close: () => context.close() };
}

test("it is small, and no page has to ask for it again and again", async () => {
  const file = readFileSync("edge/assets/widget.js");
  assert.ok(file.length <= 5_000 && gzipSync(file).length <= 2_700, `${file.length}, ${gzipSync(file).length} gzipped`);
  const answer = await fetch(`${edge.url}/widget.js`);
  assert.equal(
    answer.headers.get("content-type"),
    "text/javascript; charset=utf-8",
    "whatever the encoding of the page",
  );
  assert.equal(answer.headers.get("cache-control"), "public, max-age=300, stale-while-revalidate=86400");
  assert.equal(answer.headers.get("cross-origin-resource-policy"), "cross-origin");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
});

test("its words are those of the page", () => {
  const source = readFileSync("edge/assets/widget.js", "utf8");
  for (const language of ["en", "de", "fr", "es", "zh", "ja"]) {
    const messages = JSON.parse(readFileSync(`edge/messages/${language}.json`, "utf8"));
    const words = source.match(new RegExp(`${language}: "([^"]*)"`))?.[1].split("|") ?? [];
    const states = ["up", "degraded", "down", "waking", "maintenance", "unobserved"];
    assert.deepEqual(
      words.slice(0, 6),
      states.map((state) => messages[`state.${state}`]),
      language,
    );
    assert.equal(words[6].replace("{}", "{{since|time}}"), messages.since, language);
  }
  const marks = readFileSync("edge/src/page/draw.rs", "utf8");
  for (const [, path] of source.matchAll(/: "(M[^"]*)",/g)) assert.ok(marks.includes(`"${path}"`), path);
});

test("a monitor's state, under a policy that allows the edge's script and nothing else", async () => {
  const { page, trouble, said, close } = await visit(widget('data-monitor="api"'));
  assert.match(String(await said()), /^Up API · since Jan 1, 2026, 12:00 AM$/);
  const link = page.locator("a");
  assert.equal(await link.getAttribute("href"), `${edge.url}/monitors/api?lang=en`);
  assert.equal(await link.textContent(), new URL(edge.url).host);
  assert.equal(await page.locator("svg[aria-hidden=true] path").getAttribute("d"), "M3 8.5l3.5 3.5L13 4.5");
  const box = page.locator("div.up");
  assert.equal(await box.evaluate((it) => getComputedStyle(it).borderRadius), "10px", "its own looks");
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    if (SHOTS) {
      mkdirSync(SHOTS, { recursive: true });
      await box.screenshot({ path: `${SHOTS}/widget-${colorScheme}.png` });
    }
  }
  assert.deepEqual(trouble, []);
  await close();
});

test("axe finds nothing, in any state and light", async () => {
  const { page, close } = await visit(widget('data-monitor="api"') + widget('data-monitor="bad"') + widget(), {
    widgets: 3,
    bypassCSP: true,
  });
  await page.addScriptTag({ content: axe });
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    const found = page.evaluate(async () => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run();
      return violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ n) => n.html)}`);
    });
    await page.clock.runFor(1_000); // axe waits between its steps
    assert.deepEqual(await found, []);
  }
  await close();
});

test("what stands in a name is text", async () => {
  const { page, trouble, said, close } = await visit(widget('data-monitor="bad"'));
  assert.ok((await said())?.startsWith(`Down ${HOSTILE} · since`), await said());
  assert.equal(await page.locator("img").count(), 0);
  assert.deepEqual(trouble, []);
  await close();
});

test("two on a page, each with its own options", async () => {
  const options = 'data-lang="de" data-theme="dark" data-refresh="1e9"';
  const { page, trouble, said, close } = await visit(widget(options) + widget('data-monitor="api" data-lang="ja"'), {
    widgets: 2,
    colorScheme: "light",
  });
  const texts = [await said(0), await said(1)].sort();
  assert.equal(texts[0], "Ausgefallen Läuft: 1 · Ausgefallen: 1", "what is not public is not counted");
  assert.match(String(texts[1]), /^稼働中 API · 2026.* から$/);
  const dark = page.locator("div.dark");
  assert.equal(await dark.evaluate((it) => getComputedStyle(it).colorScheme), "dark");
  assert.equal(await dark.getAttribute("lang"), "de");
  assert.deepEqual(trouble, []);
  await close();
});

test("it keeps itself current, and shows the last it knew with its age while the edge cannot be reached", async () => {
  const { page, said, close } = await visit(widget('data-monitor="api" data-refresh="0"'));
  assert.match(String(await said()), /^Up API/);
  fine = false;
  await edge.tick(60);
  // A browser keeps no answers where a test stands in between.
  let reached = true;
  await page.route("**/api/v1/**", (route) => (reached ? route.continue() : route.abort()));
  let asked = 0;
  page.on("request", () => {
    asked += 1;
  });
  const seconds = async (/** @type {number} */ n) => {
    await page.clock.fastForward(n * 1_000);
    // What the page then did has been told of before this is.
    await page.evaluate(() => document.title);
    return asked;
  };
  assert.equal(await seconds(7), 0, "not more often than every fifteen seconds, whatever is wanted");
  assert.equal(await seconds(9), 1);
  await page.getByText("Down", { exact: true }).waitFor();
  assert.match(String(await said()), /^Down API · since Jan 1, 2026, 1:00 AM$/);
  reached = false;
  await seconds(20);
  await page.getByText(/as of/).waitFor();
  assert.match(String(await said()), /^Down API · since .* as of \w{3} \d+, \d{4}, /);
  reached = true;
  fine = true;
  await edge.tick(60);
  await seconds(20);
  await page.getByText("Up", { exact: true }).waitFor();
  assert.doesNotMatch(String(await said()), /as of/);
  // Nobody is asked for a widget that is gone.
  await page.evaluate(() => document.querySelector("main")?.replaceChildren());
  const before = asked;
  assert.equal(await seconds(60), before);
  await close();
});

test("an edge that never answers, a monitor that there is not, and answers that are none: unknown, and no harm done", async () => {
  const { said, close } = await visit(widget('data-monitor="nobody"'));
  assert.equal(await said(), "Unknown nobody");
  await close();
  const answers = ["", "null", "[]", '{"name":{}}', '{"state":"constructor","name":"x","since":"x"}', '{"monitors":7}'];
  for (const body of answers) {
    for (const options of ['data-monitor="api"', ""]) {
      const liar = await Target.start((request, response) => {
        response.setHeader("access-control-allow-origin", "*");
        response.setHeader("content-type", request.url === "/widget.js" ? "text/javascript" : "application/json");
        response.end(request.url === "/widget.js" ? readFileSync("edge/assets/widget.js") : body);
      });
      html = widget(options, liar.url);
      const context = await browser.newContext({ bypassCSP: true });
      const page = await context.newPage();
      /** @type {string[]} */ const thrown = [];
      page.on("pageerror", (error) => thrown.push(String(error)));
      await page.goto(site.url);
      const said = await page.locator("[role=status]").textContent();
      assert.match(String(said), /^(Unknown|Not observed) /, `${body} ${options}`);
      assert.deepEqual(thrown, [], body);
      await context.close();
      await liar.stop();
    }
  }
});

test("in the head of a page, and without cookies", async () => {
  html = "";
  const context = await browser.newContext();
  await context.addCookies([{ name: "session", value: "1", url: edge.url }]);
  const page = await context.newPage();
  const sent = page.waitForRequest(/api\/v1\/status/);
  // Another origin of the same site, where cookies would go along.
  await page.goto(site.url);
  await page.evaluate((src) => {
    const script = document.createElement("script");
    // The test's own way past the page's policy on addresses made from text.
    const policy = /** @type {any} */ (globalThis).trustedTypes.createPolicy("test", {
      createScriptURL: (/** @type {string} */ it) => it,
    });
    script.src = policy.createScriptURL(src);
    document.head.append(script);
  }, `${edge.url}/widget.js`);
  assert.equal((await (await sent).allHeaders()).cookie, undefined);
  await page.locator("body > div [role=status]").waitFor();
  await context.close();
});

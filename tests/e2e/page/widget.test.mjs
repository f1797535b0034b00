// The widget in a real Chromium, on a page of another site whose policy allows as little as possible.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { addAxe, findAccessibilityViolations, launchBrowser, takeScreenshot } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { REFUSED_URL, renderHealth, Target } from "../support/target.mjs";
import { HANG_TIMEOUT_MS } from "../support/wait.mjs";

const HOSTILE_NAME = `<img src=x onerror=alert(1)>$&{}"`;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** The other site, which shows `html`. @type {Target} */ let site;
let html = "";
let isHealthy = true;

before(async () => {
  browser = await launchBrowser();
  target = await Target.start((_, response) =>
    isHealthy ? response.end(renderHealth()) : response.writeHead(500).end(),
  );
  const slow = { interval: "1h", "failure-threshold": 1, kind: "http" };
  edge = await Edge.start(
    [
      defineMonitor("api", target.url, { ...slow, name: "API" }),
      defineMonitor("bad", REFUSED_URL, { ...slow, name: HOSTILE_NAME }),
      defineMonitor("hidden", REFUSED_URL, { ...slow, public: false }),
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

/** Renders the element that embeds a widget. @param {string} [options] @param {string} [from] the origin of the edge */
const renderWidget = (options = "", from = edge.url) =>
  `<p><script src="${from}/widget.js" ${options} async></script></p>`;

/**
 * Opens a page of the other site with `body` on it, and waits for its widgets.
 * @param {string} body @param {{ widgets?: number } & import("playwright-core").BrowserContextOptions} [options]
 */
async function openSite(body, { widgets = 1, ...options } = {}) {
  html = body;
  const context = await browser.newContext({ locale: "en", timezoneId: "UTC", ...options });
  context.setDefaultTimeout(HANG_TIMEOUT_MS);
  const page = await context.newPage();
  /** @type {string[]} */ const errors = [];
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.clock.install();
  await page.goto(site.url.replace("127.0.0.1", "localhost"));
  const widgetsOnPage = page.locator("[role=status]");
  if (widgets > 0) await widgetsOnPage.nth(widgets - 1).waitFor();
  /** Reads the text of the n-th widget. @param {number} [n] */
  const readText = async (n = 0) => (await widgetsOnPage.nth(n).textContent())?.trim();
  return { page, errors, readText, close: () => context.close() };
}

test("the script is small and cached", async () => {
  const file = readFileSync("edge/assets/widget.js");
  assert.ok(file.length <= 5_000 && gzipSync(file).length <= 2_700, `${file.length}, ${gzipSync(file).length} gzipped`);
  const response = await edge.request("/widget.js");
  assert.equal(
    response.headers.get("content-type"),
    "text/javascript; charset=utf-8",
    "the encoding does not depend on the page",
  );
  assert.equal(response.headers.get("cache-control"), "public, max-age=300, stale-while-revalidate=86400");
  assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
});

test("the words and icons of the widget are those of the page", () => {
  const source = readFileSync("edge/assets/widget.js", "utf8");
  for (const language of ["en", "de", "fr", "es", "zh", "ja"]) {
    const lines = readFileSync(`edge/messages/${language}.ftl`, "utf8").matchAll(/^([a-z-]+) = (.*)$/gm);
    const messages = Object.fromEntries([...lines].map(([, name, text]) => [name, text]));
    const words = source.match(new RegExp(`${language}: "([^"]*)"`))?.[1].split("|") ?? [];
    const states = ["up", "degraded", "down", "waking", "maintenance", "unobserved"];
    assert.deepEqual(
      words.slice(0, 6),
      states.map((state) => messages[`state-${state}`]),
      language,
    );
    assert.equal(words[6].replace("{}", "{ $time }"), messages.since, language);
  }
  const sources = readdirSync("edge/src", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith(".rs"))
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, "utf8"));
  for (const [, path] of source.matchAll(/: "(M[^"]*)",/g))
    assert.ok(
      sources.some((it) => it.includes(`"${path}"`)),
      path,
    );
});

test("a widget shows a monitor under a policy that allows only its script and its requests", async () => {
  const { page, errors, readText, close } = await openSite(renderWidget('data-monitor="api"'));
  assert.match(String(await readText()), /^Operational API · since Jan 1, 2026, 12:00 AM$/);
  const link = page.locator("a");
  assert.equal(await link.getAttribute("href"), `${edge.url}/monitors/api?lang=en`);
  assert.equal(await link.textContent(), new URL(edge.url).host);
  assert.equal(await page.locator("svg[aria-hidden=true] path").getAttribute("d"), "M3 8.5l3.5 3.5L13 4.5");
  const box = page.locator("div.up");
  assert.equal(await box.evaluate((it) => getComputedStyle(it).borderRadius), "10px", "its own style");
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    await takeScreenshot(box, `widget-${colorScheme}`);
  }
  assert.deepEqual(errors, []);
  await close();
});

test("a widget is accessible in every state and color scheme", async () => {
  const { page, close } = await openSite(
    renderWidget('data-monitor="api"') + renderWidget('data-monitor="bad"') + renderWidget(),
    {
      widgets: 3,
      bypassCSP: true,
    },
  );
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    await addAxe(page);
    const violations = findAccessibilityViolations(page);
    await page.clock.runFor(1_000); // axe waits between its steps
    assert.deepEqual(await violations, []);
  }
  await close();
});

test("a hostile name is shown as text", async () => {
  const { page, errors, readText, close } = await openSite(renderWidget('data-monitor="bad"'));
  assert.ok((await readText())?.startsWith(`Major outage ${HOSTILE_NAME} · since`), await readText());
  assert.equal(await page.locator("img").count(), 0);
  assert.deepEqual(errors, []);
  await close();
});

test("two widgets on a page have their own options", async () => {
  const options = 'data-lang="de" data-theme="dark" data-refresh="1e9"';
  const { page, errors, readText, close } = await openSite(
    renderWidget(options) + renderWidget('data-monitor="api" data-lang="ja"'),
    {
      widgets: 2,
      colorScheme: "light",
    },
  );
  const texts = [await readText(0), await readText(1)].sort();
  assert.equal(texts[0], "Größerer Ausfall Verfügbar: 1 · Größerer Ausfall: 1", "hidden monitors are not counted");
  assert.match(String(texts[1]), /^正常 API · 2026.* から$/);
  const dark = page.locator("div.dark");
  assert.equal(await dark.evaluate((it) => getComputedStyle(it).colorScheme), "dark");
  assert.equal(await dark.getAttribute("lang"), "de");
  assert.deepEqual(errors, []);
  await close();
});

test("a widget refreshes, and shows the last known state with its age while the edge is unreachable", async () => {
  const { page, readText, close } = await openSite(renderWidget('data-monitor="api" data-refresh="0"'));
  assert.match(String(await readText()), /^Operational API/);
  isHealthy = false;
  await edge.tick(60);
  // Intercepted requests bypass the cache of the browser.
  let isReachable = true;
  await page.route("**/api/v1/**", (route) => (isReachable ? route.continue() : route.abort()));
  let requests = 0;
  page.on("request", () => {
    requests += 1;
  });
  const countRequestsAfter = async (/** @type {number} */ seconds) => {
    await page.clock.fastForward(seconds * 1_000);
    // The events of the page arrive in order, so its requests are counted before this returns.
    await page.evaluate(() => document.title);
    return requests;
  };
  assert.equal(await countRequestsAfter(7), 0, "fifteen seconds are the shortest interval");
  assert.equal(await countRequestsAfter(9), 1);
  await page.getByText("Major outage", { exact: true }).waitFor();
  assert.match(String(await readText()), /^Major outage API · since Jan 1, 2026, 1:00 AM$/);
  isReachable = false;
  await countRequestsAfter(20);
  await page.getByText(/as of/).waitFor();
  assert.match(String(await readText()), /^Major outage API · since .* as of \w{3} \d+, \d{4}, /);
  isReachable = true;
  isHealthy = true;
  await edge.tick(60);
  await countRequestsAfter(20);
  await page.getByText("Operational", { exact: true }).waitFor();
  assert.doesNotMatch(String(await readText()), /as of/);
  // A removed widget sends no requests.
  await page.evaluate(() => document.querySelector("main")?.replaceChildren());
  const before = requests;
  assert.equal(await countRequestsAfter(60), before);
  await close();
});

test("unknown monitors and invalid responses show as unknown", async () => {
  const { readText, close } = await openSite(renderWidget('data-monitor="nobody"'));
  assert.equal(await readText(), "Unknown nobody");
  await close();
  const bodies = ["", "null", "[]", '{"name":{}}', '{"state":"constructor","name":"x","since":"x"}', '{"monitors":7}'];
  for (const body of bodies) {
    for (const options of ['data-monitor="api"', ""]) {
      const liar = await Target.start((request, response) => {
        response.setHeader("access-control-allow-origin", "*");
        response.setHeader("content-type", request.url === "/widget.js" ? "text/javascript" : "application/json");
        response.end(request.url === "/widget.js" ? readFileSync("edge/assets/widget.js") : body);
      });
      html = renderWidget(options, liar.url);
      const context = await browser.newContext({ bypassCSP: true });
      const page = await context.newPage();
      /** @type {string[]} */ const exceptions = [];
      page.on("pageerror", (error) => exceptions.push(String(error)));
      await page.goto(site.url);
      const text = await page.locator("[role=status]").textContent();
      assert.match(String(text), /^(Unknown|No data) /, `${body} ${options}`);
      assert.deepEqual(exceptions, [], body);
      await context.close();
      await liar.stop();
    }
  }
});

test("a widget works in the head of a page and sends no cookies", async () => {
  html = "";
  const context = await browser.newContext();
  await context.addCookies([{ name: "session", value: "1", url: edge.url }]);
  const page = await context.newPage();
  const sent = page.waitForRequest(/api\/v1\/status/);
  // This is another origin of the same site, to which a browser sends cookies.
  await page.goto(site.url);
  await page.evaluate((src) => {
    const script = document.createElement("script");
    // The page requires trusted types, so the test has a policy of its own.
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

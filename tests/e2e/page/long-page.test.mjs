// The status page of more monitors than it has cards for: rows in groups that fold, and a filter.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { BROWSERS, checkLayouts, describeBrowser } from "../support/layouts.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

/** The results of a long interval stay valid while the tests read the page. */
const SLOW = { kind: "http", interval: "1h", "failure-threshold": 1 };

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** Forty monitors in one group, thirty in another, of which one is down. @type {Edge} */ let edge;

before(async () => {
  browser = await launchBrowser();
  target = await Target.startHealthy({ rss: 151 });
  const define = (/** @type {string} */ group, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, index) =>
      defineMonitor(`${group}-${index}`, target.url, { ...SLOW, group, name: `${group} ${index}` }),
    );
  const shop = define("shop", 30).map((monitor, index) => (index === 7 ? { ...monitor, url: REFUSED_URL } : monitor));
  edge = await Edge.start([], { vars: { ADMIN_TOKEN } });
  assert.equal((await edge.applyMonitors([...define("api", 40), ...shop])).status, 200);
  await edge.tickTimes(5);
  const states = await waitUntil("every monitor's first result", async () => {
    await edge.tick();
    const states = await edge.readStates();
    return states.every((state) => state !== "unobserved") ? states : undefined;
  });
  assert.equal(states.filter((state) => state === "down").length, 1, states.join(" "));
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await target?.stop();
});

for (const options of BROWSERS) {
  test(`a long page fits every layout: ${describeBrowser(options)}`, async () => {
    const texts = await checkLayouts(browser, `${edge.url}/`, { ...options, name: "long" });
    assert.match(texts.headline, /shop 7/);
  });
}

test("only what is in trouble has a card, and groups in which all is well are folded", async () => {
  const { page, errors, close } = await openPage(browser, `${edge.url}/`, { javaScriptEnabled: false });
  assert.deepEqual(await page.locator("article.card h3").allTextContents(), ["shop 7"]);
  assert.equal(await page.locator("article.row").count(), 69);
  assert.equal(await page.locator("article.row:visible").count(), 29);
  assert.match(String(await page.locator("summary").first().textContent()), /api\s+Operational:\s+40\s*$/);
  assert.equal(await page.locator("[data-filter]").isVisible(), false, "without JavaScript there is no filter");
  await page.locator("summary").first().click();
  assert.equal(await page.locator("article.row:visible").count(), 69);
  assert.deepEqual(errors, []);
  await close();
});

test("a filter shows the services whose names have the text, and what was unfolded before after it", async () => {
  const { page, errors, close } = await openPage(browser, `${edge.url}/`);
  const readVisible = () => page.locator("details article:visible h3").allTextContents();
  await page.fill("[data-filter]", " API 3");
  assert.deepEqual(
    await readVisible(),
    ["api 3", ...Array.from({ length: 10 }, (_, index) => `api 3${index}`)],
    "of a group that was folded",
  );
  await page.fill("[data-filter]", "nothing");
  assert.deepEqual(await readVisible(), []);
  await page.fill("[data-filter]", "");
  assert.equal((await readVisible()).length, 30, "the group in trouble, as before");
  assert.deepEqual(errors, []);
  await close();
});

// The page about the API in a real Chromium: light and dark, narrow and wide, by keyboard, without a script of its own; axe finds
// nothing.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { Edge } from "../support/edge.mjs";
import { ApiDescription } from "../support/openapi.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SCREENSHOTS;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Edge} */ let edge;

before(async () => {
  browser = await launchBrowser();
  edge = await Edge.start([]);
});

after(async () => {
  await browser?.close();
  await edge?.stop();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const width of [320, 1440]) {
    test(`${colorScheme}, ${width} px`, async () => {
      const options = { colorScheme, viewport: { width, height: 900 }, javaScriptEnabled: false };
      const { page, errors, close } = await openPage(browser, `${edge.url}/api`, options);
      const { overflow, ground, ink } = await page.evaluate(() => {
        const { backgroundColor, color } = getComputedStyle(document.body);
        return {
          overflow: document.documentElement.scrollWidth - window.innerWidth,
          ground: backgroundColor,
          ink: color,
        };
      });
      assert.ok(overflow <= 0, `${overflow} px too wide`);
      const light = (/** @type {string} */ colour) => Number(colour.match(/\d+/)?.[0]);
      assert.equal(light(ground) > light(ink), colorScheme === "light", `${ink} on ${ground}`);
      if (SHOTS) {
        mkdirSync(SHOTS, { recursive: true });
        await page.screenshot({ path: `${SHOTS}/api-${colorScheme}-${width}.png` });
      }
      assert.deepEqual(errors, []);
      await close();
    });
  }
}

test("every operation has its place, and the contents lead there", async () => {
  const { page, close } = await openPage(browser, `${edge.url}/api`, { javaScriptEnabled: false });
  const { operations } = new ApiDescription();
  for (const { path, method, id } of operations) {
    const heading = await page.textContent(`article h3#${id}`);
    assert.equal(heading, `${method} ${path}`);
    assert.equal(await page.locator(`nav a[href="#${id}"]`).count(), 1, id);
  }
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the paths");
  await page.keyboard.press("Enter");
  assert.equal(new URL(page.url()).hash, "#main");
  await close();
});

test("the status page leads there", async () => {
  const { page, errors, close } = await openPage(browser, `${edge.url}/`, {});
  await page.click("footer a:text-is('API')");
  assert.equal(await page.textContent("h1"), "API");
  assert.deepEqual(errors, []);
  await close();
});

test("axe finds nothing", async () => {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const { page, close } = await openPage(browser, `${edge.url}/api`, { bypassCSP: true, colorScheme });
    await page.addScriptTag({ content: axe });
    const violations = await page.evaluate(async () => {
      const results = await /** @type {any} */ (globalThis).axe.run();
      return results.violations.map(
        (/** @type {any} */ v) => `${v.id}: ${v.nodes.slice(0, 3).map((/** @type {any} */ n) => n.html)}`,
      );
    });
    assert.deepEqual(violations, []);
    await close();
  }
});

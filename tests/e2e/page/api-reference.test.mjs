// The API reference page in a real Chromium: its layouts, its links, the keyboard, and accessibility. It has no script of its own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { Edge } from "../support/edge.mjs";
import { BROWSERS, checkLayouts, describeBrowser } from "../support/layouts.mjs";
import { ApiDescription } from "../support/openapi.mjs";

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

for (const options of BROWSERS.filter((it) => it.javaScriptEnabled)) {
  test(`the API reference fits every layout: ${describeBrowser(options)}`, async () => {
    await checkLayouts(browser, `${edge.url}/api`, { ...options, name: "api" });
  });
}

test("every operation has a section, and the table of contents links to it", async () => {
  const { page, close } = await openPage(browser, `${edge.url}/api`, { javaScriptEnabled: false });
  const { operations } = new ApiDescription();
  for (const { path, method, id } of operations) {
    const heading = await page.textContent(`article h3#${id}`);
    assert.equal(heading, `${method} ${path}`);
    assert.equal(await page.locator(`nav a[href="#${id}"]`).count(), 1, id);
  }
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the operations");
  await page.keyboard.press("Enter");
  assert.equal(new URL(page.url()).hash, "#main");
  await close();
});

test("the status page links to the API reference", async () => {
  const { page, errors, close } = await openPage(browser, `${edge.url}/`);
  await page.click("footer a:text-is('API')");
  assert.equal(await page.textContent("h1"), "API");
  assert.deepEqual(errors, []);
  await close();
});

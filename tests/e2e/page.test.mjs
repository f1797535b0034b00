// The page in a real Chromium: light and dark, narrow and wide, nothing in the console.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, open } from "./harness/browser.mjs";
import { Edge, monitor } from "./harness/edge.mjs";
import { closedPort, healthBody, Target } from "./harness/target.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.start((_, response) => response.end(healthBody({ rss: 151 })));
  edge = await Edge.start([
    monitor("api", target.url, { group: "Backend" }),
    monitor("gone", `http://127.0.0.1:${await closedPort()}`, { "failure-threshold": 1, name: "<i>Gone</i> & co" }),
  ]);
  for (let i = 0; i < 5; i += 1) await edge.tick();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await target?.stop();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const width of [320, 1440]) {
    test(`${colorScheme}, ${width} px`, async () => {
      const { page, trouble, close } = await open(browser, `${edge.url}/`, {
        colorScheme,
        viewport: { width, height: 900 },
      });
      // biome-ignore lint/performance/useDomNodeTextContent: what a person sees, not what the document holds
      const text = await page.evaluate(() => document.body.innerText);
      assert.match(text, /151\s*MB/);
      assert.match(text, /<i>Gone<\/i> & co/);
      assert.match(await page.title(), /down/i);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide`);
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
      if (process.env.SCREENSHOTS) {
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/${colorScheme}-${width}.png`, fullPage: true });
      }
      assert.deepEqual(trouble, []);
      await close();
    });
  }
}

test("axe finds nothing", async () => {
  // axe is put in by the test, past the page's own policy.
  const { page, close } = await open(browser, `${edge.url}/`, { bypassCSP: true });
  await page.addScriptTag({ content: axe });
  const violations = await page.evaluate(async () => {
    const results = await /** @type {any} */ (globalThis).axe.run();
    return results.violations.map(
      (/** @type {any} */ v) => `${v.id}: ${v.nodes.map((/** @type {any} */ n) => n.html)}`,
    );
  });
  assert.deepEqual(violations, []);
  await close();
});

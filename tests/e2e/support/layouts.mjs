// What holds for every page in every layout: both color schemes, narrow and wide, with and without JavaScript, in two languages.

import assert from "node:assert/strict";
import {
  findAccessibilityViolations,
  isDarkOnLight,
  measureOverflow,
  openPage,
  readVisibleText,
  takeScreenshot,
} from "./browser.mjs";

/** The locales in which a page is opened, and whether it runs JavaScript. */
export const BROWSERS = /** @type {const} */ ([
  { locale: "en", javaScriptEnabled: true },
  { locale: "en", javaScriptEnabled: false },
  { locale: "de", javaScriptEnabled: true },
  { locale: "de", javaScriptEnabled: false },
]);

const COLOR_SCHEMES = /** @type {const} */ (["light", "dark"]);
const WIDTHS = [320, 768, 1440];

/** The layout in which axe runs for each locale: colors depend on the scheme and sizes on the width, so each occurs once. */
const AXE_LAYOUTS = { en: "light 320", de: "dark 1440" };

/** @param {{ locale: string, javaScriptEnabled: boolean }} browser */
export const describeBrowser = ({ locale, javaScriptEnabled }) =>
  `${locale}, ${javaScriptEnabled ? "with" : "without"} JavaScript`;

/**
 * Opens a page, checks it in every layout, and returns its texts. No layout may be wider than the window or have the wrong
 * colors, axe may find nothing, and nothing may appear in the console.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {{ locale: "en" | "de", javaScriptEnabled: boolean, status?: number, name: string }} options `name` is for screenshots
 */
export async function checkLayouts(browser, url, { locale, javaScriptEnabled, status = 200, name }) {
  const options = { locale, javaScriptEnabled, timezoneId: "UTC" };
  const { page, errors, status: actualStatus, close } = await openPage(browser, url, options);
  assert.equal(actualStatus, status, url);
  for (const colorScheme of COLOR_SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS) {
      const layout = `${colorScheme} ${width}`;
      await page.setViewportSize({ width, height: 900 });
      const overflow = await measureOverflow(page);
      assert.ok(overflow <= 0, `${layout}: ${overflow} px too wide`);
      assert.equal(await isDarkOnLight(page), colorScheme === "light", `${layout}: the colors`);
      const screenshot = `${name}-${locale}-${javaScriptEnabled ? "js" : "no-js"}-${colorScheme}-${width}`;
      await takeScreenshot(page, screenshot, { fullPage: true });
      if (javaScriptEnabled && layout === AXE_LAYOUTS[locale])
        assert.deepEqual(await findAccessibilityViolations(page), [], layout);
    }
  }
  const texts = {
    headline: String(await page.locator("h1").textContent()),
    title: await page.title(),
    body: await readVisibleText(page),
  };
  await page.waitForLoadState("networkidle");
  // The browser reports the status of a page that is meant to fail.
  const unexpected = errors.filter((error) => status < 400 || !error.includes(`${status}`));
  assert.deepEqual(unexpected, []);
  await close();
  return texts;
}

// A real Chromium from its npm package, and what every page test checks in it.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";
import { HANG_TIMEOUT_MS } from "./wait.mjs";

/** No sandbox, as tests run as root in containers. The package's own arguments are for AWS Lambda and left out. */
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The directory for screenshots; none are taken without it. */
const SCREENSHOTS = process.env.SCREENSHOTS;

/** Launches a browser; the caller closes it. */
export const launchBrowser = async () =>
  playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ARGS,
    headless: true,
    timeout: HANG_TIMEOUT_MS,
  });

/**
 * Opens a page in a context of its own. `errors` collects all console messages, exceptions and failed requests.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(HANG_TIMEOUT_MS);
  const page = await context.newPage();
  /** @type {string[]} */
  const errors = [];
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => errors.push(`${request.url()} failed`));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.url()} answered ${response.status()}`);
  });
  const response = await page.goto(url, { waitUntil: "load" });
  return { page, errors, status: response?.status() ?? 0, close: () => context.close() };
}

/** Reads the text that a person sees. @param {import("playwright-core").Page} page */
// biome-ignore lint/performance/useDomNodeTextContent: the visible text, not the text of the document
export const readVisibleText = (page) => page.evaluate(() => document.body.innerText);

/** Measures by how many pixels the content is wider than the window. @param {import("playwright-core").Page} page */
export const measureOverflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** Compares the background with the text color. @param {import("playwright-core").Page} page */
export async function isDarkOnLight(page) {
  const [background, text] = await page.evaluate(() => {
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color];
  });
  const sumChannels = (/** @type {string} */ color) =>
    (color.match(/[\d.]+/g) ?? [])
      .slice(0, 3)
      .map(Number)
      .reduce((sum, channel) => sum + channel);
  return sumChannels(background) > sumChannels(text);
}

/**
 * Adds axe to a page. The debugger evaluates it, so that the page's own policy does not matter.
 * @param {import("playwright-core").Page} page
 */
export const addAxe = (page) => page.evaluate(`globalThis.axe ?? (() => {${AXE}})()`);

/** Runs axe, adding it first where it is missing. @param {import("playwright-core").Page} page @returns {Promise<string[]>} */
export async function findAccessibilityViolations(page) {
  await addAxe(page);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run();
    return violations.map(
      (/** @type {any} */ it) => `${it.id}: ${it.nodes.slice(0, 3).map((/** @type {any} */ node) => node.html)}`,
    );
  });
}

/**
 * Takes a screenshot if the environment variable `SCREENSHOTS` names a directory.
 * @param {{ screenshot: (options: { path: string }) => Promise<unknown> }} subject @param {string} name @param {object} [options]
 */
export async function takeScreenshot(subject, name, options = {}) {
  if (!SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await subject.screenshot({ path: `${SCREENSHOTS}/${name}.png`, ...options });
}

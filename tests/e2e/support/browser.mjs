// A real Chromium, from its npm package.

import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

/** No sandbox, as tests run as root in containers; nothing else of the package's arguments, which are for AWS Lambda. */
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];

/** Launches it; the caller closes it. */
export const launch = async () =>
  playwright.launch({ executablePath: await chromium.executablePath(), args: ARGS, headless: true });

/**
 * Opens `url` and gathers whatever goes wrong on the way.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} options
 */
export async function open(browser, url, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  /** @type {string[]} */
  const trouble = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") trouble.push(message.text());
  });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("requestfailed", (request) => trouble.push(`${request.url()} failed`));
  page.on("response", (answer) => {
    if (answer.status() >= 400) trouble.push(`${answer.url()} answered ${answer.status()}`);
  });
  await page.goto(url, { waitUntil: "networkidle" });
  return { page, trouble, close: () => context.close() };
}

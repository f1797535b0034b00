// Takes the pictures of the status page and of the widget for README and docs: `make pictures`. It runs the built edge with ninety days
// of generated history, and a real browser.

import { mkdirSync } from "node:fs";
import { launchBrowser, openPage } from "../tests/e2e/support/browser.mjs";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { seedHistory } from "../tests/e2e/support/seed-history.mjs";
import { logNote } from "./log.mjs";

const FOLDER = "docs/images";
/** The host in the pictures. The browser's requests to it are answered by the local edge. */
const HOST = "https://status.example.com";
const WIDTH = 1100;
/** Pixels below the last monitor. */
const MARGIN = 24;

const monitors = [
  '<script src="HOST/widget.js" data-monitor="m00" data-theme="light" async></script>',
  '<script src="HOST/widget.js" data-monitor="m02" data-theme="light" async></script>',
  '<script src="HOST/widget.js" data-theme="dark" async></script>',
];

mkdirSync(FOLDER, { recursive: true });
const browser = await launchBrowser();
const edge = await Edge.start([], { vars: { PAGE: { title: "Example status" } } });
try {
  await seedHistory(edge, { monitors: 3, days: 90 });
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) await takeStatusPage(colorScheme);
  await takeWidgets();
} finally {
  await edge.stop();
  await browser.close();
}

/** Takes the page from its top to the end of the last monitor. @param {"light" | "dark"} colorScheme */
async function takeStatusPage(colorScheme) {
  const options = { colorScheme, locale: "en", timezoneId: "UTC", viewport: { width: WIDTH, height: 800 } };
  const { page, close } = await openPage(browser, `${edge.url}/`, options);
  const box = await page.locator("article.card").last().boundingBox();
  if (!box) throw new Error("the page shows no monitor");
  const height = Math.ceil(box.y + box.height + MARGIN);
  await page.setViewportSize({ width: WIDTH, height });
  await save(page, `status-${colorScheme}`);
  await close();
}

/** Takes three widgets on a page of another site. */
async function takeWidgets() {
  const context = await browser.newContext({ locale: "en", timezoneId: "UTC", deviceScaleFactor: 2 });
  const page = await context.newPage();
  await page.route(`${HOST}/**`, async (route) => {
    const { pathname, search } = new URL(route.request().url());
    await route.fulfill({ response: await route.fetch({ url: `${edge.url}${pathname}${search}` }) });
  });
  const body = monitors.map((it) => `<p>${it.replace("HOST", HOST)}</p>`).join("");
  await page.route("https://shop.example.com/", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><html lang="en"><title>Shop</title><div style="display:inline-block;padding:8px">${body}</div>`,
    }),
  );
  await page.goto("https://shop.example.com/");
  await page.locator("[role=status]").nth(2).waitFor();
  await save(page.locator("div").first(), "widget");
  await context.close();
}

/** @param {{ screenshot: (options: { path: string }) => Promise<unknown> }} subject @param {string} name */
async function save(subject, name) {
  const path = `${FOLDER}/${name}.png`;
  await subject.screenshot({ path });
  logNote(path);
}

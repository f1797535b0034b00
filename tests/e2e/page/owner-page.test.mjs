// The owner's page: whether each alert channel accepts alerts, shown to whoever has the token, in every layout.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { findAccessibilityViolations, launchBrowser, measureOverflow, openPage } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { BROWSERS, checkLayouts, describeBrowser } from "../support/layouts.mjs";
import { REFUSED_URL } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {AlertServices} */ let services;
/** @type {Edge} */ let edge;
/** @type {string[]} */ const log = [];

before(async () => {
  browser = await launchBrowser();
  services = await AlertServices.start();
  const vars = { ...defineChannels(services.url), ADMIN_TOKEN, SLACK: `${services.url}/slack/bad`, HOOK: "nowhere" };
  edge = await Edge.start([defineMonitor("api", REFUSED_URL, { "failure-threshold": 1 })], { vars, log });
  await edge.tickTimes(2);
});

after(async () => {
  await browser?.close();
  await services?.stop();
  await edge?.stop();
});

test("without the token it is a form in every layout, and contains nothing of the channels", async () => {
  for (const options of BROWSERS) {
    const texts = await checkLayouts(browser, `${edge.url}/owner`, { ...options, name: "owner" });
    const context = describeBrowser(options);
    assert.match(texts.headline, { en: /^Alert channels$/, de: /^Alarmkanäle$/ }[options.locale], context);
    if (!options.javaScriptEnabled) assert.match(texts.body, /GET \/api\/v1\/admin\/channels/, context);
    assert.doesNotMatch(texts.body, /slack|discord/i, context);
  }
  const response = await edge.request("/owner");
  assert.equal(response.headers.get("x-robots-tag"), "noindex");
  assert.doesNotMatch(await response.text(), /slack|discord/i);
});

test("with the token it shows what each channel does, and tests them", async () => {
  const { page, close } = await openPage(browser, `${edge.url}/owner`, { locale: "en", timezoneId: "UTC" });
  const item = (/** @type {string} */ channel) => page.locator("[data-channels] li", { hasText: `${channel} (` });
  await page.getByLabel("Admin token").fill("a wrong token of sixteen");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("The token is wrong.").waitFor();
  assert.equal(await page.locator("[data-channels]").isVisible(), false);

  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.keyboard.press("Enter");
  await item("slack").waitFor();
  assert.match(
    String(await item("slack").textContent()),
    /^slack \(slack\): refuses alerts · status 404 · since .+ · alerts that wait: 1 · next attempt: .+$/,
  );
  assert.match(String(await item("hook").textContent()), /cannot be used · its secret is not an address/);
  assert.equal(await item("discord").textContent(), "discord (discord): no failures");
  assert.match(String(await page.locator("[data-problems]").textContent()), /ALERTS\.slack: the service has refused/);
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    for (const width of [320, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      assert.ok((await measureOverflow(page)) <= 0, `${colorScheme} ${width}`);
    }
    assert.deepEqual(await findAccessibilityViolations(page), [], colorScheme);
  }
  assert.doesNotMatch(await page.content(), new RegExp([ADMIN_TOKEN, services.url].join("|")));

  await page.getByRole("button", { name: "Send a test message to each channel" }).click();
  await item("discord").filter({ hasText: "test message: accepted" }).waitFor();
  assert.match(
    String(await item("slack").textContent()),
    /test message: the service refused the message: status 404: no_service/,
  );
  assert.ok(services.accepted.discord.some((body) => /Test of the alert channel/.test(body.content)));
  const stored = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  assert.ok(!stored.includes(ADMIN_TOKEN), "the token is stored nowhere");
  await close();
});

test("the token goes to the API of the same edge as a header, and nowhere else", async () => {
  const { page, close } = await openPage(browser, `${edge.url}/owner`, { locale: "en", timezoneId: "UTC" });
  /** @type {import("playwright-core").Request[]} */ const requests = [];
  page.on("request", (request) => requests.push(request));
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("[data-channels] li").first().waitFor();
  await page.goto(`${edge.url}/`);
  assert.ok(requests.length > 3);
  for (const request of requests) {
    const headers = JSON.stringify({ ...(await request.allHeaders()), authorization: "" });
    assert.ok(![request.url(), headers, request.postData() ?? ""].join(" ").includes(ADMIN_TOKEN), request.url());
    const { authorization } = await request.allHeaders();
    if (authorization) assert.ok(request.url().startsWith(`${edge.url}/api/v1/admin/`), request.url());
    if (authorization) assert.equal((await request.response())?.headers()["cache-control"], "no-store");
  }
  assert.ok(!log.join("\n").includes(ADMIN_TOKEN), "the edge's log");
  await page.goBack();
  assert.equal(await page.getByLabel("Admin token").inputValue(), "", "it is forgotten with the page");
  await close();
});

test("no other site can frame the page, send its form or read what it reads", async () => {
  const response = await edge.request("/owner");
  const policy = String(response.headers.get("content-security-policy"));
  for (const rule of ["frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "connect-src 'self'"]) {
    assert.ok(policy.includes(rule), rule);
  }
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(response.headers.get("referrer-policy"), "no-referrer");
  assert.equal(response.headers.get("cross-origin-opener-policy"), "same-origin");
  // The field has no name, so that a form that is sent without its script would not have the token in an address.
  assert.doesNotMatch(await response.text(), /<input[^>]* name=/);
  const headers = { origin: "https://evil.example", authorization: `Bearer ${ADMIN_TOKEN}` };
  for (const [method, path] of [
    ["GET", "/admin/channels"],
    ["GET", "/admin/status"],
    ["POST", "/alerts/test"],
  ]) {
    const answer = await edge.request(`/api/v1${path}`, { method, headers: { origin: headers.origin } });
    assert.equal(answer.status, 401, `${path}: nothing but the header counts, no cookie`);
    assert.equal(answer.headers.get("set-cookie"), null);
    const preflight = await edge.request(`/api/v1${path}`, {
      method: "OPTIONS",
      headers: { origin: headers.origin, "access-control-request-headers": "authorization" },
    });
    assert.equal(preflight.headers.get("access-control-allow-headers"), null, path);
    assert.equal(answer.headers.get("access-control-allow-origin"), null, path);
  }
});

test("hostile ids, kinds and replies are text on the page", async () => {
  const { page, close } = await openPage(browser, `${edge.url}/owner`, { locale: "en", timezoneId: "UTC" });
  const evil = `"><img src=x onerror="window.fired=1"><script>window.fired=2</script>\u202e`;
  await page.route("**/api/v1/admin/channels", (route) =>
    route.fulfill({
      json: {
        channels: [
          { channel: evil, kind: evil, state: evil, reason: evil, since: null, next_attempt: null, waiting: 1 },
        ],
      },
    }),
  );
  await page.route("**/api/v1/admin/status", (route) =>
    route.fulfill({ json: { problems: [{ position: evil, reason: evil }] } }),
  );
  await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("[data-problems] li").first().waitFor();
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).fired), undefined);
  assert.equal(await page.locator("[data-channels] img, [data-problems] img").count(), 0);
  assert.ok(String(await page.locator("[data-channels] li").textContent()).includes(evil));
  await close();
});

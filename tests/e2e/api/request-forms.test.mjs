// Requests as browsers, crawlers and careless programs send them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_HEADERS, ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.start((_, response) => void response.end("ok"));
  const vars = { ADMIN_TOKEN, STATUS_URL: "status.example.com", PLAN: 7, ANSWERS_KEPT: "10" };
  edge = await Edge.start([defineMonitor("api", target.url, { kind: "http" })], { vars });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("a path with a slash behind it redirects, with its query", async () => {
  for (const [path, location] of [
    ["/monitors/api/", "/monitors/api"],
    ["/monitors/api//?range=7d", "/monitors/api?range=7d"],
  ]) {
    const response = await edge.request(path, { redirect: "manual" });
    assert.deepEqual([response.status, response.headers.get("location")], [308, location], path);
  }
  assert.equal((await edge.request("/nope/", { redirect: "manual" })).status, 404);
  const program = await edge.request("/api/v1/status/", { redirect: "manual" });
  assert.equal(program.status, 404, "a program learns of its mistake");
  const post = await edge.request("/monitors/api/", { method: "POST", redirect: "manual" });
  assert.equal(post.status, 404, "a request that changes something is not repeated elsewhere");
});

test("a browser gets a page in place of a problem document, and a program does not", async () => {
  const kindOf = async (/** @type {string} */ path, /** @type {string} */ accept) => {
    const response = await edge.request(path, { headers: { accept } });
    await response.arrayBuffer();
    return [response.status, response.headers.get("content-type")];
  };
  const page = [404, "text/html; charset=utf-8"];
  const problem = [404, "application/problem+json"];
  const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  for (const path of ["/nope", "/monitors/nope", "/incidents/nope-1767225600", "/badge/nope.svg"]) {
    assert.deepEqual(await kindOf(path, browser), page, path);
    assert.deepEqual(await kindOf(path, "*/*"), problem, path);
    assert.deepEqual(await kindOf(path, "text/html;q=0, */*"), problem, path);
  }
  assert.deepEqual(await kindOf("/api/v1/monitors/nope", browser), problem);
});

test("a weight of zero means no", async () => {
  const kindOf = async (/** @type {string} */ accept) => {
    const response = await edge.request("/metrics", { headers: { accept } });
    await response.arrayBuffer();
    return String(response.headers.get("content-type")).split(";")[0];
  };
  assert.equal(
    await kindOf("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"),
    "application/openmetrics-text",
  );
  assert.equal(await kindOf("application/openmetrics-text;q=0,*/*"), "text/plain");
  const languageOf = async (/** @type {string} */ path, /** @type {string} */ language) => {
    const response = await edge.request(path, { headers: { "accept-language": language } });
    await response.arrayBuffer();
    return response.headers.get("content-language");
  };
  assert.equal(await languageOf("/", "de;q=0, fr;q=0.1"), "fr");
  assert.equal(await languageOf("/?lang=de-DE", "fr"), "de");
  assert.equal(await languageOf("/?lang=zh-CN", "fr"), "zh");
  assert.equal(await languageOf("/?lang=DE", "fr"), "de");
});

test("browsers and crawlers find an icon and rules", async () => {
  const icon = await edge.request("/favicon.ico");
  assert.equal(icon.status, 200);
  assert.match(String(icon.headers.get("content-type")), /^image\//);
  assert.equal(Buffer.from(await icon.arrayBuffer()).readUInt16LE(2), 1, "the type of an icon");
  const robots = await edge.request("/robots.txt");
  assert.equal(robots.status, 200);
  assert.match(await robots.text(), /^User-agent: \*\nDisallow: \/api\/\n/);
});

test("a body that is not UTF-8, or gives a key twice, is refused by its field", async () => {
  const put = async (/** @type {BodyInit} */ body) => {
    const headers = { ...ADMIN_HEADERS, "content-type": "application/json" };
    const response = await edge.request("/api/v1/admin/monitors", { method: "PUT", headers, body });
    return [response.status, /** @type {any} */ (await response.json()).detail];
  };
  const invalid = Buffer.concat([Buffer.from('{"monitors":[{"id":"'), Buffer.from([0xff]), Buffer.from('"}]}')]);
  assert.deepEqual(await put(invalid), [400, "body: is not valid UTF-8 after 20 bytes."]);
  const twice = '{"monitors":[{"id":"a","id":"b","kind":"http","url":"https://a.example"}]}';
  assert.deepEqual(await put(twice), [400, "monitors[0].id: given twice; give it once."]);
  assert.deepEqual(await put('{"monitors":[],"monitors":[]}'), [400, "monitors: given twice; give it once."]);
});

test("variables of a wrong type or form are problems of the configuration", async () => {
  const response = await edge.request("/api/v1/admin/status", { headers: ADMIN_HEADERS });
  const { problems } = /** @type {any} */ (await response.json());
  const reasons = Object.fromEntries(problems.map((/** @type {any} */ problem) => [problem.position, problem.reason]));
  assert.match(reasons.STATUS_URL, /`status\.example\.com` should be an address that begins with https:/);
  assert.match(reasons.PLAN, /`7` is not a text in quotes/);
  assert.match(reasons.ANSWERS_KEPT, /renamed to CACHE_TTL/);
});

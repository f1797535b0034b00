// What the edge says of maintenance windows that are far ahead, past or wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { REFUSED_URL } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Edge} */ let edge;

before(async () => {
  const monitors = [{ id: "api", kind: "http", url: REFUSED_URL }];
  const MAINTENANCE = [
    { id: "odd", monitors: ["api", "gone"], schedule: "0 3 * * *", duration: "1h30m" },
    { id: "mars", schedule: "0 3 * * *", duration: "1h", "time-zone": "Mars/Olympus" },
  ];
  edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN, MAINTENANCE } });
  await edge.tick();
});

after(() => edge?.stop());

/** Sets the list of maintenance. @param {object[]} maintenance @returns {Promise<{ applied: boolean, problems: any[] }>} */
const setMaintenance = async (maintenance) =>
  /** @type {any} */ (await (await edge.requestAsAdmin("PUT", "/admin/maintenance", { maintenance })).json());

test("an unknown monitor and an unknown zone of wrangler.toml are problems from the first tick", async () => {
  const response = await edge.requestAsAdmin("GET", "/admin/status");
  const { problems } = /** @type {any} */ (await response.json());
  assert.deepEqual(
    problems.map((/** @type {any} */ { position, reason }) => `${position}: ${reason}`),
    [
      "MAINTENANCE.mars: there is no time zone `Mars/Olympus`, so the entry is ignored",
      "MAINTENANCE.odd.monitors: names the monitor `gone`, which does not exist",
    ],
  );
});

test("a window is announced however far ahead it is", async () => {
  const far = { id: "far", title: "Move", from: "2026-09-01T22:00Z", to: "2026-09-02T02:00Z" };
  assert.deepEqual(await setMaintenance([far]), { applied: true, problems: [] });
  const { maintenance } = await edge.readStatus();
  assert.deepEqual(
    maintenance.map((/** @type {any} */ { id, from, to }) => [id, from, to]),
    [
      ["odd", "2026-01-01T03:00:00Z", "2026-01-01T04:30:00Z"],
      ["far", "2026-09-01T22:00:00Z", "2026-09-02T02:00:00Z"],
    ],
  );
});

test("a window that is over is refused, unless it was set before", async () => {
  const past = { id: "past", from: "2025-12-31T22:00Z", to: "2026-01-01T00:00Z" };
  const refused = await setMaintenance([past]);
  assert.deepEqual(
    [refused.applied, refused.problems],
    [
      false,
      [
        {
          position: "maintenance.past",
          reason: "is over already; set times that are not past, or remove it",
        },
      ],
    ],
  );
  const short = { id: "short", from: "2026-01-01T00:00Z", to: "2026-01-01T00:05Z" };
  assert.equal((await setMaintenance([short])).applied, true);
  await edge.tickTimes(6);
  assert.equal((await setMaintenance([short])).applied, true, "the same list again");
});

test("a wrong time is refused by its name", async () => {
  for (const from of ["soon", "2026-01-31T22:00+99:99", "2026-02-30T22:00Z", "2026-01-31T22:00"]) {
    const { applied, problems } = await setMaintenance([{ id: "w", from, to: "2026-02-01T02:00Z" }]);
    assert.deepEqual([applied, problems.map(({ position }) => position)], [false, ["maintenance[0].from"]], from);
  }
});

// Requests to the public subscription API and to the admin's list of subscriptions.

import { defineMonitor } from "./edge.mjs";

/** @typedef {import("./edge.mjs").Edge} Edge */

const PATH = "/api/v1/subscriptions";

/** @param {Response} response */
const readOutcome = async (response) => ({
  status: response.status,
  /** What the problem document says; empty for a success. */
  detail: response.status < 300 ? "" : /** @type {any} */ (await response.json()).detail,
});

/** Subscribes as a stranger does. @param {Edge} edge @param {unknown} body */
export const subscribe = async (edge, body) =>
  readOutcome(await edge.request(PATH, { method: "POST", body: JSON.stringify(body) }));

/** Unsubscribes as a stranger does. @param {Edge} edge @param {unknown} body */
export const unsubscribe = async (edge, body) =>
  readOutcome(await edge.request(PATH, { method: "DELETE", body: JSON.stringify(body) }));

/** Removes a subscription as the admin. @param {Edge} edge @param {string} url */
export const removeSubscription = async (edge, url) =>
  readOutcome(await edge.requestAsAdmin("DELETE", "/admin/subscriptions", { url }));

/** Lists all subscriptions as the admin. @param {Edge} edge @returns {Promise<any[]>} */
export async function listSubscriptions(edge) {
  const response = await edge.requestAsAdmin("GET", "/admin/subscriptions");
  return /** @type {any} */ (await response.json()).subscriptions;
}

/** Removes all subscriptions as the admin. @param {Edge} edge */
export async function removeAllSubscriptions(edge) {
  for (const { url } of await listSubscriptions(edge)) await removeSubscription(edge, url);
}

/** Two public monitors, `api` and `web`, and a `hidden` one. @param {string} url */
export const defineSubscribedMonitors = (url) => {
  const monitor = { kind: "http", "failure-threshold": 1 };
  return [
    defineMonitor("api", url, monitor),
    defineMonitor("web", url, monitor),
    defineMonitor("hidden", url, { ...monitor, public: false }),
  ];
};

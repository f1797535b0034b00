// Shows what the edge tells this browser, and leads to the page that says more. It answers no request: the page is never its own.

const texts = new URL(self.location).searchParams;

self.addEventListener("push", (event) => {
  const told = event.data?.json() ?? {};
  const title = told.title ?? texts.get("told") ?? "Status";
  const body = told.event === "subscribe" ? new URL(told.page).host : told.text;
  const path = told.monitor ? `/monitors/${encodeURIComponent(told.monitor)}` : "/";
  // One incident is one notification: that it is over takes the place of that it began.
  const options = { body, tag: told.incident ?? "", renotify: Boolean(told.incident), lang: "en", data: path };
  event.waitUntil(self.registration.showNotification(title, options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data));
});

// The vendor gave the browser another address: the edge is told of that one, and finds the old one gone by itself.
self.addEventListener("pushsubscriptionchange", (event) => {
  const again = async () => {
    const options = event.oldSubscription?.options;
    const subscription = event.newSubscription ?? (options && (await self.registration.pushManager.subscribe(options)));
    if (!subscription) return;
    const { endpoint, keys } = subscription.toJSON();
    const body = JSON.stringify({ url: endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } });
    await fetch("/api/v1/subscriptions", { method: "POST", headers: { "content-type": "application/json" }, body });
  };
  event.waitUntil(again());
});

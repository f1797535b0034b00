// The service worker of notifications: shows one for each message of the edge, and opens its page on a click. It handles no requests.

const texts = new URL(self.location).searchParams;

self.addEventListener("push", (event) => {
  const message = event.data?.json() ?? {};
  const title = message.title ?? texts.get("enabled") ?? "Status";
  const body = message.event === "subscribe" ? new URL(message.page).host : message.text;
  const path = message.monitor ? `/monitors/${encodeURIComponent(message.monitor)}` : "/";
  // Messages of one incident replace each other.
  const options = {
    body,
    tag: message.incident ?? message.key ?? "",
    renotify: Boolean(message.key),
    lang: "en",
    data: path,
  };
  event.waitUntil(self.registration.showNotification(title, options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data));
});

// The push service gave the browser another address: this sends it to the edge, which removes the old one when it expires.
self.addEventListener("pushsubscriptionchange", (event) => {
  const resubscribe = async () => {
    const options = event.oldSubscription?.options;
    const subscription = event.newSubscription ?? (options && (await self.registration.pushManager.subscribe(options)));
    if (!subscription) return;
    const { endpoint, keys } = subscription.toJSON();
    const body = JSON.stringify({ url: endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } });
    await fetch("/api/v1/subscriptions", { method: "POST", headers: { "content-type": "application/json" }, body });
  };
  event.waitUntil(resubscribe());
});

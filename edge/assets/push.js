// Subscribes this browser to notifications of incidents. The push service of its vendor gives the browser an address, which this
// script sends to the edge with the browser's keys. The page loads it only if the edge sends notifications; nothing happens before
// the button is pressed.

const WORKER = "/push-worker.js";

/** Encodes bytes as base64url, the encoding of the key in the page. */
const encodeBase64Url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** Registers the subscription with the edge, or removes it. */
async function sendSubscription(method, subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const { p256dh, auth } = keys;
  const response = await fetch("/api/v1/subscriptions", {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: endpoint, keys: { p256dh, auth } }),
  });
  if (!response.ok) throw new Error(`the subscription failed: HTTP status ${response.status}`);
}

/** Finds this browser's subscription for the key of the page. */
async function findSubscription(key) {
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  const own = subscription?.options.applicationServerKey;
  return own && encodeBase64Url(own) === key ? subscription : undefined;
}

async function subscribe({ key, enabled }) {
  const registration = await navigator.serviceWorker.register(`${WORKER}?${new URLSearchParams({ enabled })}`);
  await navigator.serviceWorker.ready;
  // A browser has one subscription at most; one for an older key of the page has to go first.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  try {
    await sendSubscription("POST", subscription);
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
  return subscription;
}

async function unsubscribe(subscription) {
  await sendSubscription("DELETE", subscription);
  await subscription.unsubscribe();
}

/** Makes the button turn notifications on and off. */
export async function addPushToggle(button) {
  const texts = button.dataset;
  let subscription = await findSubscription(texts.key);
  const show = () => {
    button.textContent = subscription ? texts.disable : texts.enable;
  };
  button.hidden = false;
  show();
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      subscription = subscription ? await unsubscribe(subscription) : await subscribe(texts);
      show();
    } catch (error) {
      button.textContent = texts.failed;
      button.title = error.message;
    }
    button.disabled = false;
  });
}

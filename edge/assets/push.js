// A browser that wants to be told of incidents: it asks its vendor for an address, and hands that to the edge with keys of its own.
// Only loaded where the edge sends to browsers, and nothing is asked of anybody who does not press the button.

const WORKER = "/push-worker.js";

/** Bytes as the page writes keys. */
const text = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** Tells the edge of an address, or that it is over. */
async function tell(method, subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const { p256dh, auth } = keys;
  const answer = await fetch("/api/v1/subscriptions", {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: endpoint, keys: { p256dh, auth } }),
  });
  if (!answer.ok) throw new Error(`the edge answered ${answer.status}`);
}

/** The subscription that this browser has for the key of the page. */
async function known(key) {
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  const own = subscription?.options.applicationServerKey;
  return own && text(own) === key ? subscription : undefined;
}

async function begin({ key, told }) {
  const registration = await navigator.serviceWorker.register(`${WORKER}?${new URLSearchParams({ told })}`);
  await navigator.serviceWorker.ready;
  // One for a key that the page no longer has would stand in the way.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  try {
    await tell("POST", subscription);
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
  return subscription;
}

async function end(subscription) {
  await tell("DELETE", subscription);
  await subscription.unsubscribe();
}

/** Has the button ask for messages, and for no more of them. */
export async function offer(button) {
  const words = button.dataset;
  let subscription = await known(words.key);
  const show = () => {
    button.textContent = subscription ? words.end : words.ask;
  };
  button.hidden = false;
  show();
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      subscription = subscription ? await end(subscription) : await begin(words);
      show();
    } catch (error) {
      button.textContent = words.failed;
      button.title = error.message;
    }
    button.disabled = false;
  });
}

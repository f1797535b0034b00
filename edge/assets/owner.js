// The owner's page: whether each alert channel accepts alerts, and the problems of the settings. The token stays in this tab's memory
// and goes to the edge that served the page, as `Authorization`; it is stored nowhere. All text is set as text, as services write some
// of it.

/** Creates an element with text. */
function createElement(name, text, className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

const instant = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" });

/** The class of each state, by which the style sheet colors it. */
const COLORS = { working: "up", failing: "degraded", refusing: "down", unusable: "down" };

/** Describes a channel in one item of the list. `test` is what it did with a test message. */
function createItem(texts, { channel, kind, state, reason, since, next_attempt, waiting }, test) {
  const item = createElement("li", "", COLORS[state]);
  const details = [reason];
  if (since) details.push(`${texts.since} ${instant.format(Date.parse(since))}`);
  if (waiting > 0) details.push(`${texts.waiting}: ${waiting}`);
  if (next_attempt && waiting > 0) details.push(`${texts.next}: ${instant.format(Date.parse(next_attempt))}`);
  if (test) details.push(`${texts.tested}: ${[test.result, test.reply].filter(Boolean).join(": ")}`);
  item.append(createElement("strong", channel), ` (${kind}): `, createElement("span", texts[state], "chip"));
  const detail = details.filter(Boolean).join(" · ");
  if (detail) item.append(createElement("span", ` · ${detail}`, "quiet"));
  return item;
}

/** Makes the form show the channels to whoever has the token. */
export function addOwnerView(form) {
  const [input, message] = [form.querySelector("input"), form.querySelector("[data-message]")];
  const [channels, problems] = ["channels", "problems"].map((name) => document.querySelector(`[data-${name}]`));
  const texts = form.dataset;
  let token = "";

  const request = async (method, path) => {
    const response = await fetch(`/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    const body = await response.json();
    if (!response.ok) throw new Error(response.status === 401 ? texts.refused : body.detail);
    return body;
  };

  /** Shows what is so now, and what came back from a test. */
  const show = async (tests = []) => {
    const [list, status] = [await request("GET", "/admin/channels"), await request("GET", "/admin/status")];
    const items = list.channels.map((it) =>
      createItem(
        texts,
        it,
        tests.find((test) => test.channel === it.channel),
      ),
    );
    if (items.length === 0) items.push(createElement("li", texts.none));
    channels.querySelector("ul").replaceChildren(...items);
    problems
      .querySelector("ul")
      .replaceChildren(...status.problems.map((it) => createElement("li", `${it.position}: ${it.reason}`)));
    channels.hidden = false;
    problems.hidden = status.problems.length === 0;
  };

  /** Runs what a button starts, and says what went wrong. */
  const run = async (button, action) => {
    button.disabled = true;
    message.textContent = "";
    try {
      await action();
    } catch (error) {
      message.textContent = error.message;
    }
    button.disabled = false;
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    token = input.value.trim();
    run(form.querySelector("button"), show);
  });
  const test = channels.querySelector("button");
  test.addEventListener("click", () => run(test, async () => show((await request("POST", "/alerts/test")).channels)));
}

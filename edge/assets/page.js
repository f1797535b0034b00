// The script of every page: the theme switch, times in the visitor's time zone, tooltips and zooming of charts, the filter of a long list,
// and updates. The page is complete without it.

const root = document.documentElement;

/** Makes the button switch between the system's theme, light and dark. The choice is stored in this browser. */
function addThemeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const all = ["auto", "light", "dark"];
  const now = () => root.dataset.theme ?? "auto";
  const show = () => {
    button.textContent = button.dataset[now()];
  };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    const next = all[(all.indexOf(now()) + 1) % all.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch {}
    show();
  });
}

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(root.lang, CLOCK);
const date = new Intl.DateTimeFormat(root.lang, { month: "short", day: "numeric", ...CLOCK });

/** Formats an instant in the visitor's time zone. */
const formatLocal = (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock : date).format(at);

/** Shows every instant in the visitor's time zone, with UTC as its title. */
function localizeTimes(within) {
  for (const time of within.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    time.title = time.textContent;
    time.textContent = formatLocal(at);
  }
  for (const axis of within.querySelectorAll("[data-chart] .x")) {
    const { from, to } = axis.previousElementSibling.querySelector("svg").dataset;
    [...axis.children].forEach((label, index) => {
      label.textContent = formatLocal(Number(from) + ((to - from) * index) / 2);
    });
  }
}

/** Adds a tooltip to a chart, with the row of its table under the pointer. Dragging selects a time range. */
function addChartTooltip(figure) {
  const svg = figure.querySelector("svg");
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => ({
    at: Number(row.dataset.at),
    values: [...row.querySelectorAll("td")].map((cell) => cell.textContent),
  }));
  const names = [...figure.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
  if (!svg || rows.length === 0) return;
  const place = svg.parentElement;
  const [from, to] = [Number(svg.dataset.from), Number(svg.dataset.to)];
  const line = document.createElement("div");
  const tooltip = document.createElement("output");
  const selection = document.createElement("div");
  line.className = "cursor";
  tooltip.className = "tooltip";
  selection.className = "selection";
  for (const part of [line, tooltip, selection]) {
    part.hidden = true;
    place.append(part);
  }
  const share = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  const left = (part) => svg.offsetLeft + part * svg.clientWidth;
  let start;
  const show = (part) => {
    const at = from + (to - from) * part;
    const row = rows.reduce((best, it) => (Math.abs(it.at - at) < Math.abs(best.at - at) ? it : best));
    tooltip.textContent = [
      formatLocal(row.at),
      // A dash is what is not known.
      ...row.values.map((value, index) => `${names[index]} ${value}${value === "–" ? "" : ` ${figure.dataset.unit}`}`),
    ].join(" · ");
    const x = left((row.at - from) / (to - from));
    line.style.left = `${x}px`;
    line.hidden = tooltip.hidden = false;
    if (start !== undefined) {
      const [a, b] = [Math.min(start, part), Math.max(start, part)];
      selection.style.left = `${left(a)}px`;
      selection.style.width = `${left(b) - left(a)}px`;
      selection.hidden = false;
    }
  };
  svg.addEventListener("pointermove", (event) => show(share(event)));
  svg.addEventListener("pointerleave", () => {
    line.hidden = tooltip.hidden = selection.hidden = true;
    start = undefined;
  });
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") start = share(event);
  });
  svg.addEventListener("pointerup", (event) => {
    const end = share(event);
    if (start !== undefined && Math.abs(end - start) > 0.02) {
      const at = (part) => Math.round(from + (to - from) * part);
      const query = new URLSearchParams(location.search);
      query.delete("range");
      query.set("from", String(at(Math.min(start, end))));
      query.set("to", String(at(Math.max(start, end))));
      location.search = query.toString();
    }
    start = undefined;
    selection.hidden = true;
  });
}

/** Adds the field that filters a long list of services by their names. */
function addFilter(within) {
  const field = within.querySelector("[data-filter]");
  if (!field) return;
  const groups = [...within.querySelectorAll("details.group")].map((group) => ({ group, isOpen: group.open }));
  field.closest("p").hidden = false;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const { group, isOpen } of groups) {
      let found = 0;
      for (const service of group.querySelectorAll("article")) {
        service.hidden = !service.querySelector("h3").textContent.toLowerCase().includes(wanted);
        found += service.hidden ? 0 : 1;
      }
      group.hidden = found === 0;
      group.open = wanted ? found > 0 : isOpen;
    }
  });
}

/** Unfolds what the visitor has unfolded, when a part of the page is replaced. */
function keepUnfolded(old, now) {
  const nameOf = (group) => group.querySelector("h2").textContent;
  const open = new Set([...old.querySelectorAll("details.group[open]")].map(nameOf));
  for (const group of now.querySelectorAll("details.group")) group.open ||= open.has(nameOf(group));
}

/** Applies the filter that the visitor has typed, when a part of the page is replaced. */
function keepFilter(old, now) {
  const [from, to] = [old.querySelector("[data-filter]"), now.querySelector("[data-filter]")];
  if (!from?.value || !to) return;
  to.value = from.value;
  to.dispatchEvent(new Event("input"));
}

/** Localizes the times and adds the tooltips and the filter of a part of the page. */
function enhance(within) {
  localizeTimes(within);
  addFilter(within);
  for (const figure of within.querySelectorAll("[data-chart]")) addChartTooltip(figure);
}

/** Updates the page in place, unless it is hidden or the visitor is using it. */
async function refresh() {
  const main = document.querySelector("[data-live]");
  const busy = main?.contains(document.activeElement) || main?.querySelector("details[open]:not(.group)");
  if (!main || busy || document.hidden || location.search.includes("from=")) return;
  const response = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => undefined);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of ["header", "main"]) {
    const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
    if (!old || !now) continue;
    keepUnfolded(old, now);
    enhance(now);
    keepFilter(old, now);
    if (old.isEqualNode(now)) continue;
    old.replaceWith(now);
  }
  document.title = fresh.title;
  const icon = fresh.querySelector("link[rel=icon]");
  if (icon) document.querySelector("link[rel=icon]")?.setAttribute("href", icon.getAttribute("href"));
}

/** Shows the button for notifications, if the edge sends them and the browser supports them. */
async function addPushButton() {
  const button = document.querySelector("[data-push]");
  if (!button || !("serviceWorker" in navigator && "PushManager" in window)) return;
  const { addPushToggle } = await import("/push.js");
  await addPushToggle(button);
}

/** Lets the owner see the alert channels, on the page that has the form for it. */
async function addOwnerForm() {
  const form = document.querySelector("[data-owner]");
  if (form) (await import("/owner.js")).addOwnerView(form);
}

addThemeSwitch();
enhance(document);
addPushButton();
addOwnerForm();
setInterval(refresh, 60_000);

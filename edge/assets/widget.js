// Status widget: docs/badges-and-feeds.md
(async () => {
  const script = document.currentScript;
  const { monitor, lang, theme, refresh } = script.dataset;
  const { origin, host } = new URL(script.src);
  const MARKS = {
    up: "M3 8.5l3.5 3.5L13 4.5",
    degraded: "M8 2.5v7M8 13v.5",
    down: "M4 4l8 8M12 4l-8 8",
    waking: "M8 3v5l3 3",
    maintenance: "M5 3v10M11 3v10",
    unobserved: "M3.5 8h9",
  };
  const WORDS = {
    en: "Operational|Degraded performance|Major outage|Starting|Under maintenance|No data|since {}|as of {}|Unknown",
    de: "Verfügbar|Eingeschränkte Leistung|Größerer Ausfall|Startet|In Wartung|Keine Daten|seit {}|Stand: {}|Unbekannt",
    fr: "Opérationnel|Performances dégradées|Panne majeure|Démarrage|En maintenance|Aucune donnée|depuis {}|état au {}|Inconnu",
    es: "Operativo|Rendimiento degradado|Interrupción grave|Iniciando|En mantenimiento|Sin datos|desde {}|estado a {}|Desconocido",
    zh: "正常|性能下降|严重中断|启动中|维护中|无数据|自 {}|截至 {}|未知",
    ja: "正常|パフォーマンス低下|大規模な障害|起動中|メンテナンス中|データなし|{} から|{} 時点|不明",
  };
  const tag = (lang || document.documentElement.lang || navigator.language).slice(0, 2);
  const code = WORDS[tag] ? tag : "en";
  const words = WORDS[code].split("|");
  const states = Object.keys(MARKS);
  const word = (state) => words[states.indexOf(state)];
  const one = monitor ? `monitors/${encodeURIComponent(monitor)}` : "";

  const node = document.createElement("div");
  const root = node.attachShadow({ mode: "open" });
  const add = (to, name, is = "1999/xhtml") =>
    to.appendChild(document.createElementNS(`http://www.w3.org/${is}`, name));
  const box = add(root, "div");
  const status = add(box, "span");
  const bold = add(status, "b");
  const mark = add(bold, "svg", "2000/svg");
  const path = add(mark, "path", "2000/svg");
  const [name, info, age] = [bold, add(status, "span"), add(status, "i")].map((it) => it.appendChild(new Text()));
  const link = add(box, "a");
  box.lang = code;
  status.role = "status";
  mark.setAttribute("viewBox", "0 0 16 16");
  mark.setAttribute("aria-hidden", "true");
  link.href = `${origin}/${one}?lang=${code}`;
  link.textContent = host;
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(
      ":host{all:initial;display:block}div{--q:light-dark(#565d6b,#a0a8b6);--s:var(--q);color-scheme:light dark;display:inline-flex;flex-wrap:wrap;gap:.2em .6em;padding:.6em .9em;border:1px solid #8886;border-radius:10px;background:canvas;color:canvastext;font:15px/1.4 system-ui,sans-serif;overflow-wrap:anywhere}.light{color-scheme:light}.dark{color-scheme:dark}.up{--s:light-dark(#17703f,#4cc38a)}.degraded{--s:light-dark(#855a00,#e0a83a)}.down{--s:light-dark(#b42323,#ff8a80)}.waking,.maintenance,a{--s:light-dark(#2f5fbf,#86abff)}svg{width:1em;height:1em;margin-inline-end:.4em;vertical-align:-.1em;fill:none;stroke:currentcolor;stroke-width:2.2;stroke-linecap:round}b,a{color:var(--s)}i{font-style:normal;color:var(--q)}",
    );
    root.adoptedStyleSheets = [sheet];
  } catch {}

  const at = (n, when) =>
    words[n].replace("{}", new Date(when).toLocaleString(code, { dateStyle: "medium", timeStyle: "short" }));
  const parse = (body) => {
    if (one) return [body.state, `${body.name} · ${at(6, body.since)}`];
    const count = (state) => body.monitors.filter((it) => it.state === state).length;
    const some = states.filter(count).map((state) => `${word(state)}: ${count(state)}`);
    return [body.status, some.join(" · ")];
  };
  // Screen readers read changes
  const show = (text, to) => {
    if (text.data !== to) text.data = to;
  };

  let last;
  let sent = 0;
  const poll = async () => {
    sent = Date.now();
    let late = true;
    try {
      const reply = await fetch(`${origin}/api/v1/${one || "status"}`, {
        credentials: "omit",
        signal: AbortSignal.timeout(1e4),
      });
      if (reply.ok) {
        const [state, text] = parse(await reply.json());
        late = reply.headers.get("x-heapbeat-stale");
        last = { state: states.includes(state) ? state : "unobserved", text, at: Date.now() - late * 1e3 };
      }
    } catch {}
    const state = last?.state ?? "unobserved";
    box.className = `${state} ${theme}`;
    path.setAttribute("d", MARKS[state]);
    show(name, last ? word(state) : words[8]);
    show(info, ` ${last?.text ?? monitor ?? ""}`);
    show(age, late && last ? ` ${at(7, last.at)}` : "");
  };

  const wait = Math.min(3600, Math.max(15, refresh || 60)) * 1e3;
  const due = () => node.isConnected && !document.hidden && Date.now() - sent >= wait && poll();
  const place = () => (script.closest("head") ? document.body.append(node) : script.after(node));
  await poll();
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
  setInterval(due, wait);
  addEventListener("visibilitychange", due);
})().catch(() => {});

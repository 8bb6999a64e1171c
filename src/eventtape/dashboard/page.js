// Shows what the server says, as text, and tells it what the reader chose.
"use strict";
{
  const the = id => document.getElementById(id);
  const entries = value => value instanceof Map ? value : new Map(Object.entries(value ?? {}));
  const KINDS = new Set(["good", "warn", "bad", "quiet"]);
  let wire = null, dragging = false;

  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const clock = s => new Date(1000 * s).toISOString().replace("T", " ").slice(0, 19) + " UTC";

  const fill = (key, rows) => {
    const table = the(`table-${key}`);
    if (!table) return;
    const body = table.tBodies[0], width = table.tHead.rows[0].cells.length;
    const wanted = rows.length ? rows : [["nothing yet"]];
    while (body.rows.length > wanted.length) body.deleteRow(-1);
    wanted.forEach((cells, i) => {
      let row = body.rows[i] ?? body.insertRow();
      if (row.cells.length !== cells.length) {
        row.replaceChildren(...cells.map((_, j) => {
          const cell = document.createElement(j === 0 && rows.length ? "th" : "td");
          if (j === 0 && rows.length) cell.scope = "row";
          return cell;
        }));
      }
      cells.forEach((cell, j) => {
        const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
        const node = row.cells[j];
        put(node, text);
        if (KINDS.has(kind)) node.dataset.kind = kind; else delete node.dataset.kind;
      });
      if (!rows.length) row.cells[0].colSpan = width;
    });
  };

  const heard = () => {
    watch.heard = Date.now();
    const beat = wire.beat, drawn = wire.drawn_ns;
    requestAnimationFrame(() => {
      wire.setv({seen: beat});
      // Whoever times the page reads here the stamp, ns, of the newest row that is on the screen.
      setTimeout(() => { document.documentElement.dataset.drawnNs = drawn; }, 0);
    });
  };

  const said = () => {
    const now = entries(wire.said);
    if (!now.size) return;
    put(the("mode"), now.get("words"));
    the("mode").dataset.mode = now.get("mode");
    put(the("amiss"), now.get("amiss"));
    put(the("event"), now.get("event"));
    put(the("wall"), now.get("wall"));
    const held = now.get("mode") === "paused" || now.get("mode") === "back";
    the("pause").setAttribute("aria-pressed", String(held));
    the("live").disabled = !held;
    const back = the("back"), known = now.get("last_s") > now.get("first_s") && now.get("first_s") > 0;
    back.disabled = !known;
    if (known && !dragging) {
      back.min = now.get("first_s");
      back.max = now.get("last_s");
      back.value = now.get("shown_s");
      back.setAttribute("aria-valuetext", now.get("event"));
      put(the("back-words"), held ? clock(now.get("shown_s")).slice(11) : "now");
    }
    const until = now.get("until_ns") ? `?until_ns=${now.get("until_ns")}` : "";
    for (const link of document.querySelectorAll("a[href^='/export/']")) {
      const href = link.getAttribute("href").split("?")[0] + until;
      if (link.getAttribute("href") !== href) link.setAttribute("href", href);
    }
  };

  const tables = () => entries(wire.tables).forEach((rows, key) => fill(key, rows));

  const chains = () => {
    const pick = the("chain"), names = wire.chains;
    if (!names.length) return;
    pick.replaceChildren(...names.map(name => {
      const option = document.createElement("option");
      option.value = option.textContent = name;
      return option;
    }));
    pick.disabled = false;
    pick.value = wire.chain || names[0];
  };

  // Figures get their colours when they are made, so another ground is another page; what the
  // reader held and picked comes along.
  const KEPT = "eventtape-kept";
  const turn = () => {
    const dark = document.documentElement.dataset.theme !== "dark";
    document.cookie = `eventtape-dark=${dark ? 1 : 0}; path=/; max-age=31536000; SameSite=Lax`;
    const held = the("live").disabled ? -1 : Number(the("back").value);
    sessionStorage.setItem(KEPT, JSON.stringify({at_s: held, chain: the("chain").value}));
    location.reload();
  };
  const restore = () => {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    sessionStorage.removeItem(KEPT);
    if (kept?.chain) wire.setv({chain: kept.chain});
    if (kept?.at_s >= 0) wire.setv({paused: true, at_s: kept.at_s});
  };

  const bind = () => {
    the("pause").addEventListener("click", () => {
      const held = the("pause").getAttribute("aria-pressed") === "true";
      wire.setv(held ? {at_s: -1, paused: false} : {paused: true});
    });
    the("live").addEventListener("click", () => wire.setv({at_s: -1, paused: false}));
    const back = the("back");
    let last = 0;
    const send = () => wire.setv({paused: true, at_s: Number(back.value)});
    back.addEventListener("input", () => {
      dragging = true;
      put(the("back-words"), clock(Number(back.value)).slice(11));
      clearTimeout(last);
      last = setTimeout(send, 100);
    });
    back.addEventListener("change", () => { clearTimeout(last); send(); dragging = false; });
    the("chain").addEventListener("change", () => wire.setv({chain: the("chain").value}));
    the("dark").addEventListener("click", turn);
    document.addEventListener("visibilitychange", () => wire.setv({hidden: document.hidden}));
    // Only what can be seen is drawn: the rest waits until it is scrolled to.
    const seen = new Set();
    const eye = new IntersectionObserver(changes => {
      for (const {target, isIntersecting} of changes) {
        const key = target.getAttribute("aria-labelledby");
        if (isIntersecting) seen.add(key); else seen.delete(key);
      }
      wire.setv({in_view: [...seen].sort()});
    }, {rootMargin: "200px"});
    document.querySelectorAll("main > section").forEach(section => eye.observe(section));
    restore();
  };

  const wait = setInterval(() => {
    wire = window.Bokeh?.documents?.[0]?.get_model_by_name("wire");
    if (!wire) return;
    clearInterval(wait);
    const on = (name, call) => wire.properties[name].change.connect(call);
    on("beat", heard); on("said", said); on("tables", tables); on("chains", chains); on("chain", chains);
    heard(); said(); tables(); chains(); bind();
  }, 50);
}

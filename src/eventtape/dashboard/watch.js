// Notices when the server goes and brings the page back when it answers again.
"use strict";
if (!document.cookie.includes("eventtape-dark=")) {  // the first visit: as the browser prefers
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.cookie = `eventtape-dark=${dark ? 1 : 0}; path=/; max-age=31536000; SameSite=Lax`;
  if (dark && document.cookie.includes("eventtape-dark=")) location.reload();
}
const watch = {heard: 0, leaving: false};  // heard: when the server last said something, ms
{
  const SILENT_MS = 8000, HUNG_MS = 40000, RETRY_MS = 1000;
  let gone = false;
  const say = words => {
    const box = document.getElementById("gone");
    if (!box || box.textContent === words) return;
    box.hidden = !words;
    box.textContent = words;
  };
  const since = () => watch.heard ? `is of ${new Date(watch.heard).toISOString().slice(11, 19)} UTC` : "is old";
  const knock = async () => {
    try {
      const answer = await fetch("/healthz", {cache: "no-store"});
      if (answer.ok) { location.reload(); return; }
      if (answer.status === 403) say("The server asks for its token again: open its address with ?token=...");
    } catch { /* still gone */ }
    setTimeout(knock, RETRY_MS);
  };
  const lost = () => {
    if (gone || watch.leaving) return;
    gone = true;
    const mode = document.getElementById("mode");
    if (mode) { mode.textContent = "✕ Not connected"; mode.dataset.mode = "gone"; }
    say(`The server does not answer: what you see ${since()}. The page comes back by itself.`);
    setTimeout(knock, RETRY_MS);
  };
  // Bokeh's connection is the page's only websocket: its end is the end of what we are told.
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener("close", lost);
    }
  };
  addEventListener("pagehide", () => { watch.leaving = true; });
  addEventListener("pageshow", event => { if (event.persisted) location.reload(); });
  // A line that has gone silent without closing: a busy server, or a laptop's sleep.
  setInterval(() => {
    const silent = Date.now() - watch.heard;
    if (gone || !watch.heard) return;
    if (document.hidden) watch.heard = Date.now();
    else if (silent > HUNG_MS) lost();
    else say(silent > SILENT_MS ? `The server is silent: what you see ${since()}.` : "");
  }, RETRY_MS);
}

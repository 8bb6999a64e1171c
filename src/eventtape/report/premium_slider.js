"use strict";
// The stripped term structure as the reader moves the size. One line of algebra, the same as in
// figures/premium_slider.py; everything else here is words. No eval: the page forbids it.
(() => {
  const YEAR_DAYS = 365;
  const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(2)}%` : "—");

  function stripped(parts, size, others) {
    return parts.variance.map((total, i) => {
      const left = total - size * size * parts.column[i] - (others ? parts.others[i] : 0);
      return left >= 0 ? Math.sqrt((left / parts.days[i]) * YEAR_DAYS) : NaN;
    });
  }

  // Squared changes of slope from expiry to expiry, in squared vol points: what the eye calls kinks.
  function roughness(iv) {
    let sum = iv.length < 3 ? NaN : 0;
    for (let i = 1; i < iv.length - 1; i += 1) {
      const bend = 100 * (iv[i - 1] - 2 * iv[i] + iv[i + 1]);
      sum += bend * bend;
    }
    return sum;
  }

  function drawn(name) {
    for (const doc of window.Bokeh?.documents ?? []) {
      const source = doc.get_model_by_name(name);
      if (source !== null) return source;
    }
    return null;
  }

  function place(parts, size) {
    if (!Number.isFinite(parts.lower)) return "no estimate to compare with";
    const where = size < parts.lower ? "below" : size > parts.upper ? "above" : "inside";
    return `${where} the interval ${percent(parts.lower)} to ${percent(parts.upper)}`;
  }

  function start(box) {
    const parts = JSON.parse(box.dataset.slider);
    const [range, others] = [box.querySelector("[type=range]"), box.querySelector("[type=checkbox]")];
    const say = (name, text) => { box.querySelector(`[data-say=${name}]`).textContent = text; };

    function move() {
      const size = Number(range.value) / 100;
      const out = others === null || others.checked;
      const iv = stripped(parts, size, out);
      const rough = roughness(iv);
      const daily = iv[parts.near] / Math.sqrt(YEAR_DAYS);
      const short = iv.filter((value) => !Number.isFinite(value)).length;
      range.setAttribute("aria-valuetext", `${percent(size)}, ${place(parts, size)}`);
      say("size", percent(size));
      say("place", place(parts, size));
      const none = iv.length < 3 ? "— needs three expiries" : "— takes more than an expiry holds";
      say("rough", Number.isFinite(rough) ? rough.toFixed(2) : none);
      const best = Number.isFinite(parts.size) ? roughness(stripped(parts, parts.size, out)) : NaN;
      say("best", Number.isFinite(best) ? best.toFixed(2) : "—");
      say("daily", percent(daily));
      say("day", percent(Math.hypot(size, daily)));
      say("mean", percent(size * Math.sqrt(2 / Math.PI)));
      say("short", short === 0 ? "none" : `${short} of ${iv.length}, left blank`);
      const source = drawn(box.dataset.source);
      if (source !== null) source.data = { ...source.data, y: iv.map((value) => 100 * value) };
    }

    range.addEventListener("input", move);
    others?.addEventListener("change", move);
    box.querySelector("button").addEventListener("click", () => {
      range.value = String(100 * parts.start);
      if (others !== null) others.checked = true;
      move();
    });
    range.value = String(100 * parts.start); // browsers keep a moved one over a reload
    if (others !== null) others.checked = true;
    move();
  }

  document.querySelectorAll("[data-slider]").forEach(start);
})();

"use strict";
// Other weights: the order follows; certainty from shares won in resampled images
const replicates = (() => {
  const bytes = Uint8Array.from(atob(board.replicates.values), (sign) => sign.charCodeAt(0));
  return new Uint16Array(bytes.buffer);
})();
function normalTail(z) {
  // Two-sided; Abramowitz and Stegun 7.1.26, error below 1.5e-7
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return series * Math.exp(-x * x);
}
const spread = (values) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
};
function holm(p) {
  const order = p.map((_, i) => i).sort((a, b) => p[a] - p[b]);
  let most = 0;
  const adjusted = new Array(p.length);
  order.forEach((i, place) => (adjusted[i] = most = Math.max(most, Math.min(1, (p.length - place) * p[i]))));
  return adjusted;
}
function reweighed(weights) {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (!sum) return null;
  const w = weights.map((weight) => weight / sum);
  const share = board.shares.map((own) => own.reduce((total, value, m) => total + w[m] * value, 0));
  const size = w.length;
  const drawn = board.methods.map((_, k) =>
    Array.from({ length: board.replicates.count }, (_, r) => {
      const start = (r * board.methods.length + k) * size;
      return w.reduce((total, weight, m) => total + weight * replicates[start + m], 0) / 65535;
    }),
  );
  const pairs = [];
  for (let a = 0; a < drawn.length; a++) for (let b = a + 1; b < drawn.length; b++) pairs.push([a, b]);
  const p = holm(pairs.map(([a, b]) => {
    const error = spread(drawn[a].map((value, r) => value - drawn[b][r]));
    const difference = share[board.methods[a]] - share[board.methods[b]];
    return error > 0 ? normalTail(difference / error) : 1;
  }));
  const apart = new Map(pairs.map(([a, b], i) => [`${a} ${b}`, p[i]]));
  const order = board.methods.map((_, k) => k).sort((a, b) => share[board.methods[b]] - share[board.methods[a]]);
  return { share, order, error: drawn.map(spread), p: (a, b) => apart.get(a < b ? `${a} ${b}` : `${b} ${a}`) };
}
// A method meets itself as a tie, so that controls and methods stand on one scale
function placed(share, entry) {
  const count = board.methods.length;
  const fair = (one) => (board.methods.includes(one) ? (share[one] * (count - 1) + 0.5) / count : share[one]);
  if (board.floor === undefined || board.ceiling === undefined || board.floor === null || board.ceiling === null) return share[entry];
  const height = share[board.ceiling] - share[board.floor];
  return height > 0 ? (fair(entry) - share[board.floor]) / height : NaN;
}
const rowOf = new Map(initial.map((row) => [Number(row.dataset.entry), row]));
const written = new Map(initial.map((row) => [row, [row.cells[0].textContent, row.cells[2].innerHTML, row.cells[2].dataset.value]]));
function byDefault(yes) {
  at("reweighted").hidden = yes;
  document.querySelectorAll(".stale").forEach((note) => (note.hidden = yes));
  document.querySelectorAll("[data-by-default]").forEach((part) => part.classList.toggle("faded", !yes));
}
function arrange(rows) {
  unsorted = [...rows];
  sortBy("place", "");
  keep("sort", "");
}
function writeDefault() {
  for (const [row, [rank, place, value]] of written) {
    row.cells[0].textContent = rank;
    row.cells[2].innerHTML = place;
    row.cells[2].dataset.value = value;
  }
  byDefault(true);
  arrange(initial);
  keep("weights", "");
}
const short = (place) => (Number.isNaN(place) ? "—" : place.toFixed(2).replace(/^(-?)0\./, "$1.").replace("-", "−"));
function writePlace(row, place) {
  const bar = make("i", undefined, "bar");
  const where = 100 * Math.min(1, Math.max(0, place));
  bar.style.cssText = `--m:${where};--a:${where};--b:${where}`;
  row.cells[2].dataset.value = place;
  row.cells[2].replaceChildren(make("span", short(place), "figure"), bar);
}
function reweigh() {
  const found = reweighed(sliders.map((slider) => Number(slider.value)));
  byDefault(false);
  keep("weights", sliders.map((slider) => Number(slider.value).toFixed(0)).join("."));
  if (!found) return (at("reweighted").textContent = "With no weight on any metric there is no order.");
  for (const [entry, row] of rowOf) writePlace(row, placed(found.share, entry));
  found.order.forEach((k, place) => (rowOf.get(board.methods[k]).cells[0].textContent = place + 1));
  const ranked = found.order.map((k) => rowOf.get(board.methods[k]));
  arrange([...ranked, ...initial.filter((row) => !ranked.includes(row))]);
  const [best, second] = found.order;
  const name = (k) => board.entries[board.methods[k]];
  const p = found.p(best, second);
  // Images alone are drawn anew here, and say nothing of other networks
  const where = board.level === "images" ? "" : " on these very networks";
  const said = p < 0.05 ? `significantly ahead of ${name(second)}${where}` : `not to be told from ${name(second)}`;
  at("reweighted").textContent = `With these weights ${name(best)} comes first, with ${(100 * found.share[board.methods[best]]).toFixed(0)}% of its comparisons won, ${said} (${chance(p)}, approximate).`;
}
const sliders = !at("weights") ? [] : board.metrics.map((label, m) => {
  const line = make("label");
  const slider = make("input");
  slider.shown = make("output");
  Object.assign(slider, { type: "range", min: 0, max: 100, step: 0.1, value: 100 * board.weights[m], ariaLabel: `weight of ${label}` });
  slider.addEventListener("input", () => { writeShares(); reweigh(); });
  line.append(make("span", label), slider, slider.shown);
  at("weights").append(line);
  return slider;
});
function writeShares() {
  const sum = sliders.reduce((total, slider) => total + Number(slider.value), 0);
  sliders.forEach((slider) => (slider.shown.textContent = `${Number(slider.value).toFixed(0)} → ${sum ? ((100 * slider.value) / sum).toFixed(0) : 0}%`));
}
writeShares();
for (const button of document.querySelectorAll(".reset")) {
  button.addEventListener("click", () => {
    sliders.forEach((slider, m) => (slider.value = 100 * board.weights[m]));
    writeShares();
    writeDefault();
  });
}

"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const board = data.board;
const at = (id) => document.getElementById(id);
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const named = (tag, text, className) => {
  const node = make(tag, undefined, className);
  text.split(/(?<=[_(,=/])/).forEach((part, i) => node.append(...(i ? [make("wbr")] : []), part));
  return node;
};
const fill = (select, labels, values) => labels.forEach((label, i) => select.append(new Option(label, values ? values[i] : i)));
const chance = (p) => (p < 0.001 ? "p < 0.001" : p > 0.999 ? "p = 1" : `p = ${p.toFixed(3)}`);

// Theme, kept where the browser lets a page keep something
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const kept = (write) => { try { return write ? localStorage.setItem("heatmark-theme", write) : localStorage.getItem("heatmark-theme"); } catch { return null; } };
if (kept()) root.dataset.theme = kept();
at("theme").addEventListener("click", () => {
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  kept(root.dataset.theme);
});

// The board: sorting, filtering, columns
const table = at("scores");
const body = table.tBodies[0];
const initial = [...body.rows];
let unsorted = [...initial]; // the order over all metrics, by the weights in force
const byPlace = () => table.dataset.show === "1";
const valueIn = (row, column) => {
  const { value, place } = row.cells[column].dataset;
  if (value === undefined) return row.cells[column].textContent.trim();
  return Number(byPlace() && place !== undefined ? place : value);
};
function sortBy(head) {
  const column = head.cellIndex;
  const text = head.dataset.better === undefined;
  const before = head.getAttribute("aria-sort");
  const best = text || (head.dataset.better === "lower" && !byPlace()) ? "ascending" : "descending";
  const other = best === "ascending" ? "descending" : "ascending";
  table.querySelectorAll("th[aria-sort]").forEach((th) => th.removeAttribute("aria-sort"));
  if (before === other) return body.append(...unsorted);
  const direction = before === best ? other : best;
  const sign = direction === "ascending" ? 1 : -1;
  head.setAttribute("aria-sort", direction);
  const rows = [...unsorted].sort((a, b) => {
    const aside = a.classList.contains("control") - b.classList.contains("control");
    if (aside) return aside;
    const [one, two] = [valueIn(a, column), valueIn(b, column)];
    if (text) return sign * one.localeCompare(two);
    if (Number.isNaN(one) || Number.isNaN(two)) return Number.isNaN(one) - Number.isNaN(two);
    return sign * (one - two);
  });
  body.append(...rows);
}
table.tHead.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) sortBy(button.closest("th"));
});
function filterRows() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of initial) {
    const name = `${row.dataset.key} ${row.querySelector(".name").textContent.toLowerCase()}`;
    const control = row.classList.contains("control");
    row.hidden = (control && !at("controls").checked) || !words.every((word) => name.includes(word));
  }
  at("none").hidden = initial.some((row) => !row.hidden);
}
at("filter").addEventListener("input", filterRows);
at("controls").addEventListener("change", filterRows);
at("show").addEventListener("change", () => {
  const [chosen] = at("show").selectedOptions;
  table.dataset.show = chosen.value;
  at("said").textContent = chosen.dataset.said ?? "";
  at("said").hidden = !chosen.dataset.said;
  reorder(unsorted);
});
at("columns").addEventListener("change", (event) => {
  table.querySelectorAll(`[data-column="${event.target.value}"]`).forEach((cell) => (cell.hidden = !event.target.checked));
});

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
const winsCells = new Map(initial.map((row) => [Number(row.dataset.entry), row]));
const written = new Map(initial.map((row) => [row, [row.cells[0].innerHTML, row.cells[2].innerHTML, row.cells[2].className, row.cells[2].dataset.value]]));
function writeDefault() {
  for (const [row, [place, wins, className, value]] of written) {
    row.cells[0].innerHTML = place;
    row.cells[2].innerHTML = wins;
    row.cells[2].className = className;
    row.cells[2].dataset.value = value;
  }
  at("reweighted").hidden = true;
  reorder(initial);
}
function reorder(rows) {
  unsorted = [...rows];
  table.querySelectorAll("th[aria-sort]").forEach((th) => th.removeAttribute("aria-sort"));
  body.append(...rows);
}
function writeWins(row, share, error, note) {
  const cell = row.cells[2];
  const bar = make("i", undefined, "bar");
  bar.style.cssText = `--m:${100 * share};--a:${100 * Math.max(0, share - 1.96 * error)};--b:${100 * Math.min(1, share + 1.96 * error)}`;
  cell.dataset.value = share;
  cell.className = `wins ${note === "best" ? "best" : ""}`;
  cell.replaceChildren(`${(100 * share).toFixed(0)}%`, ...(note === "tied" ? [" ", make("span", "≈", "tie")] : []), bar);
}
function reweigh() {
  const found = reweighed(sliders.map((slider) => Number(slider.value)));
  at("reweighted").hidden = false;
  if (!found) return (at("reweighted").textContent = "With no weight on any metric there is no order.");
  for (const [entry, row] of winsCells) writeWins(row, found.share[entry], 0, "");
  const [best, second] = found.order;
  found.order.forEach((k, place) => {
    const row = winsCells.get(board.methods[k]);
    row.cells[0].textContent = place + 1;
    writeWins(row, found.share[board.methods[k]], found.error[k], place === 0 ? "best" : found.p(best, k) >= 0.05 ? "tied" : "");
  });
  const ranked = found.order.map((k) => winsCells.get(board.methods[k]));
  reorder([...ranked, ...initial.filter((row) => !ranked.includes(row))]);
  if (found.order.length < 2) return (at("reweighted").textContent = "There are not two methods to order.");
  const name = (k) => board.entries[board.methods[k]];
  const p = found.p(best, second);
  const sure = p < 0.05 ? `surely ahead of ${name(second)}` : `not surely ahead of ${name(second)}`;
  at("reweighted").textContent = `Custom weights: the board follows, cards and figures stay. With these weights ${name(best)} comes first with ${(100 * found.share[board.methods[best]]).toFixed(0)}% of its comparisons won, ${sure} (${chance(p)}, approximate).`;
}
const sliders = board.metrics.map((label, m) => {
  const line = make("label");
  const slider = make("input");
  const shown = make("output");
  Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.001, value: board.weights[m] });
  slider.addEventListener("input", () => { writeShares(); reweigh(); });
  slider.shown = shown;
  line.append(named("span", label), slider, shown);
  at("weights").append(line);
  return slider;
});
function writeShares() {
  const sum = sliders.reduce((total, slider) => total + Number(slider.value), 0);
  sliders.forEach((slider) => (slider.shown.textContent = `${sum ? ((100 * slider.value) / sum).toFixed(0) : 0}%`));
}
writeShares();
at("reset").addEventListener("click", () => {
  sliders.forEach((slider, m) => (slider.value = board.weights[m]));
  writeShares();
  writeDefault();
});
writeDefault();

// Two methods, head to head
const methodLabels = board.methods.map((entry) => board.entries[entry]);
function duel() {
  const [a, b] = [Number(at("one").value), Number(at("other").value)];
  const lines = at("duel").tBodies[0];
  lines.replaceChildren();
  if (a === b || methodLabels.length < 2) return;
  const [i, j] = a < b ? [a, b] : [b, a];
  const position = (i * (2 * methodLabels.length - i - 1)) / 2 + (j - i - 1);
  board.metrics.forEach((label, m) => {
    const pair = board.pairs[m];
    const [effect, difference, p] = [pair.effect[position], pair.difference[position], pair.p[position]];
    const line = lines.insertRow();
    line.append(named("td", label, "label"));
    const flipped = a > b;
    line.append(make("td", effect === null ? "—" : `${(100 * (flipped ? 1 - effect : effect)).toFixed(0)}% of images`, "n"));
    line.append(make("td", difference === null ? "—" : String(flipped ? -difference : difference), "n"));
    const verdict = p === null ? "not tested" : p < 0.05 ? ((flipped ? -difference : difference) > 0 ? "A is better" : "B is better") : "no";
    line.append(make("td", p === null ? verdict : `${verdict} (${chance(p)})`, `sure ${verdict === "A is better" ? "good" : verdict === "B is better" ? "care" : "muted"}`));
  });
}
fill(at("one"), methodLabels);
fill(at("other"), methodLabels);
if (methodLabels.length > 1) at("other").value = 1;
at("one").addEventListener("change", duel);
at("other").addEventListener("change", duel);
duel();

// Gallery
const order = initial.map((row) => Number(row.dataset.entry));
const drawn = order.filter((e) => data.gallery.images.some((image) => image.heatmaps[e]));
function picture(address, caption, score, picked) {
  const figure = make("figure", undefined, picked ? "picked" : "");
  if (address) {
    const image = make("img");
    Object.assign(image, { src: address, alt: caption });
    figure.append(image);
  } else figure.append(make("div", "none", "none"));
  const text = named("figcaption", caption);
  if (score !== undefined) text.append(make("br"), make("b", score === null ? "—" : String(Number(score.toPrecision(3)))));
  figure.append(text);
  return figure;
}
function strip(title, image, metric, entry) {
  const box = make("div", undefined, "case");
  const line = make("div", undefined, "strip");
  line.style.setProperty("--least", drawn.length < 5 ? "10rem" : "6.4rem");
  box.append(make("h3", title), line);
  if (image.image) line.append(picture(image.image, "image"));
  if (image.truth) line.append(picture(image.truth, "truth"));
  for (const e of drawn) line.append(picture(image.heatmaps[e], board.entries[e], image.scores[e][metric], e === entry));
  return box;
}
function cases() {
  const images = data.gallery.images;
  const [metric, entry] = [Number(at("by").value), Number(at("of").value)];
  const which = at("which").value;
  at("cases").replaceChildren();
  if (which !== "") return at("cases").append(strip(images[which].id, images[which], metric, entry));
  const better = table.tHead.querySelector(`[data-column="${metric}"]`).dataset.better === "lower" ? 1 : -1;
  const scored = images.filter((image) => image.scores[entry][metric] !== null);
  scored.sort((a, b) => better * (a.scores[entry][metric] - b.scores[entry][metric]));
  const wanted = [["Best", 0], ["Median", Math.floor((scored.length - 1) / 2)], ["Worst", scored.length - 1]];
  const shown = new Set();
  const mean = table.querySelector(`tr[data-entry="${entry}"] td[data-column="${metric}"] .s0`)?.textContent ?? "—";
  for (const [word, place] of wanted) {
    if (!scored[place] || shown.has(place)) continue;
    shown.add(place);
    at("cases").append(strip(`${word} of ${scored.length} samples for ${board.entries[entry]} (its mean over the board: ${mean}): ${scored[place].id}`, scored[place], metric, entry));
  }
  if (!scored.length) at("cases").append(make("p", "No sample image has a score for this entry under this metric.", "note"));
}
if (at("gallery")) {
  fill(at("by"), board.metrics);
  fill(at("of"), drawn.map((e) => board.entries[e]), drawn);
  fill(at("which"), data.gallery.images.map((image) => image.id));
  for (const id of ["by", "of", "which"]) at(id).addEventListener("change", cases);
  cases();
}

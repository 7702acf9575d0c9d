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
  const left = at("controls").checked ? "" : " The controls are hidden.";
  if (!words.length) return (at("none").textContent = "There are only controls, and they are hidden.");
  at("none").textContent = `No entry has ${words.map((word) => `“${word}”`).join(" and ")} in the name of its method, recipe or network.${left}`;
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
const menu = at("columns").parentElement;
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
at("columns").addEventListener("change", (event) => {
  table.querySelectorAll(`[data-column="${event.target.value}"]`).forEach((cell) => (cell.hidden = !event.target.checked));
});

// Two methods, head to head
const methodLabels = board.methods.map((entry) => board.entries[entry]);
function duel() {
  const [a, b] = [Number(at("one").value), Number(at("other").value)];
  const lines = at("duel").tBodies[0];
  lines.replaceChildren();
  at("alone").hidden = a !== b && methodLabels.length > 1;
  at("alone").textContent = methodLabels.length < 2 ? "There are not two methods to compare." : "A and B are the same method: choose another for one of them.";
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
    const verdict = pair.equal[position] ? "equal on every image" : p === null ? "not tested" : p < 0.05 ? ((flipped ? -difference : difference) > 0 ? "A is better" : "B is better") : "no";
    line.append(make("td", p === null || pair.equal[position] ? verdict : `${verdict} (${chance(p)})`, `sure ${verdict === "A is better" ? "good" : verdict === "B is better" ? "care" : "muted"}`));
  });
}
fill(at("one"), methodLabels);
fill(at("other"), methodLabels);
if (methodLabels.length > 1) at("other").value = 1;
at("one").addEventListener("change", duel);
at("other").addEventListener("change", duel);
duel();

// Whatever is wider than its place says so
function sideways() {
  for (const box of document.querySelectorAll(".scroll, .figures figure")) {
    box.querySelector(":scope > .sideways").hidden = box.scrollWidth <= box.clientWidth + 1;
  }
}
for (const box of document.querySelectorAll(".scroll, .figures figure")) {
  const hint = make("p", "scrolls sideways →", "sideways");
  hint.hidden = true;
  box.prepend(hint);
}
addEventListener("resize", sideways);
for (const id of ["columns", "show"]) at(id).addEventListener("change", sideways);
sideways();

"use strict";
const at = (id) => document.getElementById(id);
const data = JSON.parse(at("data").textContent);
const board = data.board;
function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}
const chance = (p) => (p < 0.001 ? "p < 0.001" : p > 0.999 ? "p = 1" : `p = ${p.toFixed(3)}`);

// What the reader has set is in the address, so that a link shows the same
const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
if (location.hash && !location.hash.includes("=")) state.set("at", location.hash.slice(1));
function keep(name, value) {
  if (value === undefined || value === "" || value === null) state.delete(name);
  else state.set(name, value);
  history.replaceState(null, "", state.size ? `#${state}` : "#");
}
function go(id) {
  const target = at(id);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  keep("at", link.hash.slice(1));
  go(link.hash.slice(1));
});

// Theme, citing, sharing
const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
at("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; });
async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", text, "sr");
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  at("copied").textContent = said;
}
function answering(button, text, said) {
  const before = button.textContent;
  button.addEventListener("click", async () => {
    await copy(text(), said);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 1500);
  });
}
answering(at("cite"), () => at("bibtex").textContent, "The BibTeX entry is copied.");
answering(at("share"), () => location.href, "The address of what is shown is copied.");

// The table: sorting, filter, columns, folded protocols
const table = at("scores");
const initial = table ? [...table.tBodies[0].rows] : [];
let unsorted = [...initial];
function valueIn(row, column) {
  const cell = column === "place" ? row.cells[2] : row.querySelector(`td[data-column="${column}"]`);
  return Number(cell.dataset.value);
}
function sortBy(column, direction) {
  table.querySelectorAll("th[aria-sort]").forEach((th) => th.removeAttribute("aria-sort"));
  if (!direction) return table.tBodies[0].append(...unsorted);
  const head = column === "name" ? table.tHead.querySelector("th.name") : table.tHead.querySelector(`th[data-column="${column}"]`);
  if (!head) return;
  head.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...unsorted].sort((a, b) => {
    const aside = a.classList.contains("control") - b.classList.contains("control");
    if (aside) return aside;
    if (column === "name") return sign * a.cells[1].textContent.localeCompare(b.cells[1].textContent);
    const [one, two] = [valueIn(a, column), valueIn(b, column)];
    if (Number.isNaN(one) || Number.isNaN(two)) return Number.isNaN(one) - Number.isNaN(two);
    return sign * (one - two);
  });
  table.tBodies[0].append(...rows);
}
function cycle(head) {
  const column = head.dataset.column ?? "name";
  const best = column === "name" || head.dataset.better === "lower" ? "ascending" : "descending";
  const other = best === "ascending" ? "descending" : "ascending";
  const before = head.getAttribute("aria-sort");
  const direction = before === other ? "" : before === best ? other : best;
  sortBy(column, direction);
  keep("sort", direction && `${column}.${direction}`);
}
function filterRows() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of initial) {
    const control = row.classList.contains("control");
    row.hidden = (control && !at("controls").checked) || !words.every((word) => row.dataset.key.includes(word));
  }
  at("none").hidden = initial.some((row) => !row.hidden);
  at("none").textContent = words.length ? `No method has ${words.map((word) => `“${word}”`).join(" and ")} in its name.` : "There are only controls, and they are hidden.";
  keep("filter", at("filter").value.trim());
  keep("controls", at("controls").checked ? "" : "no");
}
function showColumn(column, shown) {
  table.querySelectorAll(`[data-column="${column}"]`).forEach((cell) => (cell.hidden = !shown));
  if (!shown) for (const button of table.querySelectorAll(`th[data-column="${column}"] .fold`)) unfold(button, false);
  for (const head of table.querySelectorAll("[data-columns]")) {
    const own = head.dataset.columns.split(" ").filter((one) => !table.querySelector(`th[data-column="${one}"]`).hidden);
    head.colSpan = Math.max(own.length, 1);
    head.hidden = !own.length;
  }
}
function unfold(button, open) {
  button.setAttribute("aria-expanded", open);
  for (const column of button.dataset.folds.split(" ")) showColumn(column, open);
}
const hiddenColumns = () => [...at("columns").querySelectorAll("input:not(:checked)")].map((box) => box.value).join(".");
if (table) {
  table.tHead.addEventListener("click", (event) => {
    if (event.target.closest(".sort")) cycle(event.target.closest("th"));
    const fold = event.target.closest(".fold");
    if (fold) unfold(fold, fold.getAttribute("aria-expanded") !== "true");
  });
  at("filter").addEventListener("input", filterRows);
  at("controls").addEventListener("change", filterRows);
  at("intervals").addEventListener("change", () => { table.classList.toggle("intervals", at("intervals").checked); keep("intervals", at("intervals").checked ? "yes" : ""); });
  at("columns").addEventListener("change", (event) => { showColumn(event.target.value, event.target.checked); keep("hide", hiddenColumns()); });
  const menu = at("columns").parentElement;
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  for (const head of table.querySelectorAll("[data-columns]")) showColumn(head.dataset.columns.split(" ")[0], true);
}

// Two methods, head to head: two names clicked
const picked = [];
function duel() {
  for (const row of initial) row.querySelector(".pick")?.setAttribute("aria-pressed", picked.includes(Number(row.dataset.entry)));
  const [a, b] = picked.map((entry) => board.methods.indexOf(entry));
  at("duel").hidden = picked.length < 2;
  keep("meet", picked.join("."));
  if (picked.length < 2) return;
  at("duel-title").textContent = `${board.entries[picked[0]]} and ${board.entries[picked[1]]}, head to head`;
  const lines = at("duel").querySelector("tbody");
  lines.replaceChildren();
  const count = board.methods.length;
  const [i, j] = a < b ? [a, b] : [b, a];
  const position = (i * (2 * count - i - 1)) / 2 + (j - i - 1);
  const flipped = a > b;
  board.metrics.forEach((label, m) => {
    const pair = board.pairs[m];
    const [effect, difference, p] = [pair.effect[position], pair.difference[position], pair.p[position]];
    const line = lines.insertRow();
    const ahead = flipped ? -difference : difference;
    const head = make("th", label);
    head.scope = "row";
    line.append(head);
    line.append(make("td", effect === null ? "—" : `${(100 * (flipped ? 1 - effect : effect)).toFixed(0)}% of images`, "n"));
    line.append(make("td", difference === null ? "—" : String(ahead), "n"));
    const verdict = pair.equal[position] ? "equal on every image" : p === null ? "not tested" : p < 0.05 ? `${board.entries[picked[ahead > 0 ? 0 : 1]]} is better` : "no";
    line.append(make("td", p === null || pair.equal[position] ? verdict : `${verdict} (${chance(p)})`, verdict.endsWith("better") ? "good" : "muted"));
  });
}
if (table) {
  table.tBodies[0].addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    if (!button) return;
    const entry = Number(button.closest("tr").dataset.entry);
    if (!board.methods.includes(entry)) return;
    if (picked.includes(entry)) picked.splice(picked.indexOf(entry), 1);
    else if (picked.push(entry) > 2) picked.shift();
    duel();
  });
}

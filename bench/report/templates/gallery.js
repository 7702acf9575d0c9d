"use strict";
// Gallery: rows are images, columns methods; a click opens one large
const gallery = data.gallery;
const rounded = (score) => (score === null || score === undefined ? "—" : String(Number(score.toPrecision(3))));
function layered(row, line) {
  const parts = [];
  const picture = (source, alt) => Object.assign(make("img"), { src: source, alt });
  if (row.image) parts.push(picture(row.image, ""));
  if (line !== null && row.maps[line]) parts.push(Object.assign(picture(row.maps[line], ""), { className: "map" }));
  if (row.outline) parts.push(picture(row.outline, ""));
  return parts;
}
function tile(row, r, line) {
  const cell = make("td");
  if (line !== null && !row.maps[line]) return cell;
  const button = make("button", undefined, "tile");
  button.type = "button";
  const name = line === null ? "the image" : gallery.lines[line].name;
  button.setAttribute("aria-label", `${name}, ${row.id}: open large`);
  button.append(...layered(row, line));
  if (line !== null) button.append(Object.assign(make("b"), { line, row: r }));
  button.addEventListener("click", () => enlarge(r, line ?? gallery.lines.findIndex((_, l) => row.maps[l])));
  cell.append(button);
  return cell;
}
function drawGallery() {
  const head = make("tr");
  const withImage = gallery.rows.some((row) => row.image);
  head.append(make("td"), ...(withImage ? [make("th", "image")] : []));
  for (const line of gallery.lines) head.append(Object.assign(make("th", line.name), { title: line.code }));
  head.querySelectorAll("th").forEach((cell) => (cell.scope = "col"));
  at("pictures").append(make("thead"), make("tbody"));
  at("pictures").tHead.append(head);
  gallery.rows.forEach((row, r) => {
    const line = at("pictures").tBodies[0].insertRow();
    const name = make("th", [row.why && `Where ${row.why}`, row.network, row.id].filter(Boolean).join(" · "));
    name.scope = "row";
    line.append(name, ...(withImage ? [tile(row, r, null)] : []), ...gallery.lines.map((_, l) => tile(row, r, l)));
  });
}
function writeScores() {
  const metric = Number(at("scored").value);
  for (const corner of at("pictures").querySelectorAll(".tile b")) corner.textContent = rounded(gallery.rows[corner.row].scores[corner.line][metric]);
  keep("score", metric || "");
}
function fade() {
  at("pictures").style.setProperty("--map", at("overlay").value / 100);
  for (const map of at("pictures").querySelectorAll(".map")) if (gallery.rows.some((row) => row.image)) map.style.opacity = at("overlay").value / 100;
  keep("overlay", at("overlay").value === "100" ? "" : at("overlay").value);
}
// Large: the image with pixels removed in the order of the stored rank map, the map, and the deletion curve
const loaded = (source) => new Promise((done) => { const image = new Image(); image.onload = () => done(image); image.src = source; });
async function pixels(source) {
  const image = await loaded(source);
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
let opened = null;
async function enlarge(r, line) {
  const [row, own] = [gallery.rows[r], gallery.lines[line]];
  at("large-title").textContent = `${own.name} on ${row.id}`;
  Object.assign(at("large-map"), { src: row.maps[line], alt: `Heatmap of ${own.name}` });
  at("large-said").textContent = board.metrics.map((name, m) => [name, row.scores[line][m]]).filter(([, score]) => score !== null).map(([name, score]) => `${name} ${rounded(score)}`).join(" · ");
  const [order, image] = [row.ranks[line], row.image];
  at("scrub").hidden = !order || !image;
  at("scrubbed").parentElement.hidden = !image;
  const asked = { curve: row.curves[line] };
  opened = asked;
  at("removed").value = 0;
  scrub();
  if (!at("large").open) at("large").showModal();
  keep("open", `${r}.${line}`);
  // Decoding takes a while, in which the reader may have opened another
  Object.assign(asked, { order: order && (await pixels(order)), image: image && (await pixels(image)) });
  if (opened === asked) scrub();
}
function scrub() {
  const share = Number(at("removed").value) / 100;
  if (opened.image) {
    const canvas = at("scrubbed");
    const shown = new ImageData(new Uint8ClampedArray(opened.image.data), opened.image.width, opened.image.height);
    if (opened.order) {
      const mean = [0, 1, 2].map((c) => { let sum = 0; for (let i = c; i < shown.data.length; i += 4) sum += shown.data[i]; return (4 * sum) / shown.data.length; });
      for (let i = 0; i < shown.data.length; i += 4) if (opened.order.data[i] < 256 * share) [shown.data[i], shown.data[i + 1], shown.data[i + 2]] = mean;
    }
    [canvas.width, canvas.height] = [shown.width, shown.height];
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(shown, 0, 0);
  }
  const curve = opened.curve;
  const value = curve && curve[Math.round(share * (curve.length - 1))];
  at("scrub-said").textContent = opened.order ? `${(100 * share).toFixed(0)}% of the pixels removed (shown in the image's mean colour)${curve ? `; the network's output is then ${value.toFixed(2)}` : ""}` : "the image";
  at("large-curve").replaceChildren();
  if (!curve) return;
  const [low, high] = [Math.min(0, ...curve), Math.max(1, ...curve)];
  const place = (v) => 96 - (92 * (v - low)) / (high - low);
  const points = curve.map((v, i) => `${(100 * i) / (curve.length - 1)},${place(v)}`).join(" ");
  const drawing = `<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="Deletion curve"><polyline points="${points}" fill="none" stroke="var(--accent)" stroke-width="2" vector-effect="non-scaling-stroke"/><line x1="${100 * share}" x2="${100 * share}" y1="0" y2="100" stroke="var(--care)" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>`;
  at("large-curve").innerHTML = drawing;
  at("large-curve").prepend(make("p", `Deletion: output from ${curve[0].toFixed(2)} with all pixels to ${curve.at(-1).toFixed(2)} without any`, "note"));
}
if (at("gallery")) {
  board.metrics.forEach((name, m) => at("scored").append(new Option(name, m)));
  drawGallery();
  at("scored").addEventListener("change", writeScores);
  at("overlay").addEventListener("input", fade);
  at("removed").addEventListener("input", scrub);
  at("large").addEventListener("close", () => keep("open", ""));
  if (!gallery.rows.some((row) => row.image)) at("overlay").parentElement.hidden = true;
  at("overlay").value = state.get("overlay") ?? 100;
  at("scored").value = state.get("score") ?? 0;
  writeScores();
  fade();
}
// What the address says
function restore() {
  if (table) {
    at("filter").value = state.get("filter") ?? "";
    at("controls").checked = state.get("controls") !== "no";
    at("intervals").checked = state.get("intervals") === "yes";
    table.classList.toggle("intervals", at("intervals").checked);
    for (const column of (state.get("hide") ?? "").split(".").filter(Boolean)) {
      const box = at("columns").querySelector(`input[value="${CSS.escape(column)}"]`);
      if (box) { box.checked = false; showColumn(column, false); }
    }
    filterRows();
    const weights = (state.get("weights") ?? "").split(".").filter(Boolean).map(Number);
    const sort = state.get("sort");
    if (weights.length === sliders.length && sliders.length) {
      sliders.forEach((slider, m) => (slider.value = weights[m]));
      writeShares();
      reweigh();
    }
    if (sort) { sortBy(...sort.split(".")); keep("sort", sort); }
    for (const entry of (state.get("meet") ?? "").split(".").filter(Boolean).map(Number)) if (board.methods.includes(entry) && picked.length < 2) picked.push(entry);
    if (picked.length) duel();
  }
  const [row, line] = (state.get("open") ?? "").split(".").map(Number);
  if (gallery.rows[row]?.maps[line]) enlarge(row, line);
  if (state.get("at")) go(state.get("at"));
}
restore();

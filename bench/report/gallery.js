"use strict";
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
  if (score !== undefined) text.append(make("br"), make("b", [score].flat().map(rounded).join(" · ")));
  figure.append(text);
  return figure;
}
function controls(image) {
  // Those of one name whose maps are the same on several networks, together
  const together = new Map();
  for (const e of drawn.filter((own) => board.controls[own] !== undefined)) {
    const key = `${board.controls[e]} ${image.heatmaps[e] ?? e}`;
    together.set(key, [...(together.get(key) ?? []), e]);
  }
  return together.values();
}
const rounded = (score) => (score === null ? "—" : String(Number(score.toPrecision(3))));
function strip(title, image, metric, entry) {
  const box = make("div", undefined, "case");
  const line = make("div", undefined, "strip");
  line.style.setProperty("--least", drawn.length < 5 ? "10rem" : "6.4rem");
  box.append(make("h3", title), line);
  if (image.image) line.append(picture(image.image, "image"));
  if (image.truth) line.append(picture(image.truth, "truth"));
  const shown = drawn.filter((e) => board.controls[e] === undefined);
  for (const e of shown) line.append(picture(image.heatmaps[e], board.entries[e], image.scores[e][metric], e === entry));
  for (const alike of controls(image)) {
    const [first] = alike;
    const name = alike.length > 1 ? `${board.controls[first]}, the same on ${alike.length} networks` : board.entries[first];
    line.append(picture(image.heatmaps[first], name, alike.map((e) => image.scores[e][metric]), alike.includes(entry)));
  }
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
  const middle = Math.floor((scored.length - 1) / 2);
  const halfway = scored.length % 2 ? "Median" : middle === 1 ? "2nd" : middle === 2 ? "3rd" : `${middle + 1}th`;
  const wanted = [["Best", 0], [halfway, middle], ["Worst", scored.length - 1]];
  const shown = new Set();
  const mean = table.querySelector(`tr[data-entry="${entry}"] td[data-column="${metric}"] .s0`)?.textContent ?? "—";
  for (const [word, place] of wanted) {
    if (!scored[place] || shown.has(place)) continue;
    shown.add(place);
    at("cases").append(strip(`${word} of these ${scored.length} samples for ${board.entries[entry]}: ${rounded(scored[place].scores[entry][metric])}, where its mean over all ${data.gallery.of} images is ${mean} (${scored[place].id})`, scored[place], metric, entry));
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

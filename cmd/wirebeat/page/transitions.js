// What became of peers, newest first.

import { seconds } from "./bytes.js";
import { clock } from "./log.js";

const list = document.getElementById("transitions");
const empty = document.getElementById("transitions-empty");

const most = 100;

let newest = 0; // number of the newest that is shown
let newestAt = "";

/** Shows those of all, newest first, that are not shown yet. */
export function showTransitions(all) {
  const known = all.findIndex(t => t.seq === newest && t.at === newestAt);
  if (known < 0) list.replaceChildren(); // of another server, or too long ago
  const added = known < 0 ? all : all.slice(0, known);
  if (all.length) [newest, newestAt] = [all[0].seq, all[0].at];
  list.prepend(...added.map(item));
  while (list.children.length > most) list.lastChild.remove();
  empty.hidden = list.children.length > 0;
}

function item(t) {
  const li = document.createElement("li");
  if (t.peer) li.dataset.peer = t.peer;
  li.dataset.what = t.what;
  const time = part(li, "time", clock(new Date(t.at)));
  time.dateTime = t.at;
  part(li, "span", t.what === "mass" ? "many suspect" : t.what, "pill").dataset.state = colours[t.what];
  part(li, "span", t.what === "mass" ? `${t.suspects} of ${t.total}` : t.remote, "remote");
  part(li, "span", told[t.what](t), "detail");
  return li;
}

const colours = { suspect: "suspect", recovered: "alive", dead: "dead", mass: "suspect" };

const told = {
  suspect: t => `nothing for ${seconds(t.silence_ms)}`,
  recovered: t => `after ${seconds(t.silence_ms)}`,
  dead: t => `${t.verdict}: nothing for ${seconds(t.silence_ms)}, ${t.missed} missed`,
  mass: () => "at once: it may be this machine or its network",
};

function part(li, name, text, className = "") {
  const el = document.createElement(name);
  el.className = className;
  el.textContent = text;
  li.append(el);
  return el;
}

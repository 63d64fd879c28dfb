// The connections of the server as they live, and what a person can do to them.

import { seconds } from "./bytes.js";
import { showDriver } from "./driver.js";
import { id } from "./page.js";
import { Row } from "./row.js";
import { showTransitions } from "./transitions.js";

const $ = name => document.getElementById(name);
const every = 250, afterFailure = 2000; // ms
const patience = 10_000;
const most = 600_000; // ms that a line shows
const spans = [15_000, 30_000, 60_000, 120_000, 300_000, most];

const body = $("peers");
const rows = new Map(); // by number and address: a server that was restarted counts anew

let timer = 0;
let polling = false;

async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  clearTimeout(timer);
  let wait = every;
  try {
    show(await ask("GET", `peers?page=${id}`));
    say("server", "");
  } catch (err) {
    wait = afterFailure;
    say("server", `What follows may be old. ${err.message}`);
  }
  polling = false;
  timer = setTimeout(poll, wait);
}

async function ask(method, what) {
  const response = await fetch(`/api/${what}`, { method, signal: AbortSignal.timeout(patience) })
    .catch(() => { throw new Error("The server does not answer."); });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

function show({ peers, more, transitions, demos, interval_ms, timeout_ms, driver }) {
  const now = performance.now();
  const span = spans.find(ms => ms >= Math.min(now, interval_ms < 0 ? most : 20 * interval_ms)) ?? spans.at(-1);
  text("span", `Round trip, last ${period(span)}`);
  const seen = new Set(peers.map(key));
  for (const [known, row] of rows) {
    if (seen.has(known)) continue;
    keepFocus(row.element, () => row.element.remove());
    rows.delete(known);
  }
  let next = body.firstElementChild;
  for (const peer of peers) { // in their order, so none that is there has to move
    let row = rows.get(key(peer));
    if (!row) rows.set(key(peer), row = new Row(peer, act));
    if (row.element === next) next = next.nextElementSibling; else body.insertBefore(row.element, next);
    keepFocus(row.element, () => row.update(peer, now, span));
  }

  const open = peers.filter(peer => !peer.ended);
  const suspects = more ? driver.suspects : open.filter(peer => peer.state === "suspect").length;
  text("peers-count", `${open.length + more} open${suspects ? `, ${suspects} suspect` : ""}`);
  text("peers-more", more ? `and ${more.toLocaleString("en")} older ones` : "");
  $("peers-empty").hidden = peers.length > 0;
  $("demo").ariaDisabled = String(demos.now >= demos.most);
  text("bounds", bounds(interval_ms, timeout_ms));
  showTransitions(transitions);
  showDriver(driver);
}

function key({ id, remote }) { return `${id} ${remote}`; }

function bounds(interval, timeout) {
  if (interval < 0) return "The server sends no pings of its own.";
  const asks = `A peer that is silent for ${period(interval)}, ± 10 %, is pinged`;
  if (timeout < 0) return `${asks}; no conclusions are drawn.`;
  return `${asks}; it is suspect when the pong is late, and dead when nothing at all comes for ${period(timeout)}.`;
}

function period(ms) { return ms < 1000 ? `${ms} ms` : seconds(ms).replace(".0 ", " "); }

// A button that goes away takes the focus with it, and the place of the keyboard.
function keepFocus(element, change) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  change();
  if (focused && (!focused.isConnected || focused.hidden || focused.disabled)) {
    const other = element.isConnected ? element.querySelector("button:not([hidden], :disabled)") : null;
    (other ?? $("demo")).focus();
  }
}

function text(where, what) {
  if ($(where).textContent !== what) $(where).textContent = what;
}

// ---- what to do

const problems = { server: "", act: "" };

function say(about, problem) {
  problems[about] = problem;
  text("peers-problem", problems.act || problems.server);
}

async function act(what, peer) {
  say("act", "");
  try {
    const more = what === "close" ? `&${new URLSearchParams({ code: 1000, reason: "closed on the page" })}` : "";
    await ask("POST", peer ? `${what}?peer=${peer.id}${more}` : what);
  } catch (err) {
    say("act", err.message);
  }
  poll();
}

$("demo").addEventListener("click", () => act("demo"));
document.addEventListener("visibilitychange", poll);

poll();

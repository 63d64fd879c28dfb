// A row of the table of connections.

import { micros, seconds } from "./bytes.js";
import { Spark } from "./spark.js";

export class Row {
  #spark = new Spark();
  #peer; // as the server told of it last

  /** act(what, peer) is called when a button is pressed. */
  constructor(peer, act) {
    this.element = node("tr", "", { role: "row" });
    this.remote = node("span", "remote", {}, peer.remote);
    this.about = node("span", "about");
    this.pill = node("span", "pill");
    this.why = node("span", "why");
    this.rtt = node("span", "rtt");
    this.smoothed = node("span", "about");
    this.missed = node("span");
    this.coalesced = node("span");
    this.heard = node("span");
    this.buttons = ["stall", "cut", "close"].map(what => {
      const button = node("button", "small", { type: "button" }, what);
      button.addEventListener("click", () => act(button.dataset.act, this.#peer));
      button.dataset.act = what;
      return button;
    });
    const rtt = node("div", "trip");
    rtt.append(this.#spark.element, group(this.rtt, this.smoothed));
    this.#cell("peer", "", group(this.remote, this.about));
    this.#cell("state", "", group(this.pill, this.why));
    this.#cell("rtt", "", rtt);
    this.#cell("number", "Missed", this.missed);
    this.#cell("number", "Coalesced", this.coalesced);
    this.#cell("number", "Last heard", this.heard);
    this.#cell("acts", "", ...this.buttons);
  }

  #cell(name, label, ...content) {
    const td = node("td", name, { role: "cell" });
    if (label) td.dataset.label = label;
    td.append(...content);
    this.element.append(td);
  }

  /** Shows a peer as it is at a time, and its last span milliseconds. */
  update(peer, now, span) {
    const { state, ended, demo } = peer;
    if (ended && this.#peer) { // what was measured is not known any more
      peer = { ...peer, rtt_us: peer.rtt_us || this.#peer.rtt_us, smoothed_us: peer.smoothed_us || this.#peer.smoothed_us };
      peer.mine ||= this.#peer.mine;
    }
    this.#peer = peer;
    this.element.dataset.peer = peer.id;
    this.element.dataset.state = state;
    this.element.classList.toggle("ended", Boolean(ended));
    this.#spark.add(now, span, state, peer.rtt_us, peer.smoothed_us);

    const stalled = demo === "stalled";
    say(this.about, peer.mine ? "this page" : demo ? `demo peer${stalled && !ended ? ", stalled" : ""}` : peer.path);
    this.pill.dataset.state = state;
    say(this.pill, state);
    say(this.why, ended ? cause(ended) : "");
    say(this.rtt, peer.rtt_us ? micros(peer.rtt_us) : "–");
    say(this.smoothed, peer.smoothed_us ? `smoothed ${micros(peer.smoothed_us)}` : "");
    say(this.missed, peer.missed);
    say(this.coalesced, peer.coalesced);
    say(this.heard, ended ? "–" : peer.silent_ms < 100 ? "now" : `${seconds(peer.silent_ms)} ago`);

    const [stall, cut, close] = this.buttons;
    stall.hidden = cut.hidden = !demo || Boolean(ended);
    close.hidden = Boolean(demo) || Boolean(ended);
    close.disabled = state === "closing";
    stall.dataset.act = stalled ? "resume" : "stall";
    for (const button of this.buttons) {
      const what = button.dataset.act[0].toUpperCase() + button.dataset.act.slice(1);
      say(button, what);
      button.ariaLabel = `${what} ${peer.remote}`;
    }
  }
}

function cause({ verdict, silence_ms, cause }) {
  return verdict ? `${verdict}\n${seconds(silence_ms)} of silence` : cause;
}

function node(name, className = "", attributes = {}, text = "") {
  const el = document.createElement(name);
  if (className) el.className = className;
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  el.textContent = text;
  return el;
}

function group(...content) {
  const el = node("div", "group");
  el.append(...content);
  return el;
}

// A text that is selected stays so if it does not change.
function say(el, text) {
  if (el.textContent !== String(text)) el.textContent = text;
}

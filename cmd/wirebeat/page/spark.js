// A small line of a connection's round trips over some time, above a strip of the
// states that it was in.

const most = 600_000; // ms that are kept
const width = 180, height = 34; // of the viewBox
const strip = 4, gap = 3, margin = 3;
const answering = new Set(["alive", "probing", "paused"]);

export class Spark {
  #samples = []; // { at, rtt, smoothed }, where one of them changed
  #states = []; // { at, state }, where it changed
  #last = line("last");
  #smoothed = line("smoothed");
  #strip = shape("g", {});

  constructor() {
    this.element = shape("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.element.append(this.#strip, this.#last, this.#smoothed);
  }

  /** Adds what is known at a time, which only ever grows, and draws the span before it. */
  add(at, span, state, rtt, smoothed) {
    if (this.#states.at(-1)?.state !== state) this.#states.push({ at, state });
    const before = this.#samples.at(-1);
    if (rtt && (before?.rtt !== rtt || before.smoothed !== smoothed)) this.#samples.push({ at, rtt, smoothed });
    for (const list of [this.#samples, this.#states]) { // one from before tells how it began
      while (list.length > 1 && list[1].at < at - most) list.shift();
    }
    this.#draw(at, span);
  }

  #draw(now, span) {
    const x = at => (width * (1 - (now - at) / span)).toFixed(1);
    const seen = this.#samples.filter((_, i, all) => (all[i + 1]?.at ?? now) >= now - span);
    const top = Math.max(1, ...seen.map(s => Math.max(s.rtt, s.smoothed)));
    const ground = height - strip - gap;
    const y = us => (ground - (us / top) * (ground - margin)).toFixed(1);

    // A line ends where nothing more is known.
    const current = this.#states.at(-1);
    const until = answering.has(current.state) ? now : current.at;
    for (const [element, what] of [[this.#last, "rtt"], [this.#smoothed, "smoothed"]]) {
      const points = seen.map(s => `${x(s.at)},${y(s[what])}`);
      if (points.length) points.push(`${x(Math.max(until, seen.at(-1).at))},${y(seen.at(-1)[what])}`);
      element.setAttribute("points", points.join(" "));
    }

    this.#strip.replaceChildren(...this.#states.flatMap(({ at, state }, i) => {
      const from = Math.max(0, x(at)), to = x(this.#states[i + 1]?.at ?? now);
      return to < 0 ? [] : shape("rect", { "data-state": state, x: from, y: height - strip, width: Math.max(0.5, to - from), height: strip });
    }));
  }
}

function line(name) { return shape("polyline", { class: name }); }

function shape(name, attributes) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  return el;
}

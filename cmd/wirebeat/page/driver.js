// The counters of what runs the connections.

import { micros, seconds } from "./bytes.js";

const list = document.getElementById("driver");

export function showDriver(stats) {
  const verdicts = Object.entries(stats.dead).filter(([, n]) => n > 0).map(([verdict, n]) => `${number(n)} ${verdict}`);
  const dead = Object.values(stats.dead).reduce((sum, n) => sum + n, 0);
  const entries = [
    ["Connections", number(stats.connections)],
    ["Suspects now", number(stats.suspects)],
    ["Probes", number(stats.probes)],
    ["Answered", number(stats.pongs)],
    ["Missed", number(stats.missed)],
    ["Suspected", number(stats.suspected)],
    ["Recovered", number(stats.recovered)],
    ["Dead", number(dead), verdicts.join(", ")],
    ["Own stalls", number(stats.stalls)],
    ["Round trips", below(stats.rtt_log2_us, 0.5), stats.rtt_log2_us?.length ? `99 % ${below(stats.rtt_log2_us, 0.99)}` : ""],
  ];
  while (list.children.length < entries.length) list.append(entry());
  entries.forEach(([name, value, more = ""], i) => {
    const [dt, dd, small] = list.children[i].children;
    for (const [el, text] of [[dt, name], [dd, value], [small, more]]) {
      if (el.textContent !== text) el.textContent = text;
    }
  });
}

/** Below which power of two a share of all round trips is. */
function below(counts, share) {
  const all = counts?.reduce((sum, n) => sum + n, 0) ?? 0;
  if (!all) return "–";
  let sum = 0;
  const i = counts.findIndex(n => (sum += n) >= all * share);
  return `< ${i < 20 ? micros(2 ** i) : seconds(2 ** i / 1000)}`;
}

function number(n) { return n.toLocaleString("en"); }

function entry() {
  const div = document.createElement("div");
  const small = document.createElement("dd");
  small.className = "about";
  div.append(document.createElement("dt"), document.createElement("dd"), small);
  return div;
}

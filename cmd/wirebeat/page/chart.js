// A line of the last round trips.

import { micros } from "./bytes.js";

const most = 60;
const width = 300, height = 56, margin = 4; // as the viewBox says

const chart = document.getElementById("chart");
const caption = document.getElementById("chart-text");

let values = [];

export function addRoundTrip(us) {
  values = [...values, us].slice(-most);
  draw();
}

export function clearRoundTrips() {
  values = [];
  draw();
}

function draw() {
  if (!values.length) {
    chart.replaceChildren();
    caption.textContent = "no round trips yet";
    return;
  }
  const top = Math.max(...values), n = values.length;
  const step = width / (most - 1);
  const points = values.map((us, i) => {
    const x = width - (n - 1 - i) * step;
    const y = height - (us / Math.max(top, 1)) * (height - margin);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  if (n === 1) points.unshift(`${width - step},${points[0].split(",")[1]}`);
  const left = points[0].split(",")[0];
  chart.replaceChildren(
    shape("polygon", [`${left},${height}`, ...points, `${width},${height}`]),
    shape("polyline", points),
  );
  const mean = values.reduce((sum, us) => sum + us, 0) / n;
  caption.textContent = `last ${micros(values[n - 1])} · min ${micros(Math.min(...values))}`
    + ` · avg ${micros(Math.round(mean))} · max ${micros(top)}`;
}

function shape(name, points) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", name);
  el.setAttribute("points", points.join(" "));
  return el;
}

// The log: what was sent, received and noticed, newest first.

import { bytesIn, toHex } from "./bytes.js";

const maxRows = 500;
const maxPreview = 240; // bytes of a message that are kept, and shown as text
const maxHex = 48; // of them that are shown in hex

const body = document.getElementById("log");
const view = document.getElementById("view");
const totals = document.getElementById("totals");
const empty = document.getElementById("empty");

const count = { sent: 0, received: 0 };
let waiting = []; // rows for the next frame, oldest first

/** A message: direction is "sent" or "received", data a string or Uint8Array. */
export function logMessage(direction, data, rtt = "") {
  count[direction]++;
  const text = typeof data === "string";
  const bytes = text ? new TextEncoder().encode(data) : data;
  add({
    kind: direction,
    what: `${direction === "sent" ? "→" : "←"} ${text ? "text" : "binary"}`,
    size: bytesIn(bytes.length),
    message: { text, bytes: bytes.slice(0, maxPreview), more: bytes.length > maxPreview },
    rtt,
  });
}

/** Anything else. kind is "sent", "received", "note" or "failed". */
export function logEvent(kind, what, content = "", rtt = "") {
  add({ kind, what, size: "", content, rtt });
}

export function clearLog() {
  waiting = [];
  count.sent = count.received = 0;
  body.replaceChildren();
  summarize();
}

function add(entry) {
  entry.time = new Date();
  // Frames are not drawn for a hidden page, but messages come all the same.
  if (waiting.length === maxRows) waiting.shift();
  if (waiting.push(entry) === 1) requestAnimationFrame(draw);
}

function draw() {
  if (waiting.length) body.prepend(...waiting.reverse().map(row));
  waiting = [];
  while (body.rows.length > maxRows) body.deleteRow(-1);
  summarize();
}

function summarize() {
  empty.hidden = body.rows.length > 0;
  totals.textContent = count.sent + count.received ? `${count.sent} sent, ${count.received} received` : "";
}

// Contents come from the peer: they are only ever set as text.
function row(entry) {
  const tr = document.createElement("tr");
  tr.className = entry.kind;
  tr.role = "row"; // a grid is no table row otherwise
  tr.entry = entry;
  const cells = { time: clock(entry.time), what: entry.what, size: entry.size, content: preview(entry), rtt: entry.rtt };
  for (const [name, text] of Object.entries(cells)) {
    const td = tr.insertCell();
    td.className = name;
    td.role = "cell";
    td.textContent = text;
  }
  return tr;
}

function preview({ content, message }) {
  if (!message) return content;
  const hex = view.value === "hex" || (view.value === "auto" && !message.text);
  const shown = hex ? toHex(message.bytes.subarray(0, maxHex)) : decode(message);
  return shown + (message.more || (hex && message.bytes.length > maxHex) ? " …" : "");
}

// A cut may fall inside a character; streaming leaves its bytes out. Controls
// become their visible pictures, line breaks stay.
function decode({ bytes, more }) {
  const text = new TextDecoder().decode(bytes, { stream: more });
  return text.replace(/[\0-\x08\x0b-\x1f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt(0)));
}

/** A time of day, to the millisecond. */
export function clock(t) {
  const two = n => String(n).padStart(2, "0");
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, "0")}`;
}

view.addEventListener("change", () => {
  for (const tr of body.rows) tr.querySelector(".content").textContent = preview(tr.entry);
});

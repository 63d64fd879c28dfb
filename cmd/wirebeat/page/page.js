// The page as a WebSocket client, and as a client of the server's API about its
// own connection (see page.go).

import { fromHex, micros, millis, randomBytes, toHex } from "./bytes.js";
import { addRoundTrip, clearRoundTrips } from "./chart.js";
import { clearLog, logEvent, logMessage } from "./log.js";

const $ = id => document.getElementById(id);

// Codes that a server sends; a page may send 1000 and 3000–4999 only.
const codeNames = {
  1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
  1005: "no code", 1006: "no Close frame", 1007: "invalid data", 1008: "policy violation",
  1009: "message too big", 1010: "extension missing", 1011: "internal error",
  1012: "service restart", 1013: "try again later", 1014: "bad gateway",
};

let socket = null; // the one connection, until its close event
export let id = newId(); // of that connection, or of the next
let unanswered = []; // beginnings of sent messages whose echo has not come, oldest first
let closing = ""; // who started the closing handshake, as far as the page knows

const maxUnanswered = 256;
const maxBeginning = 64;

function newId() { return toHex(randomBytes(16), ""); }

// ---- connection

function address() {
  const url = new URL(location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.username = url.password = "";
  const [path, query = ""] = $("path").value.split("#")[0].split(/\?(.*)/s);
  url.pathname = path;
  const rest = query.split("&").filter(part => part && !/^page(=|$)/.test(part));
  url.search = [...rest, `page=${id}`].join("&");
  return url.href;
}

function connect() {
  const protocols = $("protocols").value.split(/[\s,]+/).filter(Boolean);
  say("connect-problem", "");
  id = newId();
  showAddress();
  let ws;
  try {
    ws = new WebSocket(address(), protocols);
  } catch (err) {
    say("connect-problem", plain(err));
    return;
  }
  ws.binaryType = "arraybuffer";
  socket = ws;
  unanswered = [];
  closing = "";
  clearRoundTrips();
  const began = performance.now();
  let wasOpen = false;

  ws.addEventListener("open", () => {
    wasOpen = true;
    const agreed = [
      ws.protocol && `subprotocol ${ws.protocol}`,
      ws.extensions && `extensions ${ws.extensions}`,
    ].filter(Boolean).join(", ");
    logEvent("note", "connected", agreed, millis(performance.now() - began));
    show();
    poll();
  });
  ws.addEventListener("message", e => received(e.data));
  ws.addEventListener("close", e => {
    socket = null;
    $("repeat").checked = false;
    if (wasOpen) {
      // 1006 is what a browser says when no Close frame came. One can come and
      // the transport break all the same, while a large message is on its way.
      const lost = e.code === 1006;
      const by = closing || (lost ? "" : "the server");
      const text = `${named(e.code)}${e.reason && `: ${e.reason}`}${by && ` (by ${by})`}`;
      logEvent(lost ? "failed" : "received", lost ? "lost" : "← close", text + (lost || e.wasClean ? "" : ", not clean"));
      show(lost ? "failed" : "idle", `closed, ${text}`);
    } else {
      logEvent("failed", "failed", "could not connect");
      say("connect-problem", protocols.length
        ? "Could not connect. Does the server know one of the subprotocols? wirebeat serve --subprotocol NAME"
        : "Could not connect. Is the server still running, and may pages of this origin connect?");
      show("failed", "could not connect");
    }
    showHealth({ state: "closed" });
  });
  logEvent("note", "connecting", new URL(ws.url).pathname);
  show();
}

function named(code) { return codeNames[code] ? `${code} ${codeNames[code]}` : String(code); }

function isOpen() { return socket?.readyState === WebSocket.OPEN; }

function show(state, text) {
  const ready = socket?.readyState;
  if (ready === WebSocket.CONNECTING) [state, text] = ["busy", "connecting …"];
  if (ready === WebSocket.CLOSING) [state, text] = ["busy", "closing …"];
  if (ready === WebSocket.OPEN) [state, text] = ["open", "connected"];
  if (state) {
    $("status").dataset.state = state;
    $("status").textContent = text;
  }
  // A disabled button loses the focus, and with it the place of the keyboard.
  const focused = document.activeElement;
  $("connect").disabled = socket !== null;
  $("disconnect").disabled = socket === null || ready === WebSocket.CLOSING;
  for (const button of document.querySelectorAll("[data-live]")) button.disabled = !isOpen();
  if (focused === $("connect") && focused.disabled) $("disconnect").focus();
  if (focused === $("disconnect") && focused.disabled) $("connect").focus();
  if (socket === null) showAddress();
}

function showAddress() { $("url").value = address(); }

function say(where, problem) { $(where).textContent = problem; }

/** An error of the browser without the name of the function that failed. */
function plain(err) { return err.message.replace(/^.*'WebSocket': /, ""); }

// ---- messages

function beginning(data) {
  return typeof data === "string"
    ? `text ${data.length} ${data.slice(0, maxBeginning)}`
    : `binary ${data.length} ${toHex(data.subarray(0, maxBeginning))}`;
}

function send(data) {
  if (!isOpen()) return;
  say("send-problem", "");
  if (unanswered.length === maxUnanswered) unanswered.shift();
  unanswered.push({ beginning: beginning(data), at: performance.now() });
  socket.send(data);
  logMessage("sent", data);
}

function received(data) {
  const now = performance.now();
  if (typeof data !== "string") data = new Uint8Array(data);
  // Echoes come in order, so what was sent before the one that came back, and
  // did not come back, will not.
  const like = beginning(data);
  const i = unanswered.findIndex(sent => sent.beginning === like);
  const sent = i < 0 ? null : unanswered.splice(0, i + 1)[i];
  logMessage("received", data, sent ? millis(now - sent.at) : "");
}

// ---- the server's API

async function ask(method, what, query = {}) {
  const of = id;
  const response = await fetch(`/api/${what}?${new URLSearchParams({ ...query, page: of })}`, { method })
    .catch(() => { throw new Error("The server does not answer."); });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return { ...answer, current: of === id && isOpen() };
}

let pinging = false;

async function ping() {
  if (pinging || !isOpen()) return;
  pinging = true;
  say("ping-problem", "");
  try {
    const { rtt_us, exact, current } = await ask("POST", "ping");
    logEvent("received", "↔ ping", exact ? "" : "at most", micros(rtt_us));
    if (current) addRoundTrip(rtt_us);
    poll();
  } catch (err) {
    if (isOpen()) {
      logEvent("failed", "↔ ping", err.message);
      say("ping-problem", err.message);
    }
  } finally {
    pinging = false;
  }
}

async function poll() {
  if (!isOpen() || document.hidden) return;
  try {
    const health = await ask("GET", "peer");
    if (health.current) showHealth(health);
  } catch {
    if (isOpen()) showHealth({ state: "unknown" });
  }
}

function showHealth({ state, silent_ms, rtt_us, coalesced }) {
  $("health-state").textContent = state;
  $("health-silent").textContent = silent_ms === undefined ? "–"
    : silent_ms < 1000 ? "just now" : `${Math.round(silent_ms / 1000)} s ago`;
  $("health-rtt").textContent = rtt_us ? micros(rtt_us) : "–";
  $("health-coalesced").textContent = coalesced ?? "–";
}

// ---- closing

function closer() { return document.querySelector("[name=closer]:checked").value; }

function showCodes() {
  const page = closer() === "page";
  $("code-hint").textContent = page
    ? "A page may send 1000 and 3000–4999; empty sends no code."
    : "1000–1003, 1007–1014, 3000–4999; empty sends no code.";
  const codes = page ? [1000, 3000, 4000] : [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4000];
  $("codes").replaceChildren(...codes.map(code => new Option(codeNames[code] ?? "", code)));
}

async function close() {
  const code = $("code").value, reason = $("reason").value;
  say("close-problem", "");
  if (!code && reason) {
    say("close-problem", "A reason needs a code.");
    return;
  }
  const text = `${code ? named(code) : "no code"}${reason && `: ${reason}`}`;
  try {
    if (closer() === "page") {
      if (code) socket.close(Number(code), reason); else socket.close();
      closing = "this page";
      logEvent("sent", "→ close", text);
      show();
    } else {
      logEvent("note", "asking", `the server to close with ${text}`);
      await ask("POST", "close", { code: code || 1005, reason });
    }
  } catch (err) {
    say("close-problem", plain(err));
  }
}

// ---- controls

function on(where, event, act) {
  $(where).addEventListener(event, e => {
    if (event === "submit") e.preventDefault();
    act(e);
  });
}

on("connect-form", "submit", () => { if (!socket) connect(); });
on("disconnect", "click", () => {
  if (isOpen()) logEvent("sent", "→ close", "no code");
  closing = "this page";
  socket?.close();
  show();
});
on("path", "input", () => { if (!socket) showAddress(); });
on("text-form", "submit", () => send($("text").value));
on("text", "keydown", e => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) $("text-form").requestSubmit();
});
on("hex-form", "submit", () => {
  try {
    send(fromHex($("hex").value));
  } catch (err) {
    say("send-problem", err.message);
  }
});
on("random-form", "submit", () => send(randomBytes($("random").valueAsNumber)));
on("clear", "click", clearLog);
on("ping", "click", ping);
on("close-form", "submit", () => { if (isOpen()) close(); });
on("close-form", "change", showCodes);

setInterval(() => { if ($("repeat").checked) ping(); }, 1000);
setInterval(poll, 2000);

showCodes();
show();

"use strict";

const room = location.pathname.slice(1);
const el = id => document.getElementById(id);
const users = new Set();
const maxLines = 500;
let socket, attempt = 0;

el("room").textContent = `#${room}`;

el("enter").addEventListener("submit", event => {
  event.preventDefault();
  el("enter").hidden = true;
  el("chat").hidden = false;
  connect(el("nick").value.trim());
});

el("say").addEventListener("submit", event => {
  event.preventDefault();
  const text = el("text").value;
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  socket.send(text);
  el("text").value = "";
});

function connect(nick) {
  const url = new URL(`/${room}`, location.href.replace(/^http/, "ws"));
  url.searchParams.set("nick", nick);
  socket = new WebSocket(url);
  socket.onopen = () => el("state").textContent = "online";
  socket.onmessage = ({ data }) => show(JSON.parse(data));
  socket.onclose = ({ code, reason }) => {
    users.clear();
    showUsers();
    // The wait doubles and is random, so that not all come back at once.
    const wait = Math.random() * Math.min(30, 2 ** attempt++);
    el("state").textContent = `offline (${reason || code}), again in ${Math.ceil(wait)} s`;
    setTimeout(connect, wait * 1000, nick);
  };
}

function show({ kind, user, text, users: all }) {
  switch (kind) {
    case "users":
      attempt = 0; // the server meant it
      users.clear();
      for (const name of all) users.add(name);
      return showUsers();
    case "join":
      users.add(user);
      showUsers();
      return line(`${user} is here`, "note");
    case "leave":
      users.delete(user);
      showUsers();
      return line(`${user} has left`, "note");
    case "say":
      return line(`${user}: ${text}`);
  }
}

function line(text, className = "") {
  const item = document.createElement("li");
  item.className = className;
  item.textContent = text; // never markup
  el("log").append(item);
  while (el("log").childElementCount > maxLines) el("log").firstChild.remove();
  item.scrollIntoView();
}

function showUsers() {
  el("users").replaceChildren(...[...users].sort().map(name => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  }));
}

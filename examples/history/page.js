// The page: shows the messages of the topic, over the way that the reader chooses.
import { follow as events } from "./events.js";
import { follow as reading } from "./fetch.js";
import { follow as polling } from "./polling.js";
import { follow as websocket } from "./websocket.js";

const at = (path) => new URL(path, location).href;
const WAYS = {
  websocket: [websocket, at("websocket").replace("http", "ws")],
  events: [events, at("events")],
  fetch: [reading, at("events")],
  polling: [polling, at("poll")],
};
const [log, status, unplug] = ["log", "status", "unplug"].map((id) => document.getElementById(id));

/// The id of the last message that the page shows.
let after = "0-0";
let stop = () => {};

function add(kind, text, id = "") {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const [line, what, where] = ["li", "span", "code"].map((name) => document.createElement(name));
  line.className = kind;
  what.className = "text";
  what.textContent = text;
  where.textContent = id.replace(/^.*-/, "…-");
  where.title = id;
  line.append(what, where);
  log.append(line);
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function show(live, text) {
  status.dataset.live = live;
  status.textContent = text;
}

function plug() {
  const way = new FormData(document.getElementById("ways")).get("way");
  const [follow, url] = WAYS[way];
  stop();
  show(false, "Connecting");
  stop = follow(url, {
    after,
    message(id, data) {
      after = id;
      add("message", JSON.parse(data).text, id);
    },
    // What the page shows has a hole after it: the page begins anew, with what is kept.
    gap() {
      const hadSome = log.querySelector(".message, .lost") !== null;
      log.replaceChildren();
      if (hadSome) add("lost", "Some messages are lost. The server still has these:");
    },
    status: (live) => show(live, live ? "Live" : "Trying again"),
  });
}

document.getElementById("ways").addEventListener("change", () => {
  // An unplugged page takes the way that is chosen then.
  if (!unplug.disabled) plug();
});

unplug.addEventListener("click", () => {
  stop();
  unplug.disabled = true;
  show(false, "Unplugged");
  add("note", "unplugged");
  setTimeout(() => {
    unplug.disabled = false;
    add("note", "plugged in again, and missed:");
    plug();
  }, 5000);
});

document.getElementById("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = document.getElementById("text");
  try {
    const { ok } = await fetch(at("say"), { method: "POST", body: input.value });
    if (ok) input.value = "";
  } catch { /* the text stays there for another attempt */ }
});

plug();

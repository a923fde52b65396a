// /live: what arrives is put on top of the list; filters without loading the page anew; keys.

import { getJson } from "./requests.js";
import { toast } from "./toasts.js";

const ROWS_MAX = 200;
const RATES_EVERY_MS = 10000;
const AGAIN_AFTER_MS = [2000, 5000, 15000, 30000];
/** Whoever was away for longer sees the latest, not all that was missed. */
const AWAY_MS = 10 * 60 * 1000;

const byId = (id) => document.getElementById(id);
const rows = () => byId("rows");
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const sizes = [[1e6, "MB"], [1e3, "KB"]];

// --- rows -----------------------------------------------------------------------------------------------------

function badge(word, isKnown = true) {
  const all = byId("badges").content;
  const found = (isKnown && all.querySelector(`[data-word="${CSS.escape(word)}"]`)) || all.querySelector('[data-word=""]');
  const copy = found.firstElementChild.cloneNode(true);
  if (!found.dataset.word) copy.lastChild.textContent = word.replaceAll("_", " ");
  return copy;
}

function size(bytes) {
  for (const [limit, unit] of sizes) {
    if (bytes >= limit) return `${(bytes / limit).toFixed(1)}\u202f${unit}`;
  }
  return `${bytes}\u202fB`;
}

function line(row) {
  const made = byId("line").content.firstElementChild.cloneNode(true);
  const slot = (name) => made.querySelector(`[data-slot="${name}"]`);
  const put = (name, text) => {
    slot(name).textContent = text || "–";
  };
  made.dataset.id = row.id;
  made.dataset.at = row.at;
  made.querySelector("input").value = row.id;
  slot("time").href = row.href;
  slot("time").title = row.exact;
  slot("time").append(make("span", { className: "phone-hidden", textContent: `${row.day} ` }), row.time);
  slot("verdict").append(badge(row.verdict));
  put("about", "");
  if (row.kind) slot("about").replaceChildren(make("span", { className: "phone-hidden", textContent: row.kind }));
  if (row.status) slot("about").append(" ", badge(row.status, row.is_known));
  put("number", row.number);
  put("account", row.account ?? "gone");
  put("method", row.method);
  put("proof", row.proof);
  if (row.detail) slot("proof").title = row.detail;
  slot("bytes").textContent = size(row.bytes);
  made.classList.add("is-new");
  return made;
}

/** Puts these where they belong by their time, the newest on top: refused ones are told of a moment late. What is too much
 *  goes from below, but for what is chosen or looked at. */
function show(arrived) {
  const list = rows();
  for (const row of arrived) {
    if (list.querySelector(`[data-id="${CSS.escape(row.id)}"]`)) continue;
    const behind = [...list.children].find((each) => Number(each.dataset.at) <= row.at);
    list.insertBefore(line(row), behind ?? null);
  }
  const spare = [...list.children].slice(ROWS_MAX);
  for (const each of spare) {
    if (!each.querySelector("input:checked") && !each.contains(document.activeElement)) each.remove();
  }
  byId("callbacks").hidden = list.children.length === 0;
  byId("nothing").hidden = list.children.length > 0;
}

// --- pause ----------------------------------------------------------------------------------------------------

const waiting = { rows: [], count: 0 };
let isPaused = false;

function arrive({ rows: arrived, count }) {
  if (!isPaused) {
    show(arrived);
    if (count > arrived.length) toast(`${(count - arrived.length).toLocaleString("en")} more came at once; the list has them.`);
    return;
  }
  waiting.rows = [...waiting.rows, ...arrived].slice(-ROWS_MAX);
  waiting.count += count;
  showWaiting();
}

function showWaiting() {
  const button = byId("waiting");
  button.hidden = waiting.count === 0;
  button.textContent = `${waiting.count.toLocaleString("en")} waiting. Show them and go on`;
}

function pause(paused) {
  isPaused = paused;
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(paused));
  button.querySelector("span").textContent = paused ? "Go on" : "Pause";
  if (!paused) {
    show(waiting.rows);
    Object.assign(waiting, { rows: [], count: 0 });
  }
  showWaiting();
  tellState();
}

// --- the stream -----------------------------------------------------------------------------------------------

let source = null;
let place = null;
let tries = 0;
let again = 0;
let hiddenAt = 0;
let state = ["", ""];

function tellState(word = state[0], tone = state[1]) {
  state = [word, tone];
  const shown = byId("live-state");
  shown.hidden = !word;
  shown.textContent = isPaused && word === "connected" ? "paused" : word;
  shown.className = `live-state ${tone}`;
}

function disconnect() {
  clearTimeout(again);
  source?.close();
  source = null;
}

function connect() {
  disconnect();
  const url = byId("live").dataset.stream;
  byId("pause").hidden = !url;
  if (!url) {
    tellState("", "");
    return;
  }
  const from = new URL(url, location.href);
  if (place) from.searchParams.set("place", place);
  const opened = new EventSource(from);
  source = opened;
  opened.onopen = () => {
    tries = 0;
    tellState("connected", "good");
  };
  // An event without data only moves the place, and browsers do not tell of it: they send it when they come back.
  opened.addEventListener("callbacks", (event) => {
    place = event.lastEventId;
    arrive(JSON.parse(event.data));
  });
  opened.onerror = () => {
    if (source !== opened) return;
    tellState("reconnecting", "warn");
    if (opened.readyState !== EventSource.CLOSED) return;
    again = setTimeout(connect, AGAIN_AFTER_MS[Math.min(tries++, AGAIN_AFTER_MS.length - 1)]);
  };
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    hiddenAt = Date.now();
    disconnect();
  } else if (Date.now() - hiddenAt > AWAY_MS && !isPaused && !chosen().length) {
    load(location.href);
  } else {
    connect();
  }
});

// --- filters, without loading the page anew ---------------------------------------------------------------------

let loading = 0;

/** @param {HTMLElement} [typing] the field that somebody is typing into, which stays as it is */
async function load(url, typing) {
  const mine = ++loading;
  disconnect();
  const answer = await fetch(url, { headers: { accept: "text/html" } }).catch(() => null);
  if (mine !== loading) return;
  if (!answer?.ok || answer.redirected) {
    location.assign(url); // the page itself says what is wrong
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["live", "rates"]) byId(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  const form = fresh.getElementById("filters");
  for (const field of byId("filters").elements) {
    const now = field.name && form.elements.namedItem(field.name);
    if (now && field !== typing) field.value = now.value;
  }
  Object.assign(waiting, { rows: [], count: 0 });
  place = null;
  begin();
}

function filter() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(byId("filters"))) {
    if (value.trim()) query.append(name, value.trim());
  }
  const url = `${location.pathname}?${query}`;
  if (url === location.pathname + location.search) return;
  history.pushState(null, "", url);
  load(url, document.activeElement);
}

byId("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  filter();
});
byId("filters").addEventListener("change", filter);
addEventListener("popstate", () => load(location.href));
document.addEventListener("click", (event) => {
  const chip = event.target.closest("#live-chips a, #nothing a[href^='?'], #live .pager a");
  if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", chip.href);
  load(chip.href);
});

// --- choosing ---------------------------------------------------------------------------------------------------

const chosen = () => [...document.querySelectorAll('#rows input[name="id"]:checked')].map((box) => box.value);

function showChosen() {
  const count = chosen().length;
  for (const button of byId("chosen").querySelectorAll("[data-needs]")) {
    const needs = Number(button.dataset.needs);
    const most = Number(button.dataset.most ?? needs);
    button.hidden = false;
    button.disabled = count < needs || count > most;
    button.toggleAttribute("data-disabled", true);
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches('#rows input[name="id"]')) showChosen();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest('[data-dialog="replay"]')) return;
  const shown = document.querySelector("#replay-form [data-chosen]");
  const ids = chosen();
  const told = make("strong", { textContent: ids.length === 1 ? "1 callback" : `${ids.length} callbacks` });
  shown.replaceChildren(told, ...ids.map((id) => make("input", { type: "hidden", name: "id", value: id })));
});

// --- keys -------------------------------------------------------------------------------------------------------

function move(by) {
  const links = [...rows().querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
}

const KEYS = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  p: () => byId("pause").hidden || pause(!isPaused),
  x: () => document.activeElement.closest("#rows tr")?.querySelector("input").click(),
  "?": () => byId("keys").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
byId("pause").addEventListener("click", () => pause(!isPaused));
document.addEventListener("click", (event) => {
  if (event.target.closest("#waiting")) pause(false);
});

// --- rates ------------------------------------------------------------------------------------------------------

function curve(values) {
  const highest = Math.max(...values, 0) || 1;
  return values.map((value, at) => `${((at * 100) / (values.length - 1)).toFixed(2)},${(29 - (27 * value) / highest).toFixed(2)}`);
}

async function rates() {
  if (document.hidden) return;
  const told = await getJson(byId("rates").dataset.url).catch(() => null);
  if (!told) return;
  for (const card of byId("rates").querySelectorAll("[data-rate]")) {
    const values = told[card.dataset.rate];
    const points = curve(values);
    card.querySelector("[data-rate-value]").textContent = values.at(-1).toLocaleString("en");
    card.querySelector("[data-rate-now]").textContent = told[`${card.dataset.rate}_now`].toLocaleString("en");
    card.querySelector(".line").setAttribute("points", points.join(" "));
    card.querySelector(".area").setAttribute("points", `0,30 ${points.join(" ")} 100,30`);
  }
}

function begin() {
  showChosen();
  pause(isPaused);
  connect();
}

begin();
setInterval(rates, RATES_EVERY_MS);

// What every page does beyond plain links and forms. All of it can be missing: pages work without.

import { toast, working } from "./toasts.js";

const cookie = (name, value) => {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
};

// The viewer's time zone, once: the server shows times in it from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`landed-zone=${encodeURIComponent(zone)}`)) {
  cookie("landed-zone", zone);
  const hasTimes = document.querySelector("main time") !== null;
  const once = sessionStorage.getItem("landed-zone") === zone;
  if (hasTimes && !once && document.body.dataset.zone !== zone && !location.search.includes("time_zone=")) {
    sessionStorage.setItem("landed-zone", zone);
    location.reload();
  }
}

// On a phone navigation and tabs are strips: show where we are in them.
for (const here of document.querySelectorAll(".nav [aria-current], .tabs [aria-current]")) {
  here.scrollIntoView({ inline: "center", block: "nearest" });
}

// Light, dark, or as the system has it.
for (const button of document.querySelectorAll("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    cookie("landed-theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("landed:theme"));
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new CustomEvent("landed:theme"));
});

// <button data-dialog="ID"> opens <dialog id="ID">; <button data-close> closes the one it is in.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    document.getElementById(opener.dataset.dialog)?.showModal();
    return;
  }
  if (event.target.closest("[data-close]")) {
    event.target.closest("dialog")?.close();
  }
});

// <button data-copy="ID"> copies the text of that element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    toast("Copied.");
  } catch {
    toast("Your browser does not let pages copy; select the text instead.");
  }
});

// <form data-confirm="Really?"> asks first; a form is sent once, however often the button is pressed, and while the
// answer is waited for one sees that it goes on.
const WAITED_MS = 600;
let waiting = 0;
let endWaiting = () => {};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (form.method === "post") {
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
    waiting = setTimeout(() => {
      endWaiting = working(form.dataset.working ?? "Working…", form.closest("dialog"));
    }, WAITED_MS);
  } else {
    // Empty fields of a filter do not belong into the address.
    for (const field of form.querySelectorAll("input, select")) {
      if (field.name && field.value === "") field.disabled = true;
    }
  }
});
addEventListener("pageshow", () => {
  clearTimeout(waiting);
  endWaiting();
  for (const field of document.querySelectorAll("form :disabled:not([data-disabled])")) field.disabled = false;
});

// <select data-submit> and boxes send their form when they change.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// What is a button to those who hear the page is pressed like one.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches("a[role=button]")) return;
  event.preventDefault();
  event.target.click();
});

// The links of a shared page lead nowhere: the keyboard passes them by.
for (const link of document.querySelectorAll('a[href=""]')) link.removeAttribute("href");

// Menus close with Escape and by a click elsewhere.
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.pop[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.pop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// Lists that are long and known to browsers only.
for (const list of document.querySelectorAll("datalist[data-zones]")) {
  list.append(...Intl.supportedValuesOf("timeZone").map((name) => new Option(name)));
}

// "/" goes to the search of the page.
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

if (document.querySelector("[data-chart]")) {
  const { drawAll } = await import("./chart.js");
  drawAll();
}

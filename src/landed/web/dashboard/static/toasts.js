// Short messages at the edge of the page, which screen readers hear: what was done, and that something goes on.

const SHOWN_MS = 5000;

function edge() {
  let place = document.querySelector(".toasts");
  if (!place) {
    place = document.createElement("div");
    place.className = "toasts";
    place.setAttribute("role", "status");
    document.body.append(place);
  }
  return place;
}

function put(place, className, ...contents) {
  const shown = document.createElement("div");
  shown.className = className;
  shown.append(...contents);
  place.append(shown);
  return shown;
}

export function toast(text) {
  const shown = put(edge(), "toast", text);
  setTimeout(() => shown.remove(), SHOWN_MS);
}

/** Says that something goes on: in the dialog that is open, which lies above the page's edge, or there. Gives the
 *  function that ends it. */
export function working(text, dialog) {
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", text);
  const shown = dialog ? put(dialog.querySelector(".body"), "working", text, bar) : put(edge(), "toast", text, bar);
  return () => shown.remove();
}

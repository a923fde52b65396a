// Short messages at the edge of the page, which screen readers hear.

const SHOWN_MS = 5000;

export function toast(text) {
  let place = document.querySelector(".toasts");
  if (!place) {
    place = document.createElement("div");
    place.className = "toasts";
    place.setAttribute("role", "status");
    document.body.append(place);
  }
  const shown = document.createElement("div");
  shown.className = "toast";
  shown.textContent = text;
  place.append(shown);
  setTimeout(() => shown.remove(), SHOWN_MS);
}

// The figures of /settings, kept fresh while the page is looked at.

import { getJson } from "./requests.js";

const EVERY_MS = 3000;
const RATE_OVER_MS = 60000;
const place = document.getElementById("health");
const seen = [];

function show(name, value) {
  const element = place.querySelector(`[data-figure="${name}"]`);
  if (element) element.textContent = value.toLocaleString("en");
}

async function look() {
  if (document.hidden) return;
  const figures = await getJson(place.dataset.url).catch(() => null);
  if (!figures) return;
  for (const [name, value] of Object.entries(figures)) show(name, value);
  const now = performance.now();
  seen.push([now, figures.callbacks_written]);
  while (seen.length > 2 && now - seen[0][0] > RATE_OVER_MS) seen.shift();
  const [since, before] = seen[0];
  if (now > since) show("per_minute", Math.max(0, Math.round(((figures.callbacks_written - before) * 60000) / (now - since))));
}

if (place) {
  look();
  setInterval(look, EVERY_MS);
}

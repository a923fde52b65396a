// Charts: draws what <script type="application/json"> next to <div data-chart> says, in the colours of the theme.
//
//   <div data-chart="ID" aria-label="…"></div>
//   <script type="application/json" id="ID">{"traces": […], "layout": {…}}</script>
//
// traces and layout are Plotly's, with these things more:
//   trace.tone    "good", "bad", "warn", "quiet" or 1 to 7: a colour of ours, in place of one written out
//   trace.links   an address for each point: a click on it goes there; layout.links the same by trace and point
//   layout.unit   "share" (0.93 as 93 %), "seconds", or a word that stands behind figures

const PLOTLY = document.querySelector("meta[name=plotly]")?.content;
let loading;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = PLOTLY;
    // While it loads it writes the styles of maps into the page, which our Content-Security-Policy refuses with an error
    // in the console. We draw no maps: they are kept out. What charts need is in plotly.css.
    const { head } = document;
    head.appendChild = (node) => (node instanceof HTMLStyleElement ? node : Node.prototype.appendChild.call(head, node));
    script.onload = () => {
      delete head.appendChild;
      resolve(window.Plotly);
    };
    script.onerror = () => reject(new Error("Plotly's script could not be loaded."));
    head.append(script);
  });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const ofTone = (tone) => colour(typeof tone === "number" ? `series-${tone}` : tone);

function themed(trace, index) {
  const { tone, links, ...rest } = trace;
  const tint = ofTone(tone ?? (index % 7) + 1);
  const isBar = rest.type === "bar" || rest.type === "histogram" || rest.type === "funnel";
  const coloured = isBar || rest.type === "pie"
    ? { marker: { color: tint, line: { width: 0 }, ...rest.marker } }
    : { line: { color: tint, width: 2, ...rest.line }, marker: { color: tint, ...rest.marker } };
  if (rest.fill && !rest.fillcolor) coloured.fillcolor = `${tint}26`;
  return { ...rest, ...coloured };
}

function axis(given, unit) {
  return {
    gridcolor: colour("line"),
    linecolor: colour("line"),
    zerolinecolor: colour("line"),
    tickcolor: colour("line"),
    automargin: true,
    fixedrange: true,
    ...(unit === "share" ? { tickformat: ".0%", rangemode: "tozero" } : {}),
    ...(unit === "seconds" ? { ticksuffix: " s", rangemode: "tozero" } : {}),
    ...(unit && unit !== "share" && unit !== "seconds" ? { ticksuffix: ` ${unit}` } : {}),
    ...given,
  };
}

function layoutOf(given = {}) {
  const { unit, xaxis, yaxis, links, ...rest } = given;
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 8, r: 8, t: 8, b: 8 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line-strong"), font: { color: colour("text") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("text") } },
    barmode: "stack",
    bargap: 0.15,
    dragmode: false,
    ...rest,
    xaxis: axis({ showgrid: false, ...xaxis }),
    yaxis: axis(yaxis, unit),
  };
}

async function draw(element) {
  const source = document.getElementById(element.dataset.chart);
  const given = JSON.parse(source.textContent);
  const Plotly = await plotly();
  const traces = given.traces.map(themed);
  const isFirst = !element.classList.contains("js-plotly-plot");
  await Plotly.react(element, traces, layoutOf(given.layout), { displayModeBar: false, responsive: true });
  element.dataset.drawn = "yes";
  if (!isFirst) return;
  const linkOf = (point) => given.traces[point.curveNumber]?.links?.[point.pointNumber ?? point.pointIndex];
  element.on("plotly_click", ({ event, points }) => {
    const link = linkOf(pointedAt(element, event, points.filter(linkOf)));
    if (link) location.assign(link);
  });
  element.on("plotly_hover", ({ points }) => {
    element.classList.toggle("clickable", points.some(linkOf));
  });
}

/** Of the points above each other at one place, that which the pointer is on: in a stack of bars the part, of lines the
 *  nearest. */
function pointedAt(element, { clientY }, points) {
  if (points.length < 2) return points[0] ?? {};
  const { yaxis } = points[0];
  const value = yaxis.p2d(clientY - element.getBoundingClientRect().top - yaxis._offset);
  if (points[0].data.type !== "bar") {
    return points.reduce((one, other) => (Math.abs(other.y - value) < Math.abs(one.y - value) ? other : one));
  }
  let top = 0;
  const inOrder = [...points].filter((point) => point.y > 0).sort((one, other) => one.curveNumber - other.curveNumber);
  return inOrder.find((point) => (top += point.y) >= value) ?? inOrder.at(-1) ?? points[0];
}

/** Draws every chart of the page, or of a part of it that is new. */
export function drawAll(root = document) {
  for (const element of root.querySelectorAll("[data-chart]")) {
    draw(element).catch((error) => {
      element.textContent = `This chart cannot be drawn: ${error.message}`;
    });
  }
}

/** Draws one chart anew, after its data has changed. */
export const redraw = draw;

document.addEventListener("landed:theme", () => drawAll());

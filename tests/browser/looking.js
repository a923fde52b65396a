// What a person would see of a page: contrast, names of controls, what is too wide, what has the focus.

globalThis.landedLooking = (() => {
  const canvas = Object.assign(new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
  /** Any CSS colour as [red, green, blue, alpha], the last 0 to 1. */
  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "transparent";
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }
  const over = ([r, g, b, a], [br, bg, bb]) => [r * a + br * (1 - a), g * a + bg * (1 - a), b * a + bb * (1 - a), 1];
  function luminance([r, g, b]) {
    const linear = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  }
  function ratio(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }
  const lineage = (element) => {
    const found = [];
    for (let at = element; at; at = at.parentElement) found.unshift(at);
    return found;
  };
  function backgroundOf(element) {
    let colour = rgba(getComputedStyle(document.documentElement).colorScheme.startsWith("dark") ? "#121212" : "#fff");
    for (const each of lineage(element)) colour = over(rgba(getComputedStyle(each).backgroundColor), colour);
    return colour;
  }
  function isSeen(element) {
    const box = element.getBoundingClientRect();
    const isHidden = element.closest("[hidden], .hidden-visually, .skip, datalist, option, [disabled]");
    return !isHidden && box.width > 1 && box.height > 1 && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  }
  const nameOf = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${[...element.classList].join(".")}`;

  function judge(element, text, colour, style) {
    const background = backgroundOf(element);
    const opacity = lineage(element).reduce((product, each) => product * Number(getComputedStyle(each).opacity), 1);
    const [r, g, b, a] = rgba(colour);
    const seen = ratio(over([r, g, b, a * opacity], background), background);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    return seen < needed - 0.005 ? [`${nameOf(element)} “${text.trim().slice(0, 40)}” ${seen.toFixed(2)} < ${needed}: ${colour}`] : [];
  }

  /** Texts that are too faint (WCAG AA). */
  function faint() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { nodeValue: text, parentElement: element } = walker.currentNode;
      if (!text.trim() || element.closest("script, style, template, title") || !isSeen(element)) continue;
      const style = getComputedStyle(element);
      found.push(...judge(element, text, element instanceof SVGElement ? style.fill : style.color, style));
    }
    for (const field of document.querySelectorAll("input, textarea, select")) {
      if (!isSeen(field)) continue;
      const style = getComputedStyle(field);
      if (field.value) found.push(...judge(field, field.value, style.color, style));
      else if (field.placeholder) found.push(...judge(field, field.placeholder, getComputedStyle(field, "::placeholder").color, style));
    }
    return [...new Set(found)];
  }

  /** What is told of an element to those who do not see it. */
  function told(element) {
    const labelled = element.getAttribute("aria-labelledby");
    if (labelled) return labelled.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    if (element.getAttribute("aria-label")) return element.getAttribute("aria-label").trim();
    if (element.labels?.length) return [...element.labels].map((label) => label.textContent).join(" ").trim();
    const copy = element.cloneNode(true);
    for (const each of copy.querySelectorAll("[aria-hidden=true]")) each.remove();
    const images = [...copy.querySelectorAll("img[alt], svg[aria-label]")].map((each) => each.getAttribute("alt") ?? each.getAttribute("aria-label"));
    return [copy.textContent, ...images].join(" ").trim();
  }

  /** What a screen reader would stumble on. */
  function unclear() {
    const found = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    if (!document.documentElement.lang) found.push("the page has no language");
    if (!document.title.trim()) found.push("the page has no title");
    const heads = all("h1").filter((head) => head.textContent.trim());
    if (heads.length !== 1) found.push(`${heads.length} headings of the first level`);
    if (all("main").length !== 1) found.push("no main part, or several");
    for (const each of all("a[href], button, summary, input:not([type=hidden], [hidden]), select, textarea, progress")) {
      if (!told(each)) found.push(`${nameOf(each)} has no name: ${each.outerHTML.slice(0, 120)}`);
    }
    for (const each of all("nav, section, dialog, [role=group], [role=img]")) {
      if (!told(each)) found.push(`${nameOf(each)} has no name`);
    }
    for (const each of all("img:not([alt])")) found.push(`${nameOf(each)} has no text in its place`);
    for (const each of all("svg")) {
      const isPlotly = each.closest("[data-chart], #js-plotly-tester");
      if (!isPlotly && each.getAttribute("aria-hidden") !== "true" && !told(each)) found.push(`${nameOf(each)} is neither hidden nor told`);
    }
    for (const each of all("table")) if (each.querySelector("thead") === null && each.querySelector("th") === null && !each.closest("dialog")) found.push(`${nameOf(each)} has no headings`);
    const levels = all("h1, h2, h3, h4").filter((each) => !each.closest("dialog")).map((each) => Number(each.tagName[1]));
    levels.forEach((level, at) => at && level > levels[at - 1] + 1 && found.push(`a heading of level ${level} below one of level ${levels[at - 1]}`));
    const ids = all("[id]").filter((each) => !each.closest("svg")).map((each) => each.id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) found.push(`the id ${id} is there twice`);
    for (const each of all("[aria-labelledby], [aria-describedby]")) {
      for (const id of `${each.getAttribute("aria-labelledby") ?? ""} ${each.getAttribute("aria-describedby") ?? ""}`.trim().split(/\s+/)) {
        if (!document.getElementById(id)) found.push(`${nameOf(each)} is explained by ${id}, which is not there`);
      }
    }
    for (const each of all("[tabindex]")) if (each.tabIndex > 0) found.push(`${nameOf(each)} is out of order for the keyboard`);
    return [...new Set(found)];
  }

  /** What sticks out at the right of the window, where the page scrolls sideways for it. */
  function tooWide() {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > clientWidth + 1);
    return [`${scrollWidth} > ${clientWidth}`, ...out.slice(0, 5).map(nameOf)];
  }

  /** The element that has the focus, and whether one sees that it has. */
  function focus() {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    return {
      name: told(element).replace(/\s+/g, " "),
      tag: element.tagName.toLowerCase(),
      id: element.id,
      isSeen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
      isMarked: ring || style.boxShadow !== "none",
    };
  }

  return { faint, unclear, tooWide, focus };
})();

// What all drawings need: elements, canvases, colours of the style sheet.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function show(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

// Colours by their names in the style sheet.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

// A canvas as sharp as the screen; sizes are in units of the page.
export function canvas(id, height) {
  const node = byId(id);
  if (height && node.style.height !== `${height}px`) node.style.height = `${height}px`;
  const { width, height: tall } = node.getBoundingClientRect();
  const scale = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * scale), Math.round(tall * scale)];
  if (node.width !== across || node.height !== down) Object.assign(node, { width: across, height: down });
  const pen = node.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, tall);
  pen.font = "11.5px system-ui, 'DejaVu Sans', sans-serif";
  return { node, pen, width, height: tall };
}

export function describe(node, text) {
  if (node.getAttribute("aria-label") !== text) node.setAttribute("aria-label", text);
}

export function milliseconds(us) {
  if (us === undefined || us === null) return "–";
  const ms = us / 1000;
  return `${ms >= 100 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

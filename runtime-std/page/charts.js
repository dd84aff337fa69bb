// Commit latency and the share of the fast path, over the last 512 epochs.

import { canvas, colours, describe, milliseconds, show } from "./draw.js";

const WINDOW = 32;
const LEFT = 52;
const TOP = 8;
const BOTTOM = 20;

export function draw(cluster) {
  const history = cluster.history();
  const windows = [];
  for (let end = history.length; end > 0; end -= WINDOW / 4) windows.unshift(summary(history.slice(Math.max(0, end - WINDOW), end)));
  const last = windows.at(-1);
  show("p50", milliseconds(last?.p50));
  show("p99", milliseconds(last?.p99));
  show("fast", last ? `${Math.round(100 * last.fast)} %` : "–");
  const paint = colours();
  latency(windows, paint);
  path(windows, paint);
}

function summary(epochs) {
  const latencies = epochs.map(({ latency_us }) => latency_us).filter((us) => us !== null).sort((one, other) => one - other);
  const at = (share) => latencies[Math.max(0, Math.ceil(share * latencies.length) - 1)];
  const fast = epochs.filter((epoch) => epoch.path === "fast").length / epochs.length;
  return { epoch: epochs.at(-1).epoch, p50: at(0.5), p99: at(0.99), fast };
}

// A step of 1, 2 or 5 that divides `most` into at most four.
function step(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((factor) => factor * power).find((size) => most / size <= 4);
}

function frame(id, top, size, label, windows, paint) {
  const { node, pen, width, height } = canvas(id);
  const y = (value) => TOP + (1 - value / top) * (height - TOP - BOTTOM);
  const count = Math.max(1, windows.length - 1);
  const x = (index) => LEFT + (index / count) * (width - LEFT - 4);
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (let value = 0; value <= top * 1.0001; value += size) {
    pen.fillStyle = paint.line;
    pen.fillRect(LEFT, Math.round(y(value)), width - LEFT, 1);
    pen.fillStyle = paint.faint;
    pen.fillText(label(value), LEFT - 8, y(value));
  }
  pen.textBaseline = "alphabetic";
  if (windows.length > 1) {
    pen.textAlign = "left";
    pen.fillText(`epoch ${windows[0].epoch}`, LEFT, height - 4);
    pen.textAlign = "right";
    pen.fillText(String(windows.at(-1).epoch), width - 4, height - 4);
  }
  return { node, pen, x, y };
}

function line({ pen, x, y }, windows, value, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.beginPath();
  let drawing = false;
  windows.forEach((window, index) => {
    const now = value(window);
    if (now === undefined) return;
    if (drawing) pen.lineTo(x(index), y(now));
    else pen.moveTo(x(index), y(now));
    drawing = true;
  });
  pen.stroke();
}

function latency(windows, paint) {
  const most = Math.max(1000, ...windows.map((window) => window.p99 ?? 0));
  const size = step(most);
  const top = Math.ceil(most / size) * size;
  const label = (us) => (us === 0 ? "0" : us >= 1e6 ? `${+(us / 1e6).toFixed(1)} s` : `${+(us / 1000).toFixed(1)} ms`);
  const chart = frame("latency", top, size, label, windows, paint);
  line(chart, windows, (window) => window.p99, paint.warn);
  line(chart, windows, (window) => window.p50, paint.computation);
  const last = windows.at(-1);
  describe(chart.node, last ? `Commit latency: p50 ${milliseconds(last.p50)}, p99 ${milliseconds(last.p99)}` : "No commit yet");
}

function path(windows, paint) {
  const chart = frame("path", 1, 0.5, (share) => `${100 * share} %`, windows, paint);
  line(chart, windows, (window) => window.fast, paint.aggregation);
  const last = windows.at(-1);
  describe(chart.node, last ? `Fast path: ${Math.round(100 * last.fast)} % of the last ${WINDOW} epochs` : "No commit yet");
}

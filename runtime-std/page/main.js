// One node's view of its cluster, drawn at most ten times a second.

import { Cluster } from "./cluster.js";
import { listen } from "./source.js";
import * as health from "./health.js";
import * as topology from "./topology.js";
import * as lanes from "./lanes.js";
import * as charts from "./charts.js";
import * as events from "./events.js";

const FRAME_MS = 100;

const cluster = new Cluster();
const parts = [health, topology, lanes, charts, events];
let due = false;

function draw() {
  due = false;
  for (const part of parts) part.draw(cluster);
}

function changed() {
  if (due) return;
  due = true;
  setTimeout(() => requestAnimationFrame(draw), FRAME_MS);
}

events.prepare(changed);
listen(cluster, changed);
addEventListener("resize", changed);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

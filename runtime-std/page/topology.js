// Members in a ring: sessions, suspicion, who leads, who was proven faulty.

import { byId, describe, shape } from "./draw.js";

const RADIUS = 132;
const LARGEST = 30;

let shown = "";

export function draw(cluster) {
  const { state, members } = cluster;
  if (!state) return;
  const stages = (id) => cluster.stages.get(id) ?? [];
  // Drawn anew only if it would differ: focus stays where it is.
  const now = JSON.stringify([members, state.node, state.leader, members.map(({ id }) => stages(id))]);
  if (now === shown) return;
  shown = now;
  const size = Math.min(LARGEST, (0.76 * Math.PI * RADIUS) / members.length);
  const place = (index) => {
    const angle = (2 * Math.PI * index) / members.length - Math.PI / 2;
    return [Math.cos(angle), Math.sin(angle)];
  };
  const here = members.findIndex(({ id }) => id === state.node);
  const [homeX, homeY] = place(here).map((part) => part * RADIUS);
  const lines = members.flatMap((member, index) => {
    if (index === here || !member.connected) return [];
    const [x, y] = place(index).map((part) => part * RADIUS);
    return [shape("line", { x1: homeX, y1: homeY, x2: x, y2: y })];
  });
  const nodes = members.map((member, index) => node(cluster, member, place(index), size, stages(member.id)));
  byId("ring").replaceChildren(...lines, ...nodes);
}

function node(cluster, member, [across, down], size, stages) {
  const { id, suspected, faults } = member;
  const { state } = cluster;
  const [x, y] = [across * RADIUS, down * RADIUS];
  const isHere = id === state.node;
  const up = cluster.isUp(member);
  const said = [isHere && "this node", up ? "up" : "no session", id === state.leader && "leads", suspected && "suspected"];
  const group = shape("g", { id: `node-${id}`, class: `${up ? "up" : "down"} ${id === state.leader ? "leads" : ""}` });
  if (suspected) group.append(shape("circle", { class: "doubt", cx: x, cy: y, r: size + 5 }));
  group.append(
    shape("circle", { class: "body", cx: x, cy: y, r: size }),
    shape("text", { class: "name", x, y }, String(id)),
  );
  const words = [isHere && "this node", !up && "down", stages.length > 0 && `stage ${stages.join(" ")}`].filter(Boolean);
  // Many members have room for one word each, outside of the ring.
  const isCrowded = cluster.members.length > 8;
  if (isCrowded && (isHere || !up)) {
    const away = RADIUS + size + 14;
    group.append(shape("text", { class: "stages", x: across * (away + 8), y: down * away }, isHere ? "here" : "down"));
  } else if (!isCrowded && words.length > 0) {
    group.append(shape("text", { class: "stages", x, y: y + Math.sign(down + 0.3) * (size + 15) }, words.join(", ")));
  }
  if (faults.length > 0) {
    const badge = [x + 0.75 * size, y - 0.75 * size];
    group.append(
      shape("a", { href: `#evidence-${id}`, "aria-label": `node ${id} was proven faulty: ${faults.join(", ")}` },
        shape("circle", { cx: badge[0], cy: badge[1], r: 9 }),
        shape("text", { x: badge[0], y: badge[1] + 0.5 }, "!")),
    );
  }
  describe(group, `node ${id}: ${said.filter(Boolean).join(", ")}`);
  return group;
}

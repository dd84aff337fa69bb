// A lane for each member, a column for each epoch: how it went through the
// four phases, as far as this node heard.

import { byId, canvas, colours, describe, element } from "./draw.js";
import { COLUMNS } from "./cluster.js";

const HEAD = 22;
const GAP = 3;
// All lanes together are about this high.
const ROOM = 352;
const LEAST_LANE = 20;
const MOST_LANE = 88;
// What took no time is shown all the same.
const LEAST = 2;

let names = "";

export function draw(cluster) {
  const { members, state } = cluster;
  if (!state) return;
  const lane = Math.max(LEAST_LANE, Math.min(MOST_LANE, Math.floor(ROOM / members.length)));
  nameLanes(cluster, lane);
  const all = [...cluster.columns.values()].sort((one, other) => one.epoch - other.epoch);
  // The open epoch has a column as soon as something was heard in it.
  const heard = (column) => column.decided || column.attested.size + column.voted.size + column.changes.length > 0;
  const columns = all.filter(heard).slice(-COLUMNS);
  const { node, pen, width, height } = canvas("lanes", HEAD + lane * members.length);
  const paint = colours();
  members.forEach((_, index) => {
    pen.fillStyle = paint.line;
    pen.fillRect(0, HEAD + Math.floor(lane * (index + 0.5)), width, 1);
  });
  const across = width / COLUMNS;
  const end = Math.max(0, ...columns.flatMap(times));
  columns.forEach((column, index) => {
    const x = Math.round(index * across);
    const to = column.decided ?? end;
    const from = Math.min(column.began ?? Infinity, to);
    const span = Math.max(1, to - from);
    const full = Math.round((index + 1) * across) - GAP - x;
    const at = (time) => x + Math.round((Math.min(Math.max(time - from, 0), span) / span) * full);
    head(pen, paint, column, x, across);
    members.forEach((member, row) => bar(pen, paint, column, member.id, at, x, x + full, HEAD + lane * row, lane));
    for (const change of column.changes) {
      pen.fillStyle = paint.bad;
      pen.fillRect(at(change.at_us) - 1, HEAD, 2, height - HEAD);
    }
  });
  const last = columns.at(-1)?.epoch;
  node.dataset.columns = columns.length;
  describe(node, columns.length ? `Epochs ${columns[0].epoch} to ${last}, a lane for each of ${members.length} members` : "Nothing was heard yet");
}

function times(column) {
  return [column.began ?? 0, ...column.attested.values(), ...column.voted.values(), ...column.changes.map((change) => change.at_us)];
}

function head(pen, paint, column, x, across) {
  pen.fillStyle = paint.faint;
  pen.textAlign = "left";
  if (column.epoch % 4 === 0) pen.fillText(String(column.epoch), x, 12);
  if (column.path === "slow") {
    pen.fillStyle = paint.warn;
    pen.fillRect(x, 17, across - GAP, 2);
  }
  if (column.changes.length > 0 && column.epoch % 4 !== 0) {
    pen.fillStyle = paint.bad;
    pen.fillText(`v${column.changes.at(-1).view}`, x, 12);
  }
}

function bar(pen, paint, column, member, at, x, right, top, lane) {
  const height = Math.min(28, Math.round(lane * 0.6));
  const y = top + Math.round((lane - height) / 2);
  const attested = column.attested.get(member);
  const voted = column.voted.get(member);
  let left = x;
  const phase = (name, to) => {
    const end = Math.min(right, Math.max(to, left + LEAST));
    if (end <= left) return;
    pen.fillStyle = paint[name];
    pen.fillRect(left, y, end - left, height);
    left = end;
  };
  if (attested === undefined && voted === undefined) {
    if (column.decided) outline(pen, paint, left, right, y, height);
    return;
  }
  if (column.assigned !== undefined) phase("assignment", left);
  if (attested !== undefined) phase("computation", at(attested));
  if (voted === undefined) {
    if (column.decided && left < right) outline(pen, paint, left, right, y, height);
    return;
  }
  phase("aggregation", at(voted));
  phase("commitment", right);
}

function outline(pen, paint, left, right, y, height) {
  pen.strokeStyle = paint.ring;
  pen.lineWidth = 1;
  pen.strokeRect(left + 0.5, y + 0.5, Math.max(1, right - left - 1), height - 1);
}

function nameLanes(cluster, lane) {
  const { members, state } = cluster;
  const about = members.map((member) => {
    const words = [cluster.isUp(member) ? "" : "down", member.faults.length ? "guilty" : "", member.id === state.node ? "here" : ""];
    return { id: member.id, words: words.join(" ").trim() };
  });
  const now = JSON.stringify([about, lane]);
  if (now === names) return;
  names = now;
  const rows = about.map(({ id, words }) => {
    const row = element("li", { class: words }, element("span", {}, `node ${id}`));
    row.style.height = `${lane}px`;
    return row;
  });
  byId("lane-names").replaceChildren(...rows);
}

// The log of events with its filter, and evidence.

import { byId, element, milliseconds } from "./draw.js";

const ROWS = 120;

// Each kind that is listed, whether it is from the start, and its sentence.
const KINDS = {
  assigned: [true, ({ epoch, client, sequence }) => `request ${sequence} of client ${client} begins in epoch ${epoch}`],
  decided: [false, ({ epoch, path, view, latency_us }) => `epoch ${epoch} in view ${view}, ${path} path, ${milliseconds(latency_us)}`],
  view: [true, ({ epoch, view, leader }) => `left for view ${view} of epoch ${epoch}, led by node ${leader}`],
  state: [false, ({ coordinator }) => coordinator],
  session: [true, ({ member, open }) => (open ? `connected with node ${member}` : `lost node ${member}`)],
  suspects: [true, ({ members }) => (members.length ? `silent or in disagreement: ${nodes(members)}` : "nobody is suspected any more")],
  blocked: [true, ({ by }) => (by ? blockade(by) : "decisions are possible again")],
  evidence: [true, ({ accused, fault }) => `node ${accused} is proven faulty (${fault})`],
};

const nodes = (members) => members.map((member) => `node ${member}`).join(", ");

function blockade({ silent, learners }) {
  const parts = [silent.length && `nothing is heard of ${nodes(silent)}`, learners.length && `${nodes(learners)} lost the vote record`];
  return `no decision is possible: ${parts.filter(Boolean).join("; ")}`;
}

const chosen = new Set(Object.keys(KINDS).filter((kind) => KINDS[kind][0]));
let wanted = "";
let listed = "";
let proven = "";

export function prepare(changed) {
  const boxes = Object.keys(KINDS).map((kind) => {
    const box = element("input", { type: "checkbox", id: `show-${kind}`, checked: chosen.has(kind) && "" });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(kind);
      else chosen.delete(kind);
      changed();
    });
    return element("label", {}, box, kind);
  });
  const search = element("input", { type: "search", id: "search", placeholder: "contains", "aria-label": "Only events that contain" });
  search.addEventListener("input", () => {
    wanted = search.value.trim().toLowerCase();
    changed();
  });
  byId("filter").append(...boxes, search);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
}

export function draw(cluster) {
  list(cluster.log);
  prove(cluster.evidence);
}

function list(log) {
  const rows = [];
  for (let index = log.length - 1; index >= 0 && rows.length < ROWS; index--) {
    const { kind, told, time } = log[index];
    if (!chosen.has(kind)) continue;
    const text = KINDS[kind][1](told);
    if (wanted && !`${kind} ${text}`.toLowerCase().includes(wanted)) continue;
    rows.push({ kind, text, time });
  }
  const now = JSON.stringify(rows);
  if (now === listed) return;
  listed = now;
  const items = rows.map(({ kind, text, time }) => element("li", { "data-kind": kind },
    element("time", { datetime: time.toISOString() }, clock(time)),
    element("span", { class: "kind" }, kind),
    element("span", {}, text)));
  const none = element("li", { class: "none" }, "Nothing of that kind since this page was opened.");
  byId("log").replaceChildren(...(items.length ? items : [none]));
}

function clock(time) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${Math.floor(time.getMilliseconds() / 100)}`;
}

function prove(evidence) {
  const now = JSON.stringify(evidence);
  if (now === proven) return;
  proven = now;
  const seen = new Set();
  const items = evidence.map(({ accused, fault, meaning, evidence: bytes }) => {
    // The badge of a member leads to the first.
    const id = seen.has(accused) ? undefined : `evidence-${accused}`;
    seen.add(accused);
    return element("li", { id, tabindex: "-1" },
      element("b", {}, `Node ${accused}: ${fault.replace("_", " ")}`),
      element("p", {}, `${meaning}. Signed by itself, ${bytes.length / 2} bytes:`),
      element("code", {}, `${bytes.slice(0, 96)}…`));
  });
  const none = element("li", { class: "none" }, "Nobody was proven faulty.");
  byId("evidence").replaceChildren(...(items.length ? items : [none]));
  // A link to what was not there yet.
  if (location.hash.startsWith("#evidence-")) byId(location.hash.slice(1))?.scrollIntoView({ block: "nearest" });
}

// The strip at the top: can this cluster go on, and where is it?

import { byId, show } from "./draw.js";

const LINKS = { waiting: "connecting", live: "live", lost: "connection lost, trying again" };

export function draw(cluster) {
  const { state, members, link } = cluster;
  show("link", LINKS[link]);
  byId("link").dataset.state = link;
  document.body.classList.toggle("lost", link === "lost");
  if (!state) return;
  const { state: verdict, text, margin } = cluster.verdict();
  byId("verdict").dataset.state = verdict;
  show("verdict", text);
  show("whose", `Node ${state.node}’s view of cluster ${state.cluster.slice(0, 12)}`);
  document.title = `Butterfly – node ${state.node}: ${text}`;
  show("up", `${members.filter((member) => cluster.isUp(member)).length} of ${members.length}`);
  show("faults", `${state.f} of ${state.voters}`);
  show("margin", margin < 0 ? `${-margin} too few` : `${margin} more`);
  show("epoch", String(state.epoch));
  show("view", String(state.view));
  show("leader", `node ${state.leader}`);
  show("doing", state.role === "replica" ? state.coordinator : `${state.coordinator} (${state.role})`);
}

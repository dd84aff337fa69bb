// What this node says: its documents once, its events from then on.

import { EPOCHS } from "./cluster.js";

const KINDS = ["assigned", "attested", "voted", "view", "decided", "state", "suspects", "session", "blocked", "evidence"];
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 8000;
// What no event tells is asked for this often.
const ROUND_MS = 5000;

async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function readStanding(cluster) {
  const [state, members] = await Promise.all([get("/api/v1/state"), get("/api/v1/members")]);
  cluster.stand(state, members.members);
}

async function readEvidence(cluster) {
  cluster.prove((await get("/api/v1/evidence")).evidence);
}

// The newest only: a node keeps very many.
async function readEpochs(cluster) {
  const { last_epoch } = await get("/api/v1/state");
  for (let from = Math.max(0, last_epoch - EPOCHS + 1), more = true; more;) {
    const { epochs, next } = await get(`/api/v1/epochs?from=${from}&limit=100`);
    cluster.remember(epochs);
    more = epochs.length === 100;
    from = next;
  }
}

export function listen(cluster, changed) {
  let pause = PAUSE_MS;
  let source;

  const lost = () => {
    cluster.link = "lost";
    changed();
  };
  const ask = (...questions) =>
    Promise.all(questions.map((question) => question(cluster))).then(changed, lost);

  function connect() {
    source = new EventSource("/api/v1/events");
    source.addEventListener("hello", (event) => {
      pause = PAUSE_MS;
      cluster.link = "live";
      if (JSON.parse(event.data).start === "anew") {
        cluster.forget();
        ask(readStanding, readEvidence, readEpochs);
      }
      changed();
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        cluster.apply(kind, JSON.parse(event.data));
        if (kind === "evidence") ask(readEvidence, readStanding);
        changed();
      });
    }
    source.addEventListener("error", () => {
      lost();
      // The browser comes back by itself, unless it was refused.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(connect, pause);
      pause = Math.min(LONGEST_PAUSE_MS, 2 * pause);
    });
  }

  connect();
  setInterval(() => cluster.link === "live" && ask(readStanding), ROUND_MS);
}

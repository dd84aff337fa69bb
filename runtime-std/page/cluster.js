// What is known of the cluster, from documents and events.

export const COLUMNS = 24;
export const EPOCHS = 512;
const LOG = 500;

const MEANING = {
  proposals: "it signed two proposals in one view",
  votes: "it signed two votes in one view",
  commits: "it signed two commits in one view",
  view_changes: "it signed two reports on entering one view",
  attestation: "it attested an output that contradicts what f + 1 members attest",
};

export class Cluster {
  link = "waiting";
  state = null;
  members = [];
  evidence = [];
  log = [];

  constructor() {
    this.forget();
  }

  // Numbers and times of another stream mean nothing here.
  forget() {
    this.epochs = new Map();
    this.columns = new Map();
    this.stages = new Map();
    this.began = null;
  }

  stand(state, members) {
    // A document may be older than what events said meanwhile.
    if (this.state && state.epoch < this.state.epoch) state = { ...state, ...this.place() };
    this.state = state;
    this.members = members;
  }

  place() {
    const { epoch, view, leader } = this.state;
    return { epoch, view, leader };
  }

  prove(evidence) {
    this.evidence = evidence.map((proof) => ({ ...proof, meaning: MEANING[proof.fault] ?? proof.fault }));
  }

  remember(epochs) {
    for (const epoch of epochs) this.epochs.set(epoch.epoch, epoch);
    this.trim(this.epochs, EPOCHS);
  }

  trim(map, most) {
    if (map.size <= most) return;
    const oldest = [...map.keys()].sort((one, other) => one - other).slice(0, map.size - most);
    for (const key of oldest) map.delete(key);
  }

  // What was heard in one epoch.
  column(epoch) {
    if (!this.columns.has(epoch)) {
      this.columns.set(epoch, { epoch, attested: new Map(), voted: new Map(), changes: [] });
      this.trim(this.columns, COLUMNS + 2);
    }
    return this.columns.get(epoch);
  }

  apply(kind, told) {
    this["on_" + kind](told);
    if (kind !== "attested" && kind !== "voted") {
      this.log.push({ kind, told, time: new Date() });
      if (this.log.length > LOG) this.log.splice(0, this.log.length - LOG);
    }
  }

  on_assigned({ epoch, stages, at_us }) {
    Object.assign(this.column(epoch), { began: at_us, assigned: at_us });
    this.stages = new Map();
    stages.forEach((owners, stage) => {
      for (const owner of owners) this.stages.set(owner, [...(this.stages.get(owner) ?? []), stage]);
    });
  }

  on_attested({ epoch, member, at_us }) {
    this.column(epoch).attested.set(member, at_us);
  }

  on_voted({ epoch, member, at_us }) {
    this.column(epoch).voted.set(member, at_us);
  }

  on_view({ epoch, view, leader, at_us }) {
    this.column(epoch).changes.push({ view, at_us });
    if (this.state) Object.assign(this.state, { epoch, view, leader });
  }

  on_decided({ epoch, view, path, tokens, latency_us, next_leader, at_us }) {
    Object.assign(this.column(epoch), { decided: at_us, path, view });
    this.column(epoch + 1).began ??= at_us;
    this.remember([{ epoch, view, path, tokens, latency_us }]);
    if (this.state) Object.assign(this.state, { epoch: epoch + 1, view: 0, leader: next_leader, last_epoch: epoch });
  }

  on_state({ coordinator }) {
    if (this.state) this.state.coordinator = coordinator;
  }

  on_suspects({ members }) {
    for (const member of this.members) member.suspected = members.includes(member.id);
  }

  on_session({ member, open }) {
    const known = this.members.find(({ id }) => id === member);
    if (known) known.connected = open;
  }

  on_blocked({ by }) {
    if (this.state) this.state.blocked = by;
  }

  on_evidence() {}

  isUp({ id, connected }) {
    return id === this.state?.node || connected === true;
  }

  // What can be expected of the cluster, as far as this node sees.
  verdict() {
    const { voters, f, blocked } = this.state;
    const up = this.members.filter((member) => member.votes && this.isUp(member)).length;
    const margin = up - (voters - f);
    const all = this.members.every((member) => this.isUp(member));
    if (blocked) return { state: "stopped", text: "no decision possible", margin };
    if (margin < 0) return { state: "stopped", text: "too few are up", margin };
    return all ? { state: "whole", text: "every member is up", margin } : { state: "degraded", text: "some are missing", margin };
  }

  // The last decided epochs, oldest first.
  history() {
    return [...this.epochs.values()].sort((one, other) => one.epoch - other.epoch);
  }
}

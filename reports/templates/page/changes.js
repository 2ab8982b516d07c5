// What would have to change for another candidate to win, the least change first, as
// edgebench.analysis.alternatives has it: the runner-up, then what fell out though it is surely better.
const [BISECTIONS, DOUBLINGS, CHANGES] = [60, 24, 5];
const CHANGE_KINDS = ["objective", "limits", "mend"];

// A figure with another value, as sure as it is: in percent, or in its unit.
const moved = (known, at) => {
  const { value, low, high, spread } = known;
  if (low === undefined || high === undefined) return { ...known, value: at };
  if (spread === "linear" || value <= 0) return { ...known, value: at, low: low + at - value, high: high + at - value };
  return { ...known, value: at, low: (low * at) / value, high: (high * at) / value };
};
// The last value that holds, on the way from one that does to one that does not.
const lastHolding = (holds, fails, holdsAt) => {
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (holds + fails) / 2;
    if (holdsAt(middle)) holds = middle;
    else fails = middle;
  }
  return holds;
};
// A bound that the value keeps once both are told: rounded up, or down.
const enough = ({ sense, meta }, needed) => {
  const value = needed * meta.scale;
  const last = value ? Math.min(10 ** (Math.floor(Math.log10(Math.abs(value))) - 3), 1) : 1;
  return amount({ ...meta, scale: 1, exact: true }, (sense === "max" ? Math.ceil : Math.floor)(value / last) * last);
};

class Changes {
  constructor(question, { ranked, out }) {
    const sign = question.objective.more ? -1 : 1;
    Object.assign(this, { question, ranked, out, sign });
  }

  tied(one, other) {
    const { ties, objective } = this.question;
    return ties.tied(ties.sided(one), ties.sided(other), objective.margin);
  }

  // Each with its kind, its words, and what it is sorted by.
  found() {
    const [leader] = this.ranked;
    const second = this.ranked.find(({ rank }) => rank === 2);
    const rejected = this.out.filter((one) => one.figure && this.comparable(one.candidate) && this.better(one, leader));
    const all = rejected.map((one) => this.ofRejected(one, leader));
    if (second) all.push(this.ofRunnerUp(second, leader));
    return all.sort((a, b) => compare(a.kind, b.kind) || compare(a.unknown, b.unknown) || compare(a.beyond, b.beyond) || compare(a.name, b.name)).slice(0, CHANGES);
  }

  comparable(candidate) {
    const { objective: { name }, tiers } = this.question;
    return !candidate[`load ${name}`] && (!tiers.length || this.question.powers(candidate, name).every(([tier]) => tiers.includes(tier)));
  }

  better({ figure: one }, leader) {
    return !leader || (this.sign * (one.value - leader.figure.value) < 0 && !this.tied(one, leader.figure));
  }

  ofRejected({ candidate: { name }, refusals, breaks }, leader) {
    const needs = breaks.map((broken) => this.need(broken));
    if (refusals.length) needs.unshift(`it were mended (${refusals.map(([words]) => words).join("; ")}) and kept its figure`);
    const beyond = breaks.reduce((sum, { excess, limit: { bound } }) => sum + (excess ?? 0) / (Math.abs(bound) || 1), 0);
    const unknown = breaks.filter(({ excess }) => excess === undefined).length;
    const words = ` would rank${leader ? ` before ${leader.candidate.name}` : ""} if ${needs.join(" and ")}.`;
    return { name, words, unknown, beyond, kind: refusals.length ? CHANGE_KINDS.indexOf("mend") : CHANGE_KINDS.indexOf("limits") };
  }

  need({ limit, needed, missing }) {
    const stated = this.question.stated(limit);
    if (missing) return `its ${limit.meta.noun} were known and kept ${stated}`;
    return needed === undefined ? `it were measured so that ${stated} is sure` : `${stated} gave way to ${enough(limit, needed)}`;
  }

  ofRunnerUp({ candidate: { name }, figure: known }, leader) {
    const { meta, objective } = this.question;
    const tie = lastHolding(leader.figure.value, known.value, (at) => this.tied(moved(known, at), leader.figure));
    const win = this.past(known);
    const by = Math.abs(known.value - tie);
    const share = known.value ? ` (${((100 * by) / Math.abs(known.value)).toFixed(0)} %)` : "";
    const further = win === undefined ? "" : `, and win ${objective.more ? "above" : "below"} ${amount(meta, win)}`;
    const words = ` would tie with ${leader.candidate.name} if its ${meta.noun} ${objective.more ? "rose" : "fell"} by ${amount(meta, by)}${share} to ${amount(meta, tie)}${further}.`;
    return { name, words, unknown: 0, beyond: 0, kind: CHANGE_KINDS.indexOf("objective") };
  }

  // The value past which it is told apart from all of rank 1, as the better one.
  past(known) {
    const best = this.ranked.filter(({ rank }) => rank === 1).map(({ figure: one }) => one);
    const beside = (at) => best.some((one) => this.tied(moved(known, at), one));
    const edge = Math.min(...best.map(({ value }) => this.sign * value)) * this.sign;
    const step = Math.max(Math.abs(edge), Math.abs(known.value - edge)) / 2 ** 10;
    for (let doubled = 0; doubled < DOUBLINGS; doubled++) {
      let at = edge - this.sign * step * 2 ** doubled;
      if (known.spread !== "linear" && known.value > 0 && at <= 0) at = edge / 2 ** (doubled + 1); // nothing is below 0
      if (!beside(at)) return beside(edge) ? lastHolding(edge, at, beside) : edge;
    }
    return undefined;
  }
}
const changesOf = (question, found) => {
  const changes = found.unlike ? [] : new Changes(question, found).found();
  if (!changes.length) return [];
  const lines = changes.map(({ name, words }) => make("li", {}, make("strong", { textContent: name }), words));
  return [make("h3", { textContent: "What would have to change for another to win" }), make("ul", { id: "changes", className: "small reasons" }, ...lines)];
};

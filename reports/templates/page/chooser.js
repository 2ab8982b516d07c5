// The chooser: limits, then one figure to rank by, as `edgebench recommend`; what may rank at all and
// why a figure is missing was decided there and comes in words.
const form = document.getElementById("chooser");
const asking = form && JSON.parse(form.dataset.chooser);
const unitOf = ({ unit }) => (unit ? ` ${unit}` : "");
const amount = ({ scale, unit, exact }, value) => {
  const told = exact ? String(+(value * scale).toPrecision(10)) : figure(+(value * scale).toPrecision(12));
  return unit ? `${told} ${unit}` : told;
};
const cellAt = new Map(cells.map((cell) => [cell.row, cell]));

class Question {
  // What the form says: limits with their figures, the objective, what counts.
  constructor(state) {
    this.limits = asking.limits
      .map((limit) => ({ ...limit, meta: asking.figures[limit.name], bound: state[`${limit.sense}.${limit.name}`] }))
      .filter(({ bound }) => bound !== undefined);
    this.objective = asking.objectives.find(({ key }) => key === state.by);
    this.meta = asking.figures[this.objective.name];
    this.names = [...new Set([this.objective.name, ...this.limits.map(({ name }) => name)])];
    this.tiers = state.tier ? state.tier.split(",") : [];
    this.valid = Boolean(state.valid);
    this.sure = Boolean(state.sure);
    this.ties = new Ties(asking.quantiles);
  }

  of(cell, name) {
    const { fields, exact, spread } = asking.figures[name];
    const [value, low, high, launches] = fields.map((field) => cell[field]);
    if (value === undefined) return undefined;
    const known = low !== undefined && high !== undefined && !exact;
    return { value, low: known ? low : undefined, high: known ? high : undefined, launches: launches ?? 0, exact, spread };
  }

  // The mean over units; undefined where one of them lacks it.
  mean(candidate, name) {
    const told = candidate[`mean ${name}`];
    if (!told) return candidate.cells.length > 1 && candidate[`why ${name}`] !== undefined ? undefined : this.of(cellAt.get(candidate.cells[0]), name);
    const [value, low, high, launches] = told.map((part) => part ?? undefined);
    const { exact, spread } = asking.figures[name];
    return { value, low, high, launches, exact, spread };
  }

  // Tiers of a candidate's power, each with what of the device its meter leaves out.
  powers(candidate, name) {
    const { power, tier } = asking.figures[name];
    if (!power && !tier) return [];
    const seen = candidate.cells.map((row) => cellAt.get(row)).filter((cell) => cell[name] !== undefined);
    return seen.map((cell) => (tier ? [tier, ""] : [cell.power_tier ?? "of a tier that nobody told", cell.power_excludes ?? ""]));
  }

  // Why a candidate does not rank, whatever its figures: [words, kind].
  refused(candidate) {
    const unfit = (this.valid && candidate.unvalid && "unvalid") || (candidate.unfit && "unfit");
    const found = unfit ? [[candidate[unfit], candidate[`${unfit} kind`]]] : this.unranked(candidate);
    for (const name of this.names) {
      const { noun, tier } = asking.figures[name];
      const others = [...new Set(this.powers(candidate, name).map(([one]) => one))].filter((one) => !this.tiers.includes(one));
      if (!this.tiers.length || !others.length || tier) continue;
      const words = `${noun} is ${others.join(" and ")}`;
      found.push([`${words}: only ${this.tiers.join(" or ")} counts here`, words]);
      break;
    }
    return found;
  }

  unranked(candidate) {
    const { name } = this.objective;
    const load = candidate[`load ${name}`];
    if (load) return [[load, load.split(":")[0]]];
    if (this.mean(candidate, name)) return [];
    const words = this.missing(name);
    return [[words + (candidate[`why ${name}`] ?? ""), words]];
  }

  missing(name) {
    const { noun } = asking.figures[name];
    return name === "price_usd" ? "its price is not known" : `${noun} was not measured`;
  }

  // How a candidate breaks a limit, by the unit that breaks it the most; undefined where it keeps it.
  broken(candidate, limit) {
    const { name, sense, bound, meta } = limit;
    const beyond = (value) => (sense === "max" ? value - bound : bound - value);
    const found = [];
    for (const row of candidate.cells) {
      const known = this.of(cellAt.get(row), name);
      if (!known) return candidate.failed ? undefined : { limit, missing: true, kind: `${meta.noun} not known`, words: this.missing(name) + (candidate[`why ${name}`] ?? "") };
      const excess = beyond(known.value);
      const far = known.exact ? known.value : sense === "max" ? known.high : known.low;
      const needed = this.sure ? (far ?? (excess > 0 ? known.value : undefined)) : known.value; // the bound that it would keep
      if (excess > 0) found.push({ first: 1, excess, needed, words: this.words(limit, known.value, excess) });
      else if (this.sure && far === undefined) found.push({ first: 0, words: `${meta.noun} ${amount(meta, known.value)} has no interval` });
      else if (this.sure && beyond(far) > 0) found.push({ first: 0, excess: beyond(far), needed, words: `${meta.noun} ${amount(meta, known.value)}, its interval reaches ${amount(meta, far)}` });
    }
    const [worst] = found.sort((a, b) => b.first - a.first || (b.excess ?? 0) - (a.excess ?? 0));
    if (!worst) return undefined;
    const many = candidate.cells.length > 1 ? `; ${found.length} of ${candidate.cells.length} units` : "";
    const share = worst.excess === undefined ? Infinity : worst.excess / (Math.abs(bound) || worst.excess || 1);
    const all = found.map(({ needed }) => needed);
    const needed = all.includes(undefined) ? undefined : all.reduce((one, other) => (beyond(one) > beyond(other) ? one : other));
    return { ...worst, limit, needed, share, kind: this.stated(limit, "beyond"), words: worst.words + many };
  }

  words({ bound, sense, meta }, value, excess) {
    const percent = bound ? (100 * excess) / Math.abs(bound) : 0;
    const share = bound ? ` (${percent >= 1 ? percent.toFixed(0) : percent.toPrecision(1)} %)` : "";
    return `${meta.noun} ${amount(meta, value)} is ${amount(meta, excess)}${share} ${sense === "max" ? "above" : "below"} ${amount({ ...meta, exact: true }, bound)}`;
  }

  stated({ bound, sense, meta }, before = "") {
    return `${before ? `${before} ` : ""}${meta.noun} ${sense === "max" ? "at most" : "at least"} ${amount({ ...meta, exact: true }, bound)}`;
  }

  // Power that was come by in unlike ways among those that may rank: [what, its devices] each.
  mixed(candidates) {
    if (this.tiers.length) return [];
    for (const name of this.names) {
      const having = new Map();
      for (const candidate of candidates) {
        for (const [tier, without] of this.powers(candidate, name)) {
          const what = without ? `${tier} without ${without}` : tier;
          having.set(what, (having.get(what) ?? new Set()).add(cellAt.get(candidate.cells[0]).device));
        }
      }
      if (having.size > 1) return [...having];
    }
    return [];
  }

  decide(candidates) {
    const judged = candidates.map((candidate) => ({
      candidate,
      figure: this.mean(candidate, this.objective.name),
      refusals: this.refused(candidate),
      breaks: this.limits.map((limit) => this.broken(candidate, limit)).filter(Boolean),
    }));
    const mixed = this.mixed(judged.filter(({ refusals }) => !refusals.length).map(({ candidate }) => candidate));
    const sign = this.objective.more ? -1 : 1;
    const second = ({ candidate }) => candidate.second ?? Infinity;
    const ranked = judged
      .filter(({ refusals, breaks }) => !refusals.length && !breaks.length)
      .sort((a, b) => sign * (a.figure.value - b.figure.value) || compare(second(a), second(b)) || compare(a.candidate.name, b.candidate.name));
    const sided = ranked.map((one) => this.ties.sided(one.figure));
    const ranks = this.ties.ranks(sided, this.objective.margin);
    ranked.forEach((one, place) => Object.assign(one, { rank: ranks[place], place, tied: place > 0 && this.ties.tied(sided[0], sided[place], this.objective.margin) }));
    ranked.sort((a, b) => a.rank - b.rank || a.place - b.place);
    const out = judged.filter(({ refusals, breaks }) => refusals.length || breaks.length);
    out.sort((a, b) => compare(distance(a), distance(b)) || compare(a.candidate.name, b.candidate.name));
    // Where nothing keeps the limits whichever power counts, that need not be said first.
    return { mixed: ranked.length ? mixed : [], unlike: mixed.length > 0, ranked, out };
  }
}
const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
// How far the worst of the limits is broken; what has a fault or lacks a figure is nowhere near.
const distance = ({ refusals, breaks }) => (refusals.length ? Infinity : Math.max(...breaks.map(({ share }) => share ?? Infinity)));
const why = ({ refusals, breaks }) => [...refusals.map(([words]) => words), ...breaks.map(({ words }) => words)];
const kindOf = ({ refusals, breaks }) => (refusals.length ? refusals.map(([, kind]) => kind) : breaks.map(({ kind }) => kind)).join(", ");

// What the chooser found, as a person reads it: the sentence, the figures, then why.
const chosenWords = document.getElementById("chosen-words");
const chosenBox = document.getElementById("chosen");
const interval = ({ scale }, { low, high }) => (low === undefined ? "" : `${figure(low * scale)} to ${figure(high * scale)}`);
const listed = (names) => {
  const shownNames = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return [shownNames.slice(0, -1).join(", "), shownNames.at(-1)].filter(Boolean).join(" and ");
};

const grid = (caption, heads, rows) => {
  const head = make("tr", {}, ...heads.map(({ text, number }) => make("th", { scope: "col", className: number ? "number" : "", textContent: text })));
  const body = rows.map((row) => make("tr", {}, ...row.map((inner, place) => make("td", { className: heads[place].number ? "number" : "" }, inner))));
  const table = make("table", {}, make("caption", { textContent: caption }), make("thead", {}, head), make("tbody", {}, ...body));
  const box = make("div", { className: "scroll", role: "region", tabIndex: 0 }, table);
  box.setAttribute("aria-label", caption);
  return box;
};
// A table of the first few, with what is to be said of those, and a button for the rest.
const longGrid = (caption, heads, rows, id, noteOf) => {
  const box = make("div", { id });
  const fill = (most) => {
    const note = noteOf(most);
    box.replaceChildren(grid(caption, heads, rows.slice(0, most)), ...(note ? [make("p", { className: "small", textContent: note })] : []));
    if (rows.length <= most) return;
    const more = make("button", { type: "button", className: "more", textContent: `Show all ${rows.length.toLocaleString("en")}` });
    more.addEventListener("click", () => fill(Infinity));
    box.append(more);
  };
  fill(BEST);
  return box;
};

const headOf = (meta) => ({ text: `${meta.noun}${unitOf(meta)}`, number: true });
const cellText = (question, candidate, name) => {
  const known = question.mean(candidate, name);
  if (!known) return MISSING;
  const meta = asking.figures[name];
  const between = interval(meta, known);
  const bare = amount({ ...meta, unit: "" }, known.value);
  return between ? make("span", {}, `${bare} `, make("small", { textContent: `(${between})` })) : bare;
};
const doubtful = ({ candidate: { name, doubts } }) => (doubts ? make("span", { title: doubts }, `${name} `, make("small", { className: "warn", textContent: doubts.split(/[ :]/)[0] })) : name);

const shareRank = (ranked) => {
  const counts = new Map();
  for (const { rank } of ranked) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  return ({ rank }) => `${rank}${counts.get(rank) > 1 ? "=" : ""}`;
};

const keptGrid = (question, { ranked }) => {
  const names = [...new Set([...question.names, "price_usd"])];
  const rank = shareRank(ranked);
  const heads = [{ text: "rank" }, { text: "candidate" }, ...names.map((name) => headOf(asking.figures[name]))];
  const rows = ranked.map((one) => [rank(one), doubtful(one), ...names.map((name) => cellText(question, one.candidate, name))]);
  return longGrid("What keeps all limits, with 95 % intervals", heads, rows, "kept", (most) => orderWords(question, ranked.slice(0, most)));
};

const fellOut = ({ out }) => {
  if (!out.length) return [];
  const groups = new Map();
  for (const one of out) groups.set(kindOf(one), [...(groups.get(kindOf(one)) ?? []), one]);
  const lines = [...groups].sort(([, a], [, b]) => b.length - a.length).map(([kind, [first, ...others]]) => {
    const near = others.length ? `${Number.isFinite(distance(first)) ? "nearest" : "one is"} ` : "";
    return make("li", {}, make("strong", { textContent: `${others.length + 1} ` }), `${kind}: ${near}${first.candidate.name}: ${why(first).join("; ")}`);
  });
  const heads = [{ text: "candidate" }, { text: "why it fell out" }];
  const rows = out.map((one) => [one.candidate.name, why(one).join("; ")]);
  const whole = make("details", { id: "fallen" }, make("summary", { textContent: `All ${rows.length.toLocaleString("en")}, the nearest first` }));
  whole.addEventListener("toggle", () => whole.open && whole.childElementCount < 2 && whole.append(grid("What fell out, the nearest first", heads, rows)));
  return [make("h3", { textContent: `Why ${plural(out.length, "candidate")} fell out` }), make("ul", { className: "small reasons" }, ...lines), whole];
};

// Three digits of a ratio.
const ratioText = (value) => {
  const known = Number(value.toPrecision(3));
  return known.toFixed(Math.max(0, 2 - Math.floor(Math.log10(known))));
};
// How far the best is ahead of the best of rank 2, in the words of edgebench.report.choice_best.
const leadWords = ({ ties, objective, meta }, { ranked: [best, ...others] }) => {
  const next = others.find(({ rank }) => rank === 2);
  const speed = objective.key === SPEED;
  const lead = next && ties.lead(...(speed ? [next.figure, best.figure] : [best.figure, next.figure]), objective.compared);
  if (!lead) return [];
  const within = lead.low === undefined ? "" : ` (95 %: ${ratioText(lead.low)} to ${ratioText(lead.high)})`;
  const ratio = `${ratioText(lead.ratio)} x`;
  const words = speed ? `It is ${ratio} as fast${within} as` : `Its ${meta.noun} is ${ratio}${within} that of`;
  return [`${words} the next in rank, ${next.candidate.name}.`];
};
// Why one stands above another whose figure is better, where that is so among those that are shown.
const orderWords = ({ objective, meta }, some) => {
  const sign = objective.more ? -1 : 1;
  for (const [place, one] of some.entries()) {
    const below = some.slice(place).reduce((least, other) => (sign * (other.figure.value - least.figure.value) < 0 ? other : least));
    if (below === one) continue;
    const [name, other, first] = [one, below, some.find(({ rank }) => rank === one.rank)].map(({ candidate }) => candidate.name);
    return `${name} stands above ${other}, whose ${meta.noun} is better: ${name} cannot be told apart from ${first}, the first of its rank, and ${other} can.`;
  }
  return "";
};

// What belongs to the first sentence: limits and what is left of them, ties, doubts.
const besides = (question, found) => {
  const { ranked: [best, ...others] } = found;
  const kept = question.limits.map((limit) => {
    const values = best.candidate.cells.map((row) => question.of(cellAt.get(row), limit.name).value);
    const nearest = limit.sense === "max" ? Math.max(...values) : Math.min(...values);
    const spare = Math.abs(limit.bound - nearest);
    return `${question.stated(limit)}: ${amount(limit.meta, nearest)}, ${amount(limit.meta, spare)} to spare`;
  });
  const tied = others.filter((one) => one.tied);
  const unsure = ({ figure: { exact, low, launches } }) => !exact && (low === undefined || launches === 1);
  const [open, sure] = [tied.filter(unsure), tied.filter((one) => !unsure(one))].map((some) => some.map((one) => one.candidate.name));
  const alike = best.figure.exact ? "have the same" : "cannot be told apart from it by";
  const lines = [];
  if (unsure(best) && tied.length) lines.push(`Its ${question.meta.noun} has no interval over launches: nothing tells how sure it is, any rank may be its.`);
  else {
    if (sure.length) lines.push(`${listed(sure)} ${alike} ${question.meta.noun}.`);
    if (open.length) lines.push(`${listed(open)} without an interval over launches: any rank may be theirs.`);
  }
  lines.push(...leadWords(question, found));
  if (best.candidate.blind) lines.push(`I${best.candidate.blind.slice(1)}.`);
  if (best.candidate.doubts) lines.push(`Note: ${best.candidate.doubts}.`);
  return [...kept, ...lines].map((textContent) => make("p", { textContent }));
};

const nothing = ({ ranked, out, mixed }) => {
  if (mixed.length || ranked.length) return "";
  if (out.every(({ refusals }) => refusals.length)) return `Nothing can be chosen: ${plural(out.length, "candidate")}, each with a fault that no limit would mend.`;
  const [near] = out;
  const nearest = Number.isFinite(distance(near)) ? ` Nearest: ${near.candidate.name}: ${why(near).join("; ")}.` : "";
  return `Nothing keeps every limit: none of ${plural(out.length, "candidate")} does.${nearest}`;
};

const mixedWords = (mixed) => {
  const ways = mixed.map(([what, devices]) => `${what} (${listed([...devices].sort())})`);
  const tiers = [...new Set(mixed.map(([what]) => what.split(" without ")[0]))].filter((tier) => asking.tiers.includes(tier));
  const choices = tiers.map((tier) => {
    const button = make("button", { type: "button", textContent: `Count only ${tier}` });
    button.addEventListener("click", () => ask({ ...asked, tier }));
    return make("li", {}, button, make("small", { textContent: asking.meanings[tier] ?? "" }));
  });
  const first = make("strong", { textContent: "Power was measured in unlike ways, which never rank together" });
  return make("div", { id: "mixed" }, make("p", {}, first, `: ${ways.join("; ")}.`), make("ul", {}, ...choices));
};

const oneQuestion = (question, name, found) => {
  if (found.mixed.length) chosenWords.textContent = `${name}: say how power must have been measured.`;
  else if (!found.ranked.length) chosenWords.textContent = `${name}: ${nothing(found)}`;
  else {
    const { candidate, figure: known } = found.ranked[0];
    const between = interval(question.meta, known);
    const told = `: ${question.meta.noun} ${amount(question.meta, known.value)}${between ? ` (95 %: ${between})` : ""}.`;
    chosenWords.replaceChildren(`${name}: take `, make("strong", { textContent: candidate.name }), told);
  }
  if (found.mixed.length) return [mixedWords(found.mixed)];
  return [...(found.ranked.length ? [...besides(question, found), keptGrid(question, found)] : []), ...changesOf(question, found), ...fellOut(found)];
};

const LONGEST = 60; // of a reason in a table's cell
// Why nothing is left, in a table's cell: what most of them lack.
const noneWords = (out) => {
  if (!out.length) return "nothing that the filters show";
  const refused = out.every(({ refusals }) => refusals.length);
  const counts = new Map();
  for (const { refusals, breaks } of out) for (const kind of new Set(refused ? refusals.map(([words, kind]) => (words.length > LONGEST ? kind : words)) : breaks.map(({ kind }) => kind))) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const [kind, count] = [...counts].sort(([, a], [, b]) => b - a)[0];
  const most = make("small", { textContent: `${count} of ${out.length}: ${kind}` });
  return make("span", {}, refused ? "nothing can be chosen" : "nothing keeps every limit", make("br"), most);
};

const manyQuestions = (question, answers) => {
  const able = answers.filter(([, { mixed, ranked }]) => !mixed.length && ranked.length);
  const mixed = answers.map(([, found]) => found.mixed).find((one) => one.length);
  const first = mixed ? "Say which power counts: it was measured in unlike ways." : Object.keys(asked).some((key) => /^(min|max)\./.test(key)) ? `For ${able.length} of ${answers.length} workloads something keeps every limit.` : "No limit is set yet: the best of each workload.";
  chosenWords.textContent = `${first} A workload's name leads to its figures and reasons.`;
  const names = question.names;
  const heads = [{ text: "workload" }, { text: "take" }, ...names.map((name) => headOf(asking.figures[name])), { text: "not told apart", number: true }, { text: "keep all", number: true }, { text: "fell out", number: true }];
  const rows = answers.map(([name, found]) => {
    const { ranked, out } = found;
    const button = make("button", { type: "button", className: "link", textContent: name });
    button.addEventListener("click", () => ask({ ...asked, of: name }));
    const [best] = found.mixed.length ? [] : ranked;
    const none = found.mixed.length ? "power measured in unlike ways" : noneWords(out);
    const figures = names.map((one) => (best ? cellText(question, best.candidate, one) : MISSING));
    const tied = best ? String(ranked.filter((one) => one.tied).length) : MISSING;
    return [button, best ? make("strong", {}, doubtful(best)) : none, ...figures, tied, found.mixed.length ? MISSING : String(ranked.length), String(out.length)];
  });
  const blind = answers.filter(([, found]) => !found.mixed.length && found.ranked[0]?.candidate.blind).map(([name]) => name);
  const unknown = blind.length ? [make("p", { className: "small", textContent: `No accuracy is known of what to take for ${listed(blind)}.` })] : [];
  return [...(mixed ? [mixedWords(mixed)] : []), grid("What to take for each workload", heads, rows), ...unknown];
};

// The state: what the form says, as strings by the names of its fields.
const START = {};
let asked = {};
let chosenPart;
if (form) {
  for (const { name, sense, start } of asking.limits) if (start !== null) START[`${sense}.${name}`] = start;
  Object.assign(START, { by: asking.start.by, tier: asking.start.tier, of: "", valid: asking.start.valid ? "1" : "", sure: asking.start.sure ? "1" : "" });
}

// What is typed and is no number stays to be mended, unless another page's state is shown.
const toForm = (anew) => {
  for (const limit of limitFields()) {
    const { key, meta } = limit;
    if (asked[key] !== undefined) form.elements[key].value = +(asked[key] * meta.scale).toPrecision(12);
    else if (anew || readLimit(limit) !== undefined) form.elements[key].value = "";
    readLimit(limit);
  }
  for (const key of ["by", "of", "tier"]) if (form.elements[key]) form.elements[key].value = asked[key] ?? "";
  for (const key of ["valid", "sure"]) form.elements[key].checked = Boolean(asked[key]);
};
const fromForm = () => {
  const state = { by: form.elements.by.value, of: form.elements.of.value, tier: form.elements.tier?.value ?? "" };
  for (const key of ["valid", "sure"]) state[key] = form.elements[key].checked ? "1" : "";
  for (const limit of limitFields()) {
    const bound = readLimit(limit);
    if (bound !== undefined) state[limit.key] = bound;
  }
  return state;
};
const fromHash = (told) => {
  if (!asking.objectives.some(({ key }) => key === told.get("by"))) return { ...START };
  const state = { by: told.get("by"), of: "", tier: "", valid: told.get("valid") ? "1" : "", sure: told.get("sure") ? "1" : "" };
  for (const key of ["of", "tier"]) if ([...(form.elements[key]?.options ?? [])].some(({ value }) => value === told.get(key))) state[key] = told.get(key);
  for (const { key } of limitFields()) {
    const { value } = readNumber(told.get(key) ?? "");
    if (value !== undefined) state[key] = value;
  }
  return state;
};
// Into the hash goes what differs from the start; then all of it, so that it means the same elsewhere.
const remember = () => {
  const keys = [...new Set([...Object.keys(START), ...limitFields().map(({ key }) => key)])];
  const same = keys.every((key) => asked[key] === START[key]);
  for (const key of keys) further[key] = same || asked[key] === undefined ? undefined : String(asked[key]);
};
// A button asks another question: "back" leads to the one before.
const ask = (state, anew) => {
  asked = state;
  toForm(anew);
  remember();
  keep(at);
  answerAsked();
};
const answerAsked = () => {
  chosenPart.stale = true;
  draw(chosenPart);
};

const choose = () => {
  const question = new Question(asked);
  const wanted = asked.of === "" ? asking.start.of : asked.of === "all" ? [] : [asked.of];
  const seen = shown("candidates").filter((candidate) => candidate.cells.some((row) => kept.has(row)));
  const groups = asking.questions
    .filter((name) => !wanted.length || wanted.includes(name))
    .map((name) => [name, seen.filter((candidate) => candidate.question === name)])
    .filter(([, group]) => group.length);
  const answers = groups.map(([name, group]) => [name, question.decide(group)]);
  if (!answers.length) {
    chosenWords.textContent = "There is nothing to choose from among the cells that the filters show.";
    chosenBox.replaceChildren();
  } else if (answers.length === 1) chosenBox.replaceChildren(...oneQuestion(question, ...answers[0]));
  else chosenBox.replaceChildren(...manyQuestions(question, answers));
};

if (form) {
  chosenPart = lazily(chosenBox, choose);
  restored.push((told) => {
    asked = fromHash(told);
    toForm(true);
    for (const limit of limitFields()) showFault(limit, told.get(limit.key) ?? "");
    remember();
  });
  const answerForm = () => {
    const now = fromForm();
    if (JSON.stringify(now) === JSON.stringify(asked)) return; // a change comes after its input
    asked = now;
    remember();
    keep();
    answerAsked();
  };
  for (const name of ["input", "change"]) form.addEventListener(name, answerForm); // a list that a driver picks from may only change
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    ask({ ...START }, true);
  });
}

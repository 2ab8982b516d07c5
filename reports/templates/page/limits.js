// What is typed as a limit: a number, with a point or a comma before its decimals; whatever is none is told.
const NUMBER = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i;
const THOUSANDS = /^[+-]?[1-9]\d{0,2},\d{3}$/; // or three decimals: the page itself groups digits so

// {} of nothing, {value} of a number, {fault} with how to mend it.
const readNumber = (text) => {
  const typed = text.trim();
  if (!typed) return {};
  if (THOUSANDS.test(typed)) {
    const [whole, decimals] = ["", "."].map((between) => Number(typed.replace(",", between)));
    return { fault: `"${typed}" can be read in two ways and does not count. Type ${whole} or ${decimals}.` };
  }
  const value = NUMBER.test(typed) ? Number(typed.replace(",", ".")) : NaN;
  return Number.isFinite(value) ? { value } : { fault: `"${typed}" is no number and does not count. Type digits alone, such as 5.5 or 5,5: no unit, nothing between thousands.` };
};

const limitFields = () => asking.limits.map((limit) => ({ ...limit, key: `${limit.sense}.${limit.name}`, meta: asking.figures[limit.name] }));
// A limit as it is typed; a field that does not count says so, on the screen and to who hears it.
const readLimit = ({ key, sense, meta }) => {
  const field = form.elements[key];
  const { value, fault } = readNumber(field.value);
  const told = document.getElementById(`fault-${key}`);
  const words = fault ? `${meta.noun} ${sense === "max" ? "at most" : "at least"}: ${fault}` : "";
  if (told.textContent !== words) told.textContent = words; // or it would be read out again with each key
  field.setAttribute("aria-invalid", String(Boolean(fault)));
  return value === undefined ? undefined : +(value / meta.scale).toPrecision(12);
};
// What an address holds in place of a number is shown in its field.
const showFault = (limit, text) => {
  if (!readNumber(text).fault) return;
  form.elements[limit.key].value = text.slice(0, form.elements[limit.key].maxLength);
  readLimit(limit);
};

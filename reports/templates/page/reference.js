// The device that others are held against: what is chosen is kept in the hash.
const picker = document.getElementById("reference");
if (picker) {
  const pick = (name) => {
    picker.value = references.includes(name) ? name : references[0];
    sets.against = sets.pairs.filter(({ reference }) => reference === picker.value);
    further.reference = picker.value === references[0] ? "" : picker.value;
  };
  picker.addEventListener("change", () => {
    pick(picker.value);
    changed();
    keep();
  });
  restored.push((told) => pick(told.get("reference")));
}

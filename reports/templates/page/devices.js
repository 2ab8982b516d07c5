// Cells against others: what is known of a cell itself comes from its own record.
const OF_CELL = ["question", "cell", "workload", "device", "backend", "precision", "verdict", "case"];
const completed = (record) => {
  const cell = cells[record.row];
  for (const known of OF_CELL) if (cell[known] !== undefined) record[known] = cell[known];
  if (record.other !== undefined) Object.assign(record, { of: cell.unit, reference: cells[record.other].unit });
  if (record.within !== undefined) {
    record.speed_lo_ratio = record.speed_ratio / record.within;
    record.speed_hi_ratio = record.speed_ratio * record.within;
  }
  return record;
};
// A pair is told once, of the device that comes later: here it is seen from the other side.
const mirrored = ({ row, other, speed_ratio: ratio, outcome, ...further }) => {
  const record = { ...further, row: other, other: row, outcome: MIRRORED[outcome] ?? outcome };
  return ratio === undefined ? record : { ...record, speed_ratio: 1 / ratio };
};
const references = [...document.querySelectorAll("#reference option")].map(({ value }) => value);
const pairs = sets.pairs ?? [];
const others = pairs.filter(({ row }) => references.includes(cells[row].unit)).map(mirrored);
if (sets.pairs) sets.pairs = [...pairs, ...others].map(completed);
sets.precisions?.forEach(completed);

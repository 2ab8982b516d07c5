// Which figures cannot be told apart: Welch's t at 95 %, as edgebench.analysis.ties has it.
// A figure here: {value, low, high, launches, exact, spread}, ends undefined where nothing tells them.
class Ties {
  constructor(quantiles) {
    this.quantiles = quantiles;
  }

  // Student's 97.5 % quantile, by a Chebyshev polynomial of its logarithm in 2 / df - 1.
  critical(df) {
    const at = 2 / df - 1;
    let [one, two] = [0, 0];
    for (let place = this.quantiles.length - 1; place > 0; place--) [one, two] = [2 * at * one - two + this.quantiles[place], one];
    return Math.exp(at * one - two + this.quantiles[0]);
  }

  // Where a figure is on the scale on which its errors add up, and its standard error there.
  side({ value, low, high, launches, exact, spread }, log) {
    if (log && value <= 0) return null;
    const at = log ? Math.log(value) : value;
    if (exact) return { at, error: 0, df: Infinity, widest: this.critical(Infinity) };
    if (low === undefined || high === undefined || launches <= 1) return { at, error: Infinity, df: 1, widest: this.critical(1) };
    if (log && low <= 0) return null;
    const half = (log ? Math.log(high / low) : high - low) / 2;
    const student = spread === "log" || spread === "linear";
    const df = launches - 1;
    return { at, error: half / this.critical(student ? df : Infinity), df, widest: this.critical(df) };
  }

  // A figure with what `tied` needs of it; made once for each.
  sided(figure) {
    const bounds = !figure.exact && figure.launches === 0 && figure.low !== undefined;
    const log = figure.spread === "linear" ? null : this.side(figure, true);
    return { ...figure, bounds, log, linear: this.side(figure, false) };
  }

  tied(one, other, margin) {
    if (one.exact && other.exact) return one.value === other.value;
    if (one.bounds || other.bounds) {
      const [[low, high], [least, most]] = [one, other].map(({ low = -Infinity, high = Infinity }) => [low, high]);
      return low <= most && least <= high;
    }
    const byLog = one.log && other.log;
    const [a, b] = byLog ? [one.log, other.log] : [one.linear, other.linear];
    const variance = a.error ** 2 + b.error ** 2;
    const distance = Math.abs(a.at - b.at);
    const same = byLog ? Math.log1p(margin) : margin * Math.min(Math.abs(one.value), Math.abs(other.value));
    // No degrees of freedom between the two give a wider interval: most pairs end here.
    if (distance > Math.max(Math.max(a.widest, b.widest) * Math.sqrt(variance), same)) return false;
    const parts = a.error ** 4 / a.df + b.error ** 4 / b.df;
    const df = Number.isFinite(parts) && parts > 0 ? variance ** 2 / parts : Infinity;
    const half = variance ? this.critical(df) * Math.sqrt(variance) : 0;
    return distance <= Math.max(half, same - half);
  }

  // One figure over another: {ratio, low, high}, as edgebench.analysis.leads has it.
  lead(one, other, compared) {
    if (one.value <= 0 || other.value <= 0) return undefined;
    const ratio = one.value / other.value;
    const [a, b] = [one, other].map((figure) => this.share(figure));
    if (!compared || !a || !b) return { ratio };
    const variance = a.error ** 2 + b.error ** 2;
    const df = variance ? variance ** 2 / (a.error ** 4 / a.df + b.error ** 4 / b.df) : Infinity;
    const within = Math.exp(this.critical(df) * Math.sqrt(variance));
    return { ratio, low: ratio / within, high: ratio * within };
  }

  // The standard error of a figure's logarithm: of what is no logarithm its share, to first order.
  share(figure) {
    const { value, low, high, launches, exact, spread } = figure;
    if (exact || low === undefined || high === undefined || launches <= 1 || low <= 0) return undefined;
    if (spread !== "linear") return this.side(figure, true);
    return { error: (high - low) / (2 * value) / this.critical(launches - 1), df: launches - 1 };
  }

  // Ranks of figures in order, the best first: whoever ties with the best of the rest shares its rank.
  ranks(figures, margin) {
    const found = figures.map(() => 0);
    let rank = 0;
    figures.forEach((leader, place) => {
      if (found[place]) return;
      rank += 1;
      for (let other = place; other < figures.length; other++) {
        if (!found[other] && (other === place || this.tied(leader, figures[other], margin))) found[other] = rank;
      }
    });
    return found;
  }
}

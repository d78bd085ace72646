// The figures of `besom compare`, computed here too, so that any metric and any choice of trials has them.

export function mean(values) {
  let sum = 0;
  for (const v of values) {
    sum += v;
  }
  return values.length ? sum / values.length : NaN;
}

/** {n, mean, std (n - 1), half}: half the width of the 95% interval of the mean, NaN below two values */
export function summary(values, t95) {
  const n = values.length, m = mean(values);
  let squares = 0;
  for (const v of values) {
    squares += (v - m) * (v - m);
  }
  const std = n > 1 ? Math.sqrt(squares / (n - 1)) : NaN;
  return { n, mean: m, std, half: n > 1 ? quantile(t95, n - 1) * std / Math.sqrt(n) : NaN };
}

export function quantile(t95, df) {
  return df <= t95.length ? t95[df - 1] : 1.959964 + 2.372 / df;
}

/** Of values that belong to replicates: the mean over all, and the interval of the mean over the replicates' means. */
export function overReplicates(values, replicates, t95) {
  const sums = new Map();
  for (let i = 0; i < values.length; i++) {
    const entry = sums.get(replicates[i]) || [0, 0];
    entry[0] += values[i];
    entry[1]++;
    sums.set(replicates[i], entry);
  }
  const s = summary([...sums.values()].map(([sum, n]) => sum / n), t95);
  return { n: values.length, mean: mean(values), half: s.half, replicates: s.n };
}

/** Exponential moving average that forgets by `weight` and does not lean on its beginning. */
export function smooth(values, weight) {
  if (!weight) {
    return values;
  }
  let average = 0, total = 0;
  return values.map(v => {
    if (!Number.isFinite(v)) {
      return v;
    }
    average = average * weight + v * (1 - weight);
    total = total * weight + (1 - weight);
    return average / total;
  });
}

export function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) {
    if (Number.isFinite(v)) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  }
  return low <= high ? [low, high] : [NaN, NaN];
}

/** About `count` round numbers between low and high. */
export function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough) || 10 * power;
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    out.push(Number((i * step).toPrecision(12)));
  }
  return out;
}

// A document of more trials than anybody wants to run in a test.
/** `doc` with each of its trials `count` times, under other numbers and replicates. */
export function times(doc, count) {
  const out = structuredClone(doc), t = out.trials, c = out.curves, n = t.trial.length;
  const again = list => Array.from({ length: n * count }, (_, i) => list[i % n]), joined = code => Buffer.concat(Array(count).fill(Buffer.from(code, 'base64'))).toString('base64');
  const replicates = 1 + Math.max(...t.replicate) - Math.min(...t.replicate);
  for (const key of Object.keys(t)) {
    t[key] = key === 'levels' ? t.levels.map(again) : again(t[key]);
  }
  t.trial = t.trial.map((_, i) => i + 1);
  t.replicate = t.replicate.map((r, i) => r + replicates * Math.floor(i / n));
  c.rows = again(c.rows);
  c.epoch = joined(c.epoch);
  for (const m of c.metrics) {
    for (const key of ['value', 'best', 'best_epoch', 'last']) {
      m[key] = joined(m[key]);
    }
  }
  return out;
}

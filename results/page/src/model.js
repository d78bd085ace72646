// The data document (results/report.h) as arrays, and what all figures ask of it.
import { label } from './format.js';
import { extent, overReplicates, summary } from './stats.js';

function bytes(base64) {
  const text = atob(base64), out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    out[i] = text.charCodeAt(i);
  }
  return out;
}

const columns = {
  u8: base64 => bytes(base64),
  i32: base64 => new Int32Array(bytes(base64).buffer),
  f32: base64 => new Float32Array(bytes(base64).buffer),
  f64: base64 => new Float64Array(bytes(base64).buffer),
};

const GROUPS_MAX = 12; // levels of a numeric axis that are groups of their own; more are put together

/** Levels by their first words alone where these tell them apart: "sgd lr=0.1" and "adam lr=0.001" are sgd and adam. */
function shorten(levels) {
  const words = levels.map(l => l.split(' ')[0]);
  return new Set(words).size === words.length ? words : levels;
}

function makeAxis(path, levels, of) {
  const short = shorten(levels).map(l => label(l, 40));
  const numbers = levels.map(l => (l.trim() === '' ? NaN : Number(l)));
  const numeric = levels.length > 1 && numbers.every(Number.isFinite);
  const axis = { path, label: label(path), levels: levels.map(l => label(l, 200)), of, numeric, numbers, groups: short, groupOf: of };
  if (numeric && levels.length > GROUPS_MAX) {
    const sorted = [...numbers].sort((a, b) => a - b), size = 6;
    const edges = Array.from({ length: size + 1 }, (_, i) => sorted[Math.round(i * (sorted.length - 1) / size)]);
    const place = v => Math.max(0, Math.min(size - 1, edges.findIndex((e, i) => i > 0 && v <= e) - 1));
    const groupOfLevel = numbers.map(place);
    axis.groups = Array.from({ length: size }, (_, i) => `${Number(edges[i].toPrecision(3))} to ${Number(edges[i + 1].toPrecision(3))}`);
    axis.groupOf = of.map(l => (l < 0 ? -1 : groupOfLevel[l]));
    axis.binned = true;
  }
  return axis;
}

function makeLayers(data) {
  if (!data) {
    return null;
  }
  const layers = { names: data.names.map(n => label(n)), epochs: data.epochs, epochsKnown: data.epochs_known, firstReplicate: data.first_replicate };
  for (const key of ['trial', 'epoch', 'layer']) {
    layers[key] = columns.i32(data[key]);
  }
  for (const key of ['mean', 'std', 'min', 'max', 'dead', 'saturated', 'histogram_low', 'histogram_high', 'gradient_mean',
    'gradient_std', 'gradient_low', 'gradient_high', 'update_ratio']) {
    layers[key] = columns.f32(data[key]);
  }
  for (const [bins, heights, start] of [['bins', 'histogram', 'at'], ['gradient_bins', 'gradient_histogram', 'gradient_at']]) {
    layers[bins] = columns.u8(data[bins]);
    layers[heights] = columns.u8(data[heights]);
    layers[start] = new Int32Array(layers[bins].length + 1);
    layers[bins].forEach((n, i) => { layers[start][i + 1] = layers[start][i] + n; });
  }
  layers.rowsOf = new Map(); // trial -> epoch -> rows, in the order of the network
  layers.trial.forEach((t, row) => {
    const looks = layers.rowsOf.get(t) || new Map();
    const rows = looks.get(layers.epoch[row]) || [];
    rows.push(row);
    looks.set(layers.epoch[row], rows);
    layers.rowsOf.set(t, looks);
  });
  return layers;
}

export class Model {
  constructor(doc) {
    if (doc.format !== 1) {
      throw new Error(`the data are of format ${doc.format}, which this page does not know`);
    }
    this.doc = doc;
    this.t95 = doc.t95;
    const t = doc.trials;
    this.trials = t;
    this.n = t.trial.length;
    this.labels = t.label.map(l => label(l, 200));
    this.axes = doc.axes.map((a, i) => makeAxis(a.path, a.levels, t.levels[i]));
    this.varying = this.axes.filter(a => a.levels.length > 1);
    this.replicates = [...new Set(t.replicate)].sort((a, b) => a - b);
    this.rowOf = new Map(t.trial.map((number, i) => [number, i]));

    const c = doc.curves;
    this.stride = c.stride;
    this.epoch = columns.i32(c.epoch);
    this.start = new Int32Array(this.n + 1);
    c.rows.forEach((rows, i) => { this.start[i + 1] = this.start[i] + rows; });
    this.metrics = c.metrics.map(m => ({
      name: m.name, label: label(m.name), maximize: m.goal === 'maximize', value: columns[m.type](m.value),
      best: columns.f64(m.best), bestEpoch: columns.i32(m.best_epoch), last: columns.f64(m.last),
    }));
    this.epochs = [...new Set(this.epoch)].sort((a, b) => a - b);
    const place = new Map(this.epochs.map((e, i) => [e, i]));
    this.slot = Int32Array.from(this.epoch, e => place.get(e)); // of each row: which of `epochs`
    this.anyComplete = t.status.includes('complete');
    this.layers = makeLayers(doc.layers);
  }

  metric(name) {
    return this.metrics.find(m => m.name === name) || this.metrics[0];
  }

  /** Whether the trial counts in means: it is complete, or, while none is, it has any value. */
  counts(i) {
    return this.anyComplete ? this.trials.status[i] === 'complete' : true;
  }

  /** What trials can be grouped by: {key, label, groups: names, of: for each trial the group's index, or -1} */
  groupings() {
    const out = this.varying.map(a => ({ key: `axis:${a.path}`, label: a.label, groups: a.groups, full: a.binned ? a.groups : a.levels, of: a.groupOf }));
    const points = this.points();
    out.push({ key: 'point', label: 'grid point', groups: points.map(p => p.label), full: points.map(p => p.label), of: this.trials.point });
    if (this.replicates.length > 1) {
      out.push({
        key: 'replicate', label: 'replicate', groups: this.replicates.map(r => `replicate ${r}`), full: this.replicates.map(r => `replicate ${r}`),
        of: this.trials.replicate.map(r => this.replicates.indexOf(r)),
      });
    }
    out.push({ key: 'all', label: 'nothing', groups: ['all trials'], full: ['all trials'], of: this.trials.trial.map(() => 0) });
    return out;
  }

  grouping(key) {
    const all = this.groupings();
    return all.find(g => g.key === key) || all[0];
  }

  /** The grid points: {trials: rows, label} */
  points() {
    if (!this.pointList) {
      this.pointList = [];
      this.trials.point.forEach((p, i) => {
        this.pointList[p] = this.pointList[p] || { trials: [], label: this.labels[i], first: i };
        this.pointList[p].trials.push(i);
      });
    }
    return this.pointList;
  }
}

/** What the reader has chosen for all figures: metric, which of its values, and which trials. */
export class View {
  constructor(model, state) {
    this.model = model;
    this.metric = model.metric(state.metric);
    this.at = state.at;
    this.values = this.metric ? (state.at === 'last' ? this.metric.last : this.metric.best) : new Float64Array(model.n).fill(NaN);
    const hidden = model.varying.map(a => [a, state.hidden.get(a.path)]).filter(([, set]) => set && set.size);
    this.shown = [];
    for (let i = 0; i < model.n; i++) {
      if (hidden.every(([a, set]) => !set.has(a.groups[a.groupOf[i]]))) {
        this.shown.push(i);
      }
    }
    this.counted = this.shown.filter(i => model.counts(i) && !Number.isNaN(this.values[i]));
    this.filtered = this.shown.length < model.n;
  }

  get maximize() {
    return this.metric ? this.metric.maximize : true;
  }

  /** for sort(): the better one first, what is missing last */
  better(a, b) {
    const x = Number.isNaN(a), y = Number.isNaN(b);
    return x || y ? x - y : this.maximize ? b - a : a - b;
  }

  /** Grid points, best first: {rank, n, mean, std, half, bestTrial, trials, counted} */
  leaderboard() {
    const rows = this.model.points().map(p => {
      const shown = p.trials.filter(i => this.shownSet.has(i)), counted = shown.filter(i => this.countedSet.has(i));
      const s = summary(counted.map(i => this.values[i]), this.model.t95);
      const bestTrial = [...counted].sort((a, b) => this.better(this.values[a], this.values[b]))[0];
      return { ...s, label: p.label, first: p.first, trials: shown, counted, bestTrial };
    }).filter(r => r.trials.length);
    rows.sort((a, b) => this.better(a.mean, b.mean) || a.first - b.first);
    rows.forEach((r, i) => { r.rank = r.n ? i + 1 : NaN; });
    return rows;
  }

  /** What `besom compare` says of the values that are shown: only where they are those that it has compared. */
  get compared() {
    const c = this.model.doc.compare;
    return c && this.metric && c.metric === this.metric.name && this.at === 'best' && !this.filtered ? c : null;
  }

  /** The group of each grid point, by its number: points of one group are not told apart. */
  groups() {
    const out = new Map(), m = this.model;
    for (const p of this.compared ? this.compared.points : []) {
      const row = m.rowOf.get(p.best_trial);
      if (row !== undefined && p.group !== null) {
        out.set(m.trials.point[row], p.group);
      }
    }
    return out;
  }

  /** The axes that vary, that with the largest spread of means first. */
  axesBySpread() {
    const spread = axis => { const [low, high] = extent(this.effects(axis).map(e => e.mean)); return high - low || 0; };
    return this.model.varying.map(axis => ({ axis, spread: spread(axis) })).sort((a, b) => b.spread - a.spread);
  }

  /** The groups of an axis: {index, name, n, mean, half, replicates, trials} */
  effects(axis) {
    return axis.groups.map((name, index) => {
      const trials = this.shown.filter(i => axis.groupOf[i] === index), counted = trials.filter(i => this.countedSet.has(i));
      const s = overReplicates(counted.map(i => this.values[i]), counted.map(i => this.model.trials.replicate[i]), this.model.t95);
      return { index, name, trials: trials.length, ...s };
    }).filter(e => e.trials > 0);
  }

  get shownSet() {
    return this.shownSet_ || (this.shownSet_ = new Set(this.shown));
  }

  get countedSet() {
    return this.countedSet_ || (this.countedSet_ = new Set(this.counted));
  }
}

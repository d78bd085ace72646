// Inside the network: layers side by side, the values of an axis one under the other; each picture the histogram of
// what the layer gives, with its mean and standard deviation.
import { swatch } from './charts.js';
import { Choice, h, name, replace, Select, svg } from './dom.js';
import { label, num } from './format.js';
import { lineChart } from './lines.js';
import { lineStyle, shade } from './palette.js';
import { Section } from './section.js';
import { extent } from './stats.js';

const ACTIVATIONS = new Set(['sigmoid', 'tanh', 'relu', 'relu6', 'leaky_relu', 'elu', 'selu', 'softplus', 'gelu', 'silu', 'swish', 'mish', 'prelu', 'maxout', 'softsign', 'hardtanh']);
const NUMBERS = [
  { value: 'std', label: 'std of outputs', log: true }, { value: 'mean', label: 'mean of outputs' }, { value: 'dead', label: 'dead units', share: true },
  { value: 'saturated', label: 'saturated outputs', share: true }, { value: 'gradient_std', label: 'std of gradients', log: true }, { value: 'update_ratio', label: 'step by weights', log: true },
];
const ROWS_MAX = 24, LAYERS_MAX = 40;

export class Layers extends Section {
  constructor(app) {
    super(app, 'layers', 'Inside the network', 'Layers');
    const again = () => this.draw(this.view, this.colors);
    this.down = new Select('Rows', again);
    this.fixed = h('div', { class: 'controls inner' });
    this.others = new Map(); // path -> Select
    this.replicate = new Select('Replicate', again);
    this.epoch = new Select('After epoch', again);
    this.kind = new Select('Layers', again);
    this.what = new Choice('Histogram of', [{ value: 'outputs', label: 'outputs' }, { value: 'gradients', label: 'gradients' }], 'outputs', again);
    this.range = new Select('Range', again).set([{ value: 'row', label: 'one for each row' }, { value: 'all', label: 'one for all' }, { value: 'own', label: 'each its own' }], 'row');
    this.through = new Select('Through the network', again).set(NUMBERS, 'std');
    this.number = new Select('Over the epochs', again);
    replace(this.controls, this.down.element, this.fixed, this.replicate.element, this.epoch.element, this.kind.element, this.what.element, this.range.element);
    this.pictures = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'layers-title' });
    this.depth = h('div', {});
    this.over = h('div', { class: 'minis' });
    this.overPart = h('div', {}, h('div', { class: 'controls later' }, this.number.element), this.over);
    replace(this.body, this.pictures, h('div', { class: 'controls later' }, this.through.element), this.depth, this.overPart);
  }

  applies(model) {
    return model.layers !== null;
  }

  setControls(view) {
    const m = view.model, axes = m.varying;
    const init = axes.find(a => /init/.test(a.path)) || axes[0];
    this.down.set(axes.map(a => ({ value: a.path, label: a.label })), init && init.path);
    this.axis = axes.find(a => a.path === this.down.value);
    const rest = axes.filter(a => a !== this.axis);
    replace(this.fixed, rest.map(a => {
      if (!this.others.has(a.path)) {
        this.others.set(a.path, new Select(a.label, () => this.draw(this.view, this.colors)));
      }
      return this.others.get(a.path).set(a.levels.map((l, i) => ({ value: i, label: label(l, 40) })), 0).element;
    }));
    this.replicate.set(m.replicates.filter(r => !m.layers.firstReplicate || r === 1).map(r => ({ value: r, label: r })));
    this.epoch.set(m.layers.epochs.map(e => ({ value: e, label: e === 0 ? '0, before training' : e })), m.layers.epochs[0]);
    const kinds = [...new Set(m.layers.names.map(kindOf))];
    this.kind.set([...(kinds.some(k => ACTIVATIONS.has(k)) ? [{ value: 'activations', label: 'activations' }] : []), { value: 'all', label: 'all' }, ...(kinds.length > 1 ? kinds.map(k => ({ value: `= ${k}`, label: k })) : [])]);
    const some = key => m.layers[key].some(v => v > 0.005);
    this.number.set(NUMBERS, some('saturated') ? 'saturated' : some('dead') ? 'dead' : 'std');
    this.what.element.hidden = !m.layers.gradient_bins.some(n => n > 0);
  }

  /** The trials of the picture: [{name, trial}] */
  chosen(view) {
    const m = view.model, replicate = Number(this.replicate.value), rest = m.varying.filter(a => a !== this.axis);
    const fits = i => m.layers.rowsOf.has(i) && m.trials.replicate[i] === replicate && rest.every(a => a.of[i] === Number(this.others.get(a.path).value));
    const trials = view.shown.filter(fits);
    if (!this.axis) {
      return trials.slice(0, 1).map(i => ({ name: m.labels[i] || 'the trial', trial: i }));
    }
    return this.axis.levels.map((level, l) => ({ name: level, trial: trials.find(i => this.axis.of[i] === l) })).filter(r => r.trial !== undefined).slice(0, ROWS_MAX);
  }

  rowsAt(view, trial, epoch) {
    const kind = this.kind.value, layers = view.model.layers, rows = (layers.rowsOf.get(trial) || new Map()).get(epoch) || [];
    return rows.filter(r => {
      const k = kindOf(layers.names[layers.layer[r]]);
      return kind === 'all' || (kind === 'activations' ? ACTIVATIONS.has(k) : kind === `= ${k}`);
    }).slice(0, LAYERS_MAX);
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    this.setControls(view);
    const layers = view.model.layers, epoch = Number(this.epoch.value), gradients = this.what.value === 'gradients';
    const rows = this.chosen(view).map(r => ({ ...r, cells: this.rowsAt(view, r.trial, epoch) }));
    const keys = gradients ? { low: 'gradient_low', high: 'gradient_high', mean: 'gradient_mean', std: 'gradient_std', bins: 'gradient_bins', heights: 'gradient_histogram', at: 'gradient_at' }
      : { low: 'histogram_low', high: 'histogram_high', mean: 'mean', std: 'std', bins: 'bins', heights: 'histogram', at: 'at' };
    const rangeOf = cells => [extent(cells.map(c => layers[keys.low][c]))[0], extent(cells.map(c => layers[keys.high][c]))[1]];
    const whole = rangeOf(rows.flatMap(r => r.cells)), width = Math.max(0, ...rows.map(r => r.cells.length));
    const titles = Array.from({ length: width }, (_, c) => {
      const names = new Set(rows.filter(r => c < r.cells.length).map(r => layers.names[layers.layer[r.cells[c]]]));
      return names.size === 1 ? [...names][0] : `layer ${c + 1}`;
    });
    const left = layers.epochs.length < layers.epochsKnown ? ` Only ${layers.epochs.length} of ${layers.epochsKnown} looks are on this page.` : '';
    replace(this.note, `What each layer gives, from the first on the left to the last: the histogram over all units and samples, the mean as a mark and a standard deviation to both sides as a bar. A spread over the range is good, a pile on one value is bad.${left}`);
    replace(this.pictures, rows.length === 0 ? h('p', { class: 'empty' }, 'No trial of this choice has been looked into.') : h('table', { class: 'layers', style: { 'min-width': `${8 + 5.3 * width}rem` } },
      h('thead', {}, h('tr', {}, h('td', {}, name(this.axis ? this.axis.label : 'trial')), titles.map(t => h('th', { scope: 'col' }, name(t))))),
      h('tbody', {}, rows.map(r => {
        const range = this.range.value === 'all' ? whole : rangeOf(r.cells);
        return h('tr', {}, h('th', { scope: 'row' }, name(r.name), h('div', { class: 'more' }, this.trialButton(r.trial)),
          this.range.value !== 'own' && r.cells.length > 0 && h('div', { class: 'more' }, `${num3(range[0])} to ${num3(range[1])}`)),
        r.cells.map(c => h('td', {}, this.picture(layers, c, keys, this.range.value === 'own' ? rangeOf([c]) : range),
          h('div', { class: 'under' }, num3(layers[keys.mean][c])), h('div', { class: 'under' }, `± ${num3(layers[keys.std][c])}`),
          this.shares(layers, c))), r.cells.length === 0 && h('td', { colspan: Math.max(1, width), class: 'empty' }, 'no look at this epoch'));
      }))));
    this.drawNumbers(view, colors, rows, titles);
  }

  /** Dead and saturated, in words, where there are any. */
  shares(layers, c) {
    const dead = layers.dead[c], saturated = layers.saturated[c];
    return h('div', { class: 'under share' }, dead > 0.005 ? h('b', {}, `${percent2(dead)} dead`) : '', dead > 0.005 && saturated > 0.005 ? ' ' : '', saturated > 0.005 ? `${percent2(saturated)} sat.` : '');
  }

  picture(layers, c, keys, [low, high]) {
    const W = 92, H = 46, base = 38, n = layers[keys.bins][c], from = layers[keys.low][c], to = layers[keys.high][c];
    const mean = layers[keys.mean][c], std = layers[keys.std][c], layer = layers.names[layers.layer[c]];
    const x = v => Math.max(0, Math.min(W, high > low ? (v - low) / (high - low) * W : W / 2));
    const alt = `${layer}: mean ${num(mean)}, standard deviation ${num(std)}, from ${num(layers.min[c])} to ${num(layers.max[c])}`;
    let d = '';
    if (n && Number.isFinite(from) && Number.isFinite(to) && Number.isFinite(high - low)) {
      for (let b = 0; b < n; b++) {
        const height = layers[keys.heights][layers[keys.at][c] + b] / 255 * (base - 4);
        if (height > 0) {
          const left = x(from + (to - from) * b / n), right = Math.max(left + 1.2, x(from + (to - from) * (b + 1) / n) - 0.15);
          d += `M${left.toFixed(2)} ${base}V${(base - Math.max(0.7, height)).toFixed(2)}H${right.toFixed(2)}V${base}Z`;
        }
      }
    }
    return svg('svg', { class: 'histogram', viewBox: `-1 0 ${W + 2} ${H}`, role: 'img', 'aria-label': alt }, svg('title', {}, alt),
      svg('line', { class: 'base', x1: 0, x2: W, y1: base, y2: base }), d && svg('path', { class: 'bars', d }),
      low < 0 && high > 0 && svg('line', { class: 'zero', x1: x(0), x2: x(0), y1: 3, y2: base }),
      Number.isFinite(mean) && [svg('line', { class: 'span', x1: x(mean - std), x2: x(mean + std), y1: base + 4.5, y2: base + 4.5 }), svg('line', { class: 'mean', x1: x(mean), x2: x(mean), y1: base + 1.5, y2: base + 7.5 })]);
  }

  /** A number of all layers: through the network at this epoch, and over the epochs. */
  drawNumbers(view, colors, rows, titles) {
    this.drawDepth(view.model.layers, NUMBERS.find(n => n.value === this.through.value), colors, rows, titles);
    this.drawOver(view, NUMBERS.find(n => n.value === this.number.value), colors, rows, titles);
  }

  drawDepth(layers, what, colors, rows, titles) {
    const values = layers[what.value], style = i => lineStyle(colors, i);
    if (!rows.some(r => r.cells.some(c => usable(values[c], what)))) {
      replace(this.depth, h('p', { class: 'empty' }, 'Of these layers the trainer did not report this.'));
      return;
    }
    const chart = lineChart({ series: rows.map((r, i) => ({ name: r.name, ...style(i), points: r.cells.map((c, k) => [k, values[c]]) })), log: what.log, range: what.share ? [0, 1] : undefined,
      xRange: [0, Math.max(1, titles.length - 1)], xNames: titles.map((t, i) => (/^\d+/.exec(t) || [i + 1])[0]), width: 720, height: 220, alt: `${what.label} of each layer after epoch ${this.epoch.value}` });
    replace(this.depth, h('div', { class: 'with-legend' }, chart, h('ul', { class: 'legend-column' }, rows.map((r, i) => h('li', {}, swatch(style(i)), name(r.name))))));
  }

  drawOver(view, what, colors, rows, titles) {
    const layers = view.model.layers, values = layers[what.value], epochs = layers.epochs;
    this.overPart.hidden = epochs.length < 2 || rows.length === 0;
    const perRow = rows.map(r => ({ ...r, looks: epochs.map(e => ({ e, cells: this.rowsAt(view, r.trial, e) })) }));
    const all = perRow.flatMap(r => r.looks.flatMap(l => l.cells.map(c => values[c]))).filter(v => usable(v, what));
    if (all.length === 0) {
      replace(this.over, h('p', { class: 'empty' }, 'Of these layers the trainer did not report this.'));
      return;
    }
    const range = what.share ? [0, 1] : extent(all), shadeOf = (k, n) => shade(colors, 0.3 + 0.7 * (n > 1 ? k / (n - 1) : 1)).background;
    replace(this.over, perRow.map(r => {
      const n = Math.max(0, ...r.looks.map(l => l.cells.length));
      return lineChart({ title: name(r.name), log: what.log, range, xRange: extent(epochs), alt: `${what.label} of ${n} layers over the epochs for ${r.name}`,
        series: Array.from({ length: n }, (_, k) => ({ name: titles[k] || '', color: shadeOf(k, n), points: r.looks.filter(l => k < l.cells.length).map(l => [l.e, values[l.cells[k]]]) })) });
    }), h('p', { class: 'ramp' }, 'first layer ', h('span', { class: 'steps' }, Array.from({ length: 16 }, (_, i) => h('i', { style: { background: shadeOf(i, 16) } }))), ' last layer'));
  }
}

function usable(value, what) {
  return Number.isFinite(value) && (!what.log || value > 0);
}

function kindOf(layer) {
  return layer.slice(layer.lastIndexOf(' ') + 1);
}

function num3(v) {
  return Number.isFinite(v) ? (Math.abs(v) >= 1000 || (v !== 0 && Math.abs(v) < 0.001) ? v.toExponential(1).replace('e+', 'e').replaceAll('-', '−') : String(Number(v.toPrecision(2))).replace('-', '−')) : num(v);
}

function percent2(share) {
  return share > 0.995 ? '100 %' : `${Number((100 * share).toPrecision(2))} %`;
}

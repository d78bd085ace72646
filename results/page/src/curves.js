// Learning curves: a line a group with its band, or a line a trial.
import { axis, Chart, swatch, tip, tooltip, zoomTool } from './charts.js';
import { Check, Choice, h, name, replace, Select } from './dom.js';
import { many, num, spread } from './format.js';
import { lineStyle } from './palette.js';
import { Section } from './section.js';
import { extent, overReplicates, smooth, summary } from './stats.js';

const TIP_ROWS = 14;

const BANDS = [{ value: 'interval', label: '95% interval' }, { value: 'std', label: '± std of trials' }, { value: 'range', label: 'lowest to highest' }, { value: 'none', label: 'none' }];

/** The curve of each group: {index, name, full, n, points: [{x, mean, low, high, n}], trials} */
export function groupCurves(view, grouping, band, weight) {
  const m = view.model, slots = m.epochs.length;
  return grouping.groups.map((label, index) => {
    const trials = view.shown.filter(i => grouping.of[i] === index && m.counts(i));
    const at = Array.from({ length: slots }, () => ({ v: [], r: [] }));
    for (const i of trials) {
      for (let row = m.start[i]; row < m.start[i + 1]; row++) {
        const value = view.metric.value[row];
        if (Number.isFinite(value)) {
          at[m.slot[row]].v.push(value);
          at[m.slot[row]].r.push(m.trials.replicate[i]);
        }
      }
    }
    const points = at.map(({ v, r }, s) => ({ x: m.epochs[s], n: v.length, ...bounds(v, r, band, m.t95) })).filter(p => p.n);
    for (const key of ['mean', 'low', 'high']) {
      smooth(points.map(p => p[key]), weight).forEach((v, k) => { points[k][key] = v; });
    }
    return { index, name: label, full: grouping.full[index], n: trials.length, trials, points };
  }).filter(g => g.points.length);
}

function bounds(values, replicates, band, t95) {
  const o = overReplicates(values, replicates, t95);
  if (band === 'interval') {
    return { mean: o.mean, low: o.mean - o.half, high: o.mean + o.half, half: o.half };
  }
  if (band === 'std') {
    const s = summary(values, t95);
    return { mean: o.mean, low: s.mean - s.std, high: s.mean + s.std };
  }
  const [low, high] = extent(values);
  return { mean: o.mean, low, high };
}

export class Curves extends Section {
  constructor(app) {
    super(app, 'curves', 'Learning curves', 'Curves');
    const again = () => this.draw(this.view, this.colors);
    this.by = new Select('Group by', () => { this.off.clear(); again(); });
    this.lines = new Choice('Lines', [{ value: 'mean', label: 'mean of group' }, { value: 'trials', label: 'every trial' }], 'mean', again);
    this.band = new Select('Band', again).set(BANDS, 'interval');
    this.log = new Check('log scale', false, again);
    this.logX = new Check('log epochs', false, again);
    this.smoothing = h('input', { type: 'range', min: 0, max: 0.95, step: 0.05, value: 0, id: 'smoothing', oninput: again });
    this.off = new Set(); // names of groups that are switched off
    const zoom = (text, label, act) => h('button', { type: 'button', 'aria-label': label, title: label, onclick: act }, text);
    replace(this.controls, this.by.element, this.lines.element, this.band.element,
      h('div', { class: 'control' }, h('label', { for: 'smoothing' }, 'Smoothing'), this.smoothing),
      h('div', { class: 'control checks' }, this.log.element, this.logX.element));
    const zooms = h('div', { class: 'choice zoom', role: 'group', 'aria-label': 'Zoom' },
      zoom('+', 'Zoom in', () => this.zoom(0.6)), zoom('−', 'Zoom out', () => this.zoom(1 / 0.6)), zoom('all', 'Show all epochs', () => this.zoom(Infinity)));
    this.chart = new Chart(420, key => this.key(key));
    this.chart.on('click', p => p.data && p.data.trial !== undefined && app.openTrial(p.data.trial));
    this.legend = h('div', { class: 'legend' });
    replace(this.body, h('div', { class: 'with-legend' }, h('div', { class: 'chart-frame' }, this.chart.element, zooms), this.legend));
  }

  applies(model) {
    return model.epochs.length > 0;
  }

  /** + and - zoom, 0 shows all, the arrows move the hover box from epoch to epoch. */
  key(key) {
    if (key === '+' || key === '=') {
      this.zoom(0.6);
    } else if (key === '-') {
      this.zoom(1 / 0.6);
    } else if (key === '0' || key === 'Escape') {
      this.zoom(Infinity);
    } else if (key === 'ArrowLeft' || key === 'ArrowRight') {
      this.move(key === 'ArrowLeft' ? -1 : 1);
    } else {
      return false;
    }
    return true;
  }

  move(step) {
    const longest = this.groups.reduce((a, g, i) => (g.points.length > this.groups[a].points.length ? i : a), 0);
    const last = this.groups.length ? this.groups[longest].points.length - 1 : 0;
    this.cursor = Math.max(0, Math.min(last, (this.cursor === undefined ? (step > 0 ? -1 : last + 1) : this.cursor) + step));
    this.chart.action({ type: 'showTip', seriesIndex: this.lineSeries[longest], dataIndex: this.cursor });
  }

  zoom(factor) {
    const option = this.chart.chart && this.chart.chart.getOption();
    if (!option) {
      return;
    }
    const { start, end } = option.dataZoom[0], middle = (start + end) / 2, half = Math.min(50, (end - start) / 2 * factor);
    const from = Math.max(0, Math.min(100 - 2 * half, middle - half));
    this.chart.action({ type: 'dataZoom', batch: [{ dataZoomIndex: 0, start: from, end: from + 2 * half }, ...(factor === Infinity ? [{ dataZoomIndex: 1, start: 0, end: 100 }] : [])] });
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    const groupings = view.model.groupings();
    this.by.set(groupings.map(g => ({ value: g.key, label: g.label })), this.firstGrouping(view));
    const grouping = view.model.grouping(this.by.value), trials = this.lines.value === 'trials';
    this.band.element.hidden = trials;
    const weight = Number(this.smoothing.value), log = this.log.value;
    const all = groupCurves(view, grouping, this.band.value, weight);
    all.sort((a, b) => view.better(lastOf(a), lastOf(b)));
    this.groups = all.filter(g => !this.off.has(g.full));
    const range = {}, base = colors.ink;
    const series = [];
    this.lineSeries = [];
    for (const group of this.groups) {
      const style = grouping.groups.length > 24 && !trials ? { color: shadeOf(colors, all.indexOf(group), all.length), dash: 'solid' } : lineStyle(colors, group.index);
      if (trials) {
        series.push(this.trialSeries(group, grouping, style, weight, log));
        this.lineSeries.push(0);
        continue;
      }
      if (this.band.value !== 'none' && this.groups.length <= 24) {
        series.push(bandSeries(group, style, log));
      }
      this.lineSeries.push(series.length);
      series.push({
        type: 'line', name: group.full, data: group.points.map(p => [p.x, log && p.mean <= 0 ? null : p.mean]), symbol: 'circle', symbolSize: 5,
        showSymbol: group.points.length < 3, lineStyle: { color: style.color, width: this.groups.length > 24 ? 1.2 : 2.2, type: style.dash },
        itemStyle: { color: style.color }, emphasis: { disabled: true }, z: 3, sampling: group.points.length > 2000 ? 'lttb' : undefined,
      });
    }
    const byX = new Map(this.groups.map(g => [g, new Map(g.points.map(p => [p.x, p]))]));
    this.chart.draw({
      grid: { left: 50, right: 14, top: 34, bottom: 46 },
      toolbox: zoomTool,
      dataZoom: [{ type: 'inside', xAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseMove: false, moveOnMouseWheel: false, preventDefaultMouseMove: false },
        { type: 'inside', yAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: false, moveOnMouseMove: false, moveOnMouseWheel: false }],
      tooltip: tooltip(colors, trials ? p => this.trialTip(p) : ps => this.epochTip(ps, byX, grouping), {
        trigger: trials ? 'item' : 'axis', axisPointer: { type: 'line', lineStyle: { color: colors.muted, width: 1, type: 'solid' }, snap: true }, order: 'valueDesc',
      }),
      xAxis: axis(colors, 'epoch', { type: this.logX.value ? 'log' : 'value', min: 'dataMin', max: 'dataMax', minInterval: 1, splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: colors.line } } }),
      yAxis: axis(colors, '', { type: log ? 'log' : 'value', scale: true, ...range }),
      series, textStyle: { fontFamily: colors.font, color: base },
    }, this.words(grouping), [view.metric.name, log, this.logX.value].join());
    this.chart.armZoom();
    if (document.activeElement !== this.chart.element) {
      this.cursor = undefined;
    } else if (this.cursor !== undefined) {
      this.move(0); // it is being read by the keyboard
    }
    this.drawLegend(all, grouping, colors, trials);
    const dropped = view.model.n - view.shown.length;
    replace(this.note, name(view.metric.label), trials ? `, a line a trial, coloured by ` : ', mean of each ', name(grouping.key === 'all' ? 'all trials' : grouping.label),
      trials ? '. Click a line for its trial.' : `. ${bandWords(this.band.value)}`, view.model.anyComplete ? ' Only complete trials are here.' : ' No trial is complete yet: all are here.',
      dropped ? ` ${many(dropped, 'trial')} filtered out.` : '', ' Drag over the plot to zoom in.');
  }

  /** The axis that does most, if its lines can be told apart. */
  firstGrouping(view) {
    const best = view.axesBySpread().find(({ axis }) => axis.groups.length <= 8);
    return best && `axis:${best.axis.path}`;
  }

  trialSeries(group, grouping, style, weight, log) {
    const m = this.view.model, metric = this.view.metric;
    const list = this.view.shown.filter(i => grouping.of[i] === group.index && m.start[i + 1] > m.start[i]);
    const data = list.map(i => {
      const xs = [], ys = [];
      for (let row = m.start[i]; row < m.start[i + 1]; row++) {
        const v = metric.value[row];
        if (Number.isFinite(v) && !(log && v <= 0)) {
          xs.push(m.epoch[row]);
          ys.push(v);
        }
      }
      const smoothed = smooth(ys, weight), [low, high] = extent(smoothed);
      return { trial: i, xs, ys: smoothed, value: [xs[0], xs[xs.length - 1], low, high], group };
    }).filter(d => d.xs.length);
    return {
      type: 'custom', name: group.full, data, clip: true, encode: { x: [0, 1], y: [2, 3] }, z: 3, emphasis: { focus: 'none' },
      renderItem: (params, api) => {
        const d = data[params.dataIndex];
        return {
          type: 'polyline', shape: { points: d.xs.map((x, k) => api.coord([x, d.ys[k]])) },
          style: { fill: 'none', stroke: style.color, lineWidth: data.length > 300 ? 0.7 : 1.1, lineDash: style.dash === 'solid' ? null : style.dash, opacity: Math.max(0.12, Math.min(0.75, 100 / data.length)) },
          emphasis: { style: { lineWidth: 3, opacity: 1, stroke: style.color, fill: 'none' } },
        };
      },
    };
  }

  trialTip(p) {
    const d = p.data, t = this.view.model.trials;
    return d && d.trial !== undefined && tip(`Trial #${t.trial[d.trial]}`, [['', this.view.model.labels[d.trial], ''], ['', `replicate ${t.replicate[d.trial]}, seed ${t.seed[d.trial]}`, ''],
      ['', `best ${this.view.metric.label}`, num(this.view.metric.best[d.trial]), `epoch ${this.view.metric.bestEpoch[d.trial]}`],
      ['', 'last', num(this.view.metric.last[d.trial])]]);
  }

  epochTip(ps, byX, grouping) {
    if (!ps.length) {
      return '';
    }
    const x = ps[0].value[0];
    const rows = this.groups.map(g => [g, byX.get(g).get(x)]).filter(([, p]) => p).sort((a, b) => this.view.better(a[1].mean, b[1].mean));
    return tip(`Epoch ${x}`, rows.slice(0, TIP_ROWS).map(([g, p]) => [swatch(lineStyle(this.colors, g.index)), g.name,
      `${num(p.mean)}${this.band.value === 'interval' && Number.isFinite(p.half) ? ` ± ${spread(p.half)}` : ''}`, `n = ${p.n}`]),
    rows.length > TIP_ROWS ? `and ${rows.length - TIP_ROWS} more` : null);
  }

  drawLegend(all, grouping, colors, trials) {
    const shown = this.app.state.print ? all : all.slice(0, 40);
    replace(this.legend, h('div', { class: 'legend-head' }, h('span', {}, name(grouping.label)), h('span', {}, 'last'), h('span', {}, 'n')),
      shown.map(g => h('button', {
        type: 'button', class: 'key', 'aria-pressed': String(!this.off.has(g.full)), title: g.full,
        onclick: () => {
          this.off[this.off.has(g.full) ? 'delete' : 'add'](g.full);
          this.draw(this.view, this.colors);
        },
      }, swatch(grouping.groups.length > 24 && !trials ? { color: shadeOf(colors, all.indexOf(g), all.length), dash: 'solid' } : lineStyle(colors, g.index)),
      h('span', { class: 'key-name' }, name(g.name)), h('span', { class: 'figure' }, num(lastOf(g))), h('span', { class: 'figure n' }, g.n))),
      all.length > shown.length && h('p', { class: 'more' }, `and ${all.length - shown.length} more`));
  }

  words(grouping) {
    const best = this.groups[0];
    return `Learning curves of ${this.view.metric.label} by ${grouping.label}: ${many(this.groups.length, 'line')}. ` +
      (best ? `Best at the end: ${best.name} with ${num(lastOf(best))}. ` : '') + 'Arrow keys read the values of an epoch, plus and minus zoom.';
  }
}

function bandWords(band) {
  return { interval: 'The band is the 95% interval of the mean over replicates.', std: 'The band is a standard deviation of the trials to both sides.', range: 'The band goes from the lowest trial to the highest.', none: '' }[band];
}

function lastOf(group) {
  return group.points.length ? group.points[group.points.length - 1].mean : NaN;
}

/** Many lines are one hue, the better the stronger. */
function shadeOf(colors, rank, count) {
  return rank < 8 ? colors.lines[rank] : colors.dark ? `rgba(170,180,190,${0.45 - 0.25 * rank / count})` : `rgba(90,100,110,${0.4 - 0.22 * rank / count})`;
}

function bandSeries(group, style, log) {
  const ps = group.points.filter(p => Number.isFinite(p.low) && Number.isFinite(p.high) && !(log && p.low <= 0));
  const [low] = extent(ps.map(p => p.low)), [, high] = extent(ps.map(p => p.high));
  return {
    type: 'custom', name: group.full, silent: true, clip: true, z: 1, encode: { x: [0, 1], y: [2, 3] }, tooltip: { show: false },
    data: ps.length > 1 ? [[ps[0].x, ps[ps.length - 1].x, low, high]] : [],
    renderItem: (params, api) => ({
      type: 'polygon', silent: true, shape: { points: [...ps.map(p => api.coord([p.x, p.high])), ...ps.slice().reverse().map(p => api.coord([p.x, p.low]))] },
      style: { fill: style.color, opacity: 0.13 },
    }),
  };
}

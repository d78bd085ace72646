// Two metrics against each other, a mark a trial.
import { axis, Chart, spot, tip, tooltip, zoomTool } from './charts.js';
import { Check, h, name, replace, Select } from './dom.js';
import { many, num } from './format.js';
import { lineStyle } from './palette.js';
import { Section } from './section.js';

const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond'];

export class Scatter extends Section {
  constructor(app) {
    super(app, 'scatter', 'Two metrics against each other', 'Scatter');
    const again = () => this.draw(this.view, this.colors);
    this.x = new Select('Across', again);
    this.y = new Select('Up', again);
    this.by = new Select('Coloured by', again);
    this.logX = new Check('log across', false, again);
    this.logY = new Check('log up', false, again);
    replace(this.controls, this.x.element, this.y.element, this.by.element, h('div', { class: 'control checks' }, this.logX.element, this.logY.element));
    this.chart = new Chart(400, key => (key === '0' || key === 'Escape' ? (this.chart.action({ type: 'dataZoom', batch: [{ dataZoomIndex: 0, start: 0, end: 100 }, { dataZoomIndex: 1, start: 0, end: 100 }] }), true) : false));
    this.chart.on('click', p => p.data && app.openTrial(p.data.trial));
    this.legend = h('ul', { class: 'legend-line' });
    replace(this.body, this.chart.element, this.legend);
  }

  /** What a trial can be measured by: each metric's best and last value, and its time. */
  quantities(model) {
    const out = model.metrics.flatMap(m => [{ key: `best ${m.name}`, label: `${m.label}, best`, of: m.best }, { key: `last ${m.name}`, label: `${m.label}, last`, of: m.last }]);
    if (model.trials.seconds.some(s => s !== null)) {
      out.push({ key: 'seconds', label: 'seconds', of: model.trials.seconds.map(s => (s === null ? NaN : s)) });
    }
    return out;
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    const m = view.model, quantities = this.quantities(m), options = quantities.map(q => ({ value: q.key, label: q.label }));
    const other = m.metrics.find(x => /loss/.test(x.name) && x !== view.metric) || m.metrics.find(x => x !== view.metric);
    this.x.set(options, other ? `best ${other.name}` : options[options.length - 1].value);
    this.y.set(options, `best ${view.metric.name}`);
    const groupings = m.groupings().filter(g => g.key !== 'point');
    this.by.set(groupings.map(g => ({ value: g.key, label: g.label })), groupings[0].key);
    const x = quantities.find(q => q.key === this.x.value), y = quantities.find(q => q.key === this.y.value);
    const grouping = groupings.find(g => g.key === this.by.value), ok = (v, log) => Number.isFinite(v) && !(log && v <= 0);
    const logX = this.logX.value, logY = this.logY.value;
    const rows = view.shown.filter(i => ok(x.of[i], logX) && ok(y.of[i], logY));
    const used = grouping.groups.map((_, g) => g).filter(g => rows.some(i => grouping.of[i] === g));
    const symbol = g => SYMBOLS[Math.floor(g / colors.lines.length) % SYMBOLS.length];
    this.chart.draw({
      grid: { left: 66, right: 20, top: 30, bottom: 50 }, toolbox: zoomTool,
      dataZoom: [{ type: 'inside', xAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseMove: false, moveOnMouseWheel: false },
        { type: 'inside', yAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseMove: false, moveOnMouseWheel: false }],
      tooltip: tooltip(colors, p => p.data && this.tip(p.data.trial, x, y), { trigger: 'item' }),
      xAxis: axis(colors, x.label, { type: logX ? 'log' : 'value', scale: true }), yAxis: axis(colors, y.label, { type: logY ? 'log' : 'value', scale: true, nameLocation: 'end', nameGap: 12, nameTextStyle: { align: 'left', padding: [0, 0, 0, -46], color: colors.muted, fontFamily: colors.font, fontSize: 12 } }),
      series: used.map(g => ({ type: 'scatter', name: grouping.full[g], symbol: symbol(g), symbolSize: rows.length > 400 ? 5 : 9, large: false,
        itemStyle: { color: lineStyle(colors, g).color, opacity: rows.length > 400 ? 0.6 : 0.85, borderColor: colors.paper, borderWidth: rows.length > 400 ? 0 : 1 },
        emphasis: { itemStyle: { borderColor: colors.ink, borderWidth: 1.5, opacity: 1 } },
        data: rows.filter(i => grouping.of[i] === g).map(i => ({ value: [x.of[i], y.of[i]], trial: i })) })),
    }, `Scatter plot of ${y.label} over ${x.label}, ${many(rows.length, 'trial')}.`, [x.key, y.key, logX, logY].join());
    this.chart.armZoom();
    replace(this.legend, grouping.key === 'all' ? '' : used.map(g => h('li', {}, spot(lineStyle(colors, g)), name(grouping.groups[g]), h('span', { class: 'n' }, ` n = ${rows.filter(i => grouping.of[i] === g).length}`))));
    const left = view.shown.length - rows.length;
    replace(this.note, `${many(rows.length, 'trial')}`, left ? `, ${left} without a finite value of both` : '', '. Click a mark for its trial, drag to zoom, Escape shows all.');
  }

  tip(i, x, y) {
    const m = this.view.model;
    return tip(`Trial #${m.trials.trial[i]}`, [['', m.labels[i], ''], ['', y.label, num(y.of[i])], ['', x.label, num(x.of[i])], ['', 'status', m.trials.status[i]]]);
  }
}

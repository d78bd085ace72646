// All axes at once: a line a trial, from axis to axis to its value.
import { Chart, tip, tooltip } from './charts.js';
import { h, name, replace, Select } from './dom.js';
import { label, many, num, tick } from './format.js';
import { shade } from './palette.js';
import { Section } from './section.js';
import { extent } from './stats.js';

export class Parallel extends Section {
  constructor(app) {
    super(app, 'parallel', 'All axes together', 'Parallel');
    const again = () => this.draw(this.view, this.colors);
    this.second = new Select('Second metric', again);
    this.chosen = h('p', { class: 'more', role: 'status' });
    this.reset = h('button', { type: 'button', hidden: true, onclick: () => { this.chart.forget(); again(); } }, 'Show all lines');
    replace(this.controls, this.second.element, this.reset);
    this.chart = new Chart(380);
    this.chart.on('axisareaselected', () => this.brushed()).on('click', p => p.data && app.openTrial(p.data.trial));
    replace(this.body, this.chart.element, this.chosen);
  }

  applies(model) {
    return model.varying.length > 0 && model.metrics.length > 0;
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    this.second.set([{ value: '', label: 'none' }, ...view.model.metrics.map(m => ({ value: m.name, label: m.label }))], '');
    const other = this.second.value && view.model.metric(this.second.value), narrow = this.chart.element.clientWidth < 600;
    const text = { color: colors.muted, fontFamily: colors.font, fontSize: 11 };
    const dims = view.model.varying.map((a, dim) => ({
      dim, name: label(a.label, narrow ? 14 : 24), ...(a.numeric && a.binned ? { type: 'value', scale: true } : { type: 'category', data: a.binned ? a.levels.map(l => label(l, 18)) : a.groups.map(g => label(g, narrow ? 10 : 18)) }),
    }));
    const values = [view.metric, ...(other ? [other] : [])].map((m, k) => ({ dim: dims.length + k, name: label(m.label, narrow ? 14 : 24), type: 'value', scale: true, nameTextStyle: { color: colors.ink, fontWeight: 600, fontFamily: colors.font, fontSize: 12 } }));
    const second = other && (view.at === 'last' ? other.last : other.best);
    const rows = view.counted.filter(i => Number.isFinite(view.values[i]));
    const [low, high] = extent(rows.map(i => view.values[i])), good = v => { const s = high > low ? (v - low) / (high - low) : 1; return view.maximize ? s : 1 - s; };
    const thin = rows.length > 400;
    this.rows = rows;
    this.data = [...rows].sort((a, b) => -view.better(view.values[a], view.values[b])).map(i => ({
      trial: i, value: [...view.model.varying.map(a => (a.numeric && a.binned ? a.numbers[a.of[i]] : a.of[i])), view.values[i], ...(other ? [second[i]] : [])],
      lineStyle: { color: shade(colors, 0.22 + 0.78 * good(view.values[i])).background },
    }));
    this.reset.hidden = true; // unless something is chosen still, see brushed()
    replace(this.chosen, '');
    this.chart.draw({
      tooltip: tooltip(colors, p => p.data && this.tip(p.data.trial), { trigger: 'item' }),
      parallel: { left: 60, right: 70, top: 44, bottom: 22, axisExpandable: false, parallelAxisDefault: {
        nameLocation: 'end', nameGap: 16, nameTextStyle: { ...text, fontSize: 12 }, axisLine: { lineStyle: { color: colors.muted, width: 1 } }, axisTick: { show: false },
        axisLabel: { ...text, formatter: v => (typeof v === 'number' ? tick(v) : v), backgroundColor: colors.paper, padding: [2, 4], borderRadius: 3, color: colors.ink }, areaSelectStyle: { width: 22, borderColor: colors.accent, color: colors.accent, opacity: 0.18 },
      } },
      parallelAxis: [...dims, ...values],
      series: [{ type: 'parallel', data: this.data, lineStyle: { width: thin ? 0.8 : 1.6, opacity: thin ? 0.35 : 0.7 }, smooth: 0.12, inactiveOpacity: 0.04, activeOpacity: 0.9, progressive: 0,
        emphasis: { lineStyle: { width: 3, opacity: 1 } } }],
    }, `Parallel coordinates of ${many(rows.length, 'trial')} over ${view.model.varying.map(a => a.label).join(', ')} and ${view.metric.label}.`, [...dims, ...values].map(d => d.name).join());
    replace(this.note, 'A line a trial, stronger the better its ', name(view.metric.label), '. Drag along an axis to choose a part of it: lines outside fade. The box “Trials shown” above chooses by keyboard.');
  }

  tip(i) {
    const m = this.view.model;
    return tip(`Trial #${m.trials.trial[i]}`, [...m.varying.map(a => ['', a.label, a.levels[a.of[i]]]), ['', this.view.metric.label, num(this.view.values[i])]]);
  }

  brushed() {
    const indices = this.chart.chart.getModel().getSeriesByIndex(0).getRawIndicesByActiveState('active');
    const best = indices.map(k => this.data[k].trial).sort((a, b) => this.view.better(this.view.values[a], this.view.values[b]))[0];
    const all = indices.length === this.data.length || indices.length === 0;
    this.reset.hidden = all && indices.length !== 0;
    replace(this.chosen, all ? '' : [`${many(indices.length, 'trial')} chosen; the best: `, this.trialButton(best), ' ', name(this.view.model.labels[best]), ` with ${num(this.view.values[best])}`]);
  }
}

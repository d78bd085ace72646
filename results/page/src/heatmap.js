// Two axes against each other: the mean of each pair of values, shaded.
import { h, name, replace, Select } from './dom.js';
import { num } from './format.js';
import { shade } from './palette.js';
import { Section } from './section.js';
import { extent, mean } from './stats.js';

export class HeatMap extends Section {
  constructor(app) {
    super(app, 'heatmap', 'Two axes together', 'Heat map');
    const again = () => this.draw(this.view, this.colors);
    this.down = new Select('Down', again);
    this.across = new Select('Across', again);
    replace(this.controls, this.down.element, this.across.element,
      h('button', { type: 'button', class: 'swap', onclick: () => { [this.down.value, this.across.value] = [this.across.value, this.down.value]; again(); } }, 'Swap'));
  }

  applies(model) {
    return model.varying.length > 1 && model.metrics.length > 0;
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    const axes = view.model.varying, options = axes.map(a => ({ value: a.path, label: a.label }));
    this.down.set(options, axes[0].path);
    this.across.set(options, axes[1].path);
    if (this.down.value === this.across.value) {
      this.across.value = axes.find(a => a.path !== this.down.value).path;
    }
    const down = axes.find(a => a.path === this.down.value), across = axes.find(a => a.path === this.across.value);
    const used = axis => axis.groups.map((_, g) => g).filter(g => view.shown.some(i => axis.groupOf[i] === g));
    const rows = used(down), cols = used(across);
    const cell = (r, c) => {
      const shown = view.shown.filter(i => down.groupOf[i] === r && across.groupOf[i] === c), counted = shown.filter(i => view.countedSet.has(i));
      return { shown: shown.length, n: counted.length, mean: mean(counted.map(i => view.values[i])) };
    };
    const cells = rows.map(r => cols.map(c => cell(r, c)));
    const [low, high] = extent(cells.flat().map(c => c.mean)), share = v => (high > low ? (v - low) / (high - low) : 0.5);
    const best = [...cells.flat()].sort((a, b) => view.better(a.mean, b.mean))[0];
    replace(this.note, 'Mean of ', name(view.metric.label), ` (${view.at} epoch) over all other axes and replicates; the small figure is n. The best pair has a frame.`);
    replace(this.body, h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'heatmap-title' }, h('table', { class: 'heat' },
      h('caption', { class: 'visually-hidden' }, `${down.label} down, ${across.label} across`),
      h('thead', {}, h('tr', {}, h('td', { class: 'corner' }, name(down.label), ' \\ ', name(across.label)), cols.map(c => h('th', { scope: 'col' }, name(across.groups[c]))))),
      h('tbody', {}, rows.map((r, i) => h('tr', {}, h('th', { scope: 'row' }, name(down.groups[r])), cells[i].map(c => {
        const s = shade(colors, share(c.mean));
        return h('td', { class: c === best && c.n ? 'best' : c.n ? '' : 'none', style: { background: s.background, color: s.ink } },
          c.n ? [h('span', { class: 'value' }, num(c.mean)), h('span', { class: 'n' }, c.n < c.shown ? `${c.n} of ${c.shown}` : c.n)] : h('span', { class: 'n' }, c.shown ? `0 of ${c.shown}` : ''));
      }))))),
    Number.isFinite(low) && high > low && h('div', { class: 'ramp', 'aria-hidden': 'true' }, h('span', {}, num(low)),
      h('span', { class: 'steps' }, Array.from({ length: 24 }, (_, i) => h('i', { style: { background: shade(colors, i / 23).background } }))), h('span', {}, num(high)))));
  }
}

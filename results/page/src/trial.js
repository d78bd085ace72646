// All that is known of one trial, in a box over the page.
import { h, name, replace } from './dom.js';
import { duration, num } from './format.js';
import { lineChart } from './lines.js';

export class TrialDialog {
  constructor(app) {
    this.app = app;
    this.body = h('div', { class: 'trial' });
    this.title = h('h2', { id: 'trial-title' });
    this.element = h('dialog', { 'aria-labelledby': 'trial-title', onclick: event => event.target === this.element && this.element.close() },
      h('div', { class: 'dialog-head' }, this.title, h('button', { type: 'button', onclick: () => this.element.close(), 'aria-label': 'Close' }, 'Close')), this.body);
  }

  open(row, view, colors) {
    this.fill(row, view, colors);
    this.element.showModal();
  }

  redraw(view, colors) {
    const row = view.model.rowOf.get(this.trial);
    if (this.element.open && row !== undefined) {
      this.fill(row, view, colors);
    }
  }

  fill(row, view, colors) {
    const m = view.model, t = m.trials, failures = m.doc.failures.filter(f => f.trial === t.trial[row]);
    const fact = (term, value) => h('tr', {}, h('th', { scope: 'row' }, term), h('td', {}, value));
    const commands = `besom show ${t.trial[row]}\nbesom log ${t.trial[row]}`;
    this.trial = t.trial[row];
    replace(this.title, `Trial #${t.trial[row]}`);
    replace(this.body, h('table', { class: 'plain' }, h('tbody', {},
      m.axes.map(a => fact(name(a.label), name(a.levels[a.of[row]] || ''))),
      fact('Status', [h('span', { class: `dot ${t.status[row]}` }), t.status[row], t.stopped[row] ? [' (', name(t.stopped[row]), ')'] : '']),
      fact('Replicate, seed', `${t.replicate[row]}, ${t.seed[row]}`),
      fact('Epochs', t.epochs[row] ? `${t.epochs_done[row]} of ${t.epochs[row]}` : t.epochs_done[row]),
      fact('Time', duration(t.seconds[row] === null ? NaN : t.seconds[row])), fact('Attempts', t.attempts[row]),
      fact('Key', h('code', {}, t.key[row])), t.error[row] && fact('Error', name(t.error[row])))),
    h('div', { class: 'minis' }, m.metrics.slice(0, 24).map(metric => {
      const points = [];
      for (let r = m.start[row]; r < m.start[row + 1]; r++) {
        points.push([m.epoch[r], metric.value[r]]);
      }
      return lineChart({ title: [name(metric.label), h('span', { class: 'more' }, ` best ${num(metric.best[row])}, last ${num(metric.last[row])}`)], series: [{ name: metric.label, color: colors.lines[0], dash: 'solid', points }], alt: `${metric.label} over the epochs` });
    })),
    failures.length > 0 && [h('h3', {}, 'Attempts that did not complete'), h('ul', {}, failures.map(f => h('li', {}, `attempt ${f.attempt}: `, name(f.reason), f.message ? [', ', name(f.message)] : '')))],
    h('pre', { tabindex: 0 }, commands));
  }
}

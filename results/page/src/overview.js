import { h, name, replace } from './dom.js';
import { count, date, duration, many, num, spread } from './format.js';
import { Section } from './section.js';

const ORDER = ['complete', 'running', 'paused', 'pending', 'pruned', 'cancelled', 'failed'];

export class Overview extends Section {
  constructor(app) {
    super(app, 'overview', 'Overview');
    this.eager = true;
  }

  applies() {
    return true;
  }

  draw(view) {
    const m = view.model, doc = m.doc, t = m.trials;
    const statuses = ORDER.map(s => [s, t.status.filter(x => x === s).length]).filter(([, n]) => n);
    const objective = m.metrics.find(x => x.name === doc.sweep.metric);
    const seconds = t.seconds.reduce((sum, s) => sum + (s || 0), 0);
    const wall = doc.run.first && doc.run.last ? (Date.parse(doc.run.last) - Date.parse(doc.run.first)) / 1000 : NaN;
    const epochs = t.epochs_done.reduce((sum, e) => sum + e, 0);
    const best = view.leaderboard().find(r => r.n > 0);
    const fact = (term, value, more) => h('div', { class: 'fact' }, h('dt', {}, term), h('dd', {}, value), more && h('dd', { class: 'more' }, more));

    replace(this.note, best ? [
      'Best by ', name(view.metric.label), ': ', h('strong', {}, name(best.label)), ` with ${num(best.mean)}`,
      Number.isFinite(best.half) ? ` ± ${spread(best.half)}` : '', ` (n = ${best.n}`, Number.isFinite(best.half) ? ', 95% interval of the mean' : '', '), ',
      `${view.at === 'best' ? 'at each trial’s best epoch' : 'at the last epoch'}.`] : 'No trial has a value yet.');
    replace(this.body,
      h('div', { class: 'status' },
        h('div', { class: 'meter', role: 'img', 'aria-label': statuses.map(([s, n]) => `${n} ${s}`).join(', ') },
          statuses.map(([s, n]) => h('span', { class: `part ${s}`, style: { 'flex-grow': n } }))),
        h('ul', { class: 'legend-line' }, statuses.map(([s, n]) => h('li', {}, h('span', { class: `dot ${s}` }), `${count(n)} ${s}`)))),
      h('dl', { class: 'facts' },
        fact('Trials', count(m.n), `${many(m.points().length, 'grid point')}, ${many(m.replicates.length, 'replicate')}`),
        fact('Objective', name(doc.sweep.metric), doc.sweep.goal === 'maximize' ? 'higher is better' : 'lower is better'),
        fact('Epochs', count(epochs), objective ? `${many(m.metrics.length, 'metric')}` : null),
        fact('Training time', duration(seconds || NaN), Number.isFinite(wall) && wall > 0 ? `${duration(wall)} from first start to last end` : null),
        fact('Last change', doc.run.last ? doc.run.last.slice(0, 10) : '–', doc.run.active ? 'a run is going on' : date(doc.run.last).slice(11))),
      h('div', { class: 'axes-list' }, h('h3', {}, 'What is varied'),
        h('table', {}, h('tbody', {}, m.varying.map(a => h('tr', {}, h('th', { scope: 'row' }, name(a.label)),
          h('td', {}, a.levels.length > 12 ? `${a.levels.length} values from ${a.levels[0]} to ${a.levels[a.levels.length - 1]}`
            : a.levels.map((l, i) => [i ? h('span', { class: 'sep' }, ' · ') : '', name(l)]))))))));
  }
}

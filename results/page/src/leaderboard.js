// Grid points, or trials, best first; any column sorts, a word filters.
import { Choice, h, name, replace, svg } from './dom.js';
import { duration, many, num, spread } from './format.js';
import { Section } from './section.js';
import { extent } from './stats.js';

const SHOWN = 20;

export class Leaderboard extends Section {
  constructor(app) {
    super(app, 'leaderboard', 'Leaderboard');
    this.sort = null;
    this.limit = SHOWN;
    const again = () => { this.limit = SHOWN; this.draw(this.view, this.colors); };
    this.rows = new Choice('A row is', [{ value: 'points', label: 'a grid point' }, { value: 'trials', label: 'a trial' }], 'points', () => { this.sort = null; again(); });
    this.search = h('input', { type: 'search', id: 'leaderboard-search', placeholder: 'adam relu', oninput: again, autocomplete: 'off', spellcheck: 'false' });
    replace(this.controls, this.rows.element, h('div', { class: 'control' }, h('label', { for: 'leaderboard-search' }, 'Words that a row must have'), this.search));
    this.table = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'leaderboard-title' });
    replace(this.body, this.table, this.rest = h('div', {}));
  }

  /** Columns: {key, label, value(row) to sort by, cell(row), left} */
  columns(view) {
    const m = view.model, t = m.trials, points = this.rows.value === 'points';
    const axes = m.varying.map(a => ({
      key: `axis:${a.path}`, label: a.label, left: true,
      value: r => { const l = a.of[points ? r.first : r]; return a.numeric ? a.numbers[l] : l; },
      text: r => a.levels[a.of[points ? r.first : r]] || '', cell: r => name(shortOf(a, a.of[points ? r.first : r])),
    }));
    const metric = view.metric.label, groups = view.groups(), groupOf = r => groups.get(t.point[r.first]);
    if (points) {
      return [
        { key: 'rank', label: 'rank', value: r => r.rank, cell: r => num(r.rank) }, ...axes,
        { key: 'mean', label: metric, value: r => r.mean, cell: r => num(r.mean), strong: true, best: true },
        { key: 'plot', label: '95% interval', plot: true },
        { key: 'half', label: '±', value: r => r.half, cell: r => spread(r.half) },
        { key: 'std', label: 'std', value: r => r.std, cell: r => spread(r.std) },
        { key: 'n', label: 'n', value: r => r.n, cell: r => (r.n === r.trials.length ? r.n : `${r.n} of ${r.trials.length}`) },
        ...(groups.size ? [{ key: 'group', label: 'group', value: r => groupOf(r) || NaN, cell: r => groupOf(r) || '–' }] : []),
        { key: 'trial', label: 'best trial', value: r => (r.bestTrial === undefined ? NaN : t.trial[r.bestTrial]), cell: r => this.trialButton(r.bestTrial === undefined ? r.first : r.bestTrial) },
      ];
    }
    return [
      { key: 'trial', label: 'trial', value: i => t.trial[i], cell: i => this.trialButton(i) }, ...axes,
      { key: 'replicate', label: 'replicate', value: i => t.replicate[i], cell: i => t.replicate[i] },
      { key: 'status', label: 'status', left: true, value: i => t.status[i], text: i => t.status[i], cell: i => [h('span', { class: `dot ${t.status[i]}` }), t.status[i]] },
      { key: 'best', label: `best ${metric}`, value: i => view.metric.best[i], cell: i => num(view.metric.best[i]), strong: true, best: view.at === 'best' },
      { key: 'epoch', label: 'at epoch', value: i => view.metric.bestEpoch[i] || NaN, cell: i => view.metric.bestEpoch[i] || '–' },
      { key: 'last', label: 'last', value: i => view.metric.last[i], cell: i => num(view.metric.last[i]), best: view.at === 'last' },
      { key: 'epochs', label: 'epochs', value: i => t.epochs_done[i], cell: i => (t.epochs[i] && t.epochs[i] !== t.epochs_done[i] ? `${t.epochs_done[i]} of ${t.epochs[i]}` : t.epochs_done[i]) },
      { key: 'seconds', label: 'time', value: i => (t.seconds[i] === null ? NaN : t.seconds[i]), cell: i => duration(t.seconds[i] === null ? NaN : t.seconds[i]) },
    ];
  }

  draw(view, colors) {
    Object.assign(this, { view, colors });
    const points = this.rows.value === 'points', columns = this.columns(view);
    const all = points ? view.leaderboard() : view.shown;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const texts = columns.filter(c => c.text);
    const haystack = r => `${texts.map(c => `${c.label}=${c.text(r)}`).join(' ')} ${points ? '' : `#${view.model.trials.trial[r]}`}`.toLowerCase();
    const rows = all.filter(r => { const hay = words.length ? haystack(r) : ''; return words.every(w => hay.includes(w)); });
    const sort = this.sort || { key: points ? 'rank' : columns.find(c => c.best).key, down: points ? false : view.maximize };
    const column = columns.find(c => c.key === sort.key) || columns[0];
    rows.sort((a, b) => order(column.value(a), column.value(b), sort.down));
    const shown = this.app.state.print ? rows.slice(0, 60) : rows.slice(0, this.limit);
    const scale = points && extent(all.flatMap(r => (Number.isFinite(r.half) ? [r.mean - r.half, r.mean + r.half] : [r.mean])));

    replace(this.table, h('table', { class: 'data' }, h('thead', {}, h('tr', {}, columns.map(c => this.head(c, sort)))),
      h('tbody', {}, shown.map(r => h('tr', { 'data-key': view.model.trials.trial[points ? r.first : r] }, columns.map(c => h('td', { class: c.left ? '' : c.strong ? 'figure strong' : 'figure' },
        c.plot ? interval(r, scale, colors) : c.cell(r))))))));
    replace(this.rest, rows.length === 0 ? h('p', { class: 'empty' }, 'No row has all these words.')
      : shown.length < rows.length && h('button', { type: 'button', class: 'wide', onclick: () => { this.limit += this.limit < 200 ? 200 : rows.length; this.draw(view, colors); } }, `Show more (${shown.length} of ${rows.length})`));
    replace(this.note, points
      ? [`${many(rows.length, 'grid point')}. A row is the mean over its replicates of `, name(view.metric.label), ` at the ${view.at} epoch, with the 95% interval of the mean by Student’s t; n is how many replicates count.`, columns.some(c => c.key === 'group') ? ' Points of one group are not told from its first by the paired t test over seeds, with Holm’s correction over all pairs.' : '']
      : [`${many(rows.length, 'trial')}. Click a number for the trial.`]);
  }

  head(column, sort) {
    if (!column.value) {
      return h('th', { scope: 'col' }, column.label);
    }
    const on = column.key === sort.key;
    return h('th', { scope: 'col', class: column.left ? '' : 'figure', 'aria-sort': on ? (sort.down ? 'descending' : 'ascending') : 'none' },
      h('button', {
        type: 'button', onclick: () => {
          this.sort = { key: column.key, down: on ? !sort.down : column.best ? this.view.maximize : false };
          this.draw(this.view, this.colors);
        }, 'data-key': column.key,
      }, name(column.label), h('span', { class: 'arrow', 'aria-hidden': 'true' }, on ? (sort.down ? ' ↓' : ' ↑') : '')));
  }
}

function shortOf(axis, level) {
  return level < 0 ? '' : axis.binned ? axis.levels[level] : axis.groups[level];
}

/** Numbers by size, texts by their letters, what is missing last. */
function order(a, b, down) {
  const missing = v => v === undefined || v === '' || Number.isNaN(v);
  if (missing(a) || missing(b)) {
    return missing(a) - missing(b);
  }
  const up = typeof a === 'string' ? a.localeCompare(b) : a - b;
  return down ? -up : up;
}

/** A mean and its interval on a scale that all rows share. */
export function interval(row, [low, high], colors, width = 150) {
  const x = v => 5 + (high > low ? (v - low) / (high - low) : 0.5) * (width - 10), mid = 9;
  return svg('svg', { class: 'interval', width, height: 18, viewBox: `0 0 ${width} 18`, role: 'img', 'aria-label': Number.isFinite(row.half) ? `from ${num(row.mean - row.half)} to ${num(row.mean + row.half)}` : 'no interval' },
    svg('line', { class: 'rail', x1: 5, x2: width - 5, y1: mid, y2: mid }),
    Number.isFinite(row.half) && svg('line', { class: 'span', x1: x(row.mean - row.half), x2: x(row.mean + row.half), y1: mid, y2: mid }),
    Number.isFinite(row.mean) && svg('circle', { class: 'mean', cx: x(row.mean), cy: mid, r: 3.5 }));
}

// What each axis does: the mean of each of its values over all other axes, with its interval.
import { h, name, replace } from './dom.js';
import { label, num, percent, spread } from './format.js';
import { interval } from './leaderboard.js';
import { Section } from './section.js';
import { extent } from './stats.js';

export class Effects extends Section {
  constructor(app) {
    super(app, 'effects', 'What each axis does', 'Axes');
  }

  applies(model) {
    return model.varying.length > 0 && model.metrics.length > 0;
  }

  draw(view, colors) {
    const axes = view.axesBySpread().map(({ axis, spread: means }) => ({ axis, means, rows: view.effects(axis) }));
    const scale = extent(axes.flatMap(({ rows }) => rows.flatMap(r => (Number.isFinite(r.half) ? [r.mean - r.half, r.mean + r.half] : [r.mean]))));
    replace(this.note, 'The mean of ', name(view.metric.label), ` (${view.at} epoch) of each value of an axis over all others, with the 95% interval over replicates; all on one scale, the axis with the largest spread of means first. Where trials failed n is smaller, and the rest may look better than it is.`,
      view.compared ? ' The difference to the best value is paired by seed and by the other axes; p is that of the paired t test, with Holm’s correction. How many more seeds would settle it is estimated from these.' : '');
    const compared = view.compared;
    replace(this.body, compared && compared.importance && this.importance(compared.importance, colors),
      h('div', { class: compared ? 'effects compared' : 'effects' }, axes.map(({ axis, rows, means }) => this.effect(view, axis, rows, means, scale, colors))));
  }

  /** How much of the variance over all trials each axis, pair of axes, and the seed make. */
  importance(importance, colors) {
    const terms = importance.terms.map(t => ({ label: t.axes.length ? t.axes.map(a => label(a)).join(' × ') : 'three axes and more together', share: t.share }))
      .filter(t => t.share > 0.0005).sort((a, b) => b.share - a.share).slice(0, 10);
    if (importance.noise !== null) {
      terms.push({ label: 'the seed', share: Math.min(1, importance.noise), noise: true });
    }
    return h('div', { class: 'importance' }, h('h3', {}, 'Share of the variance'), h('table', {}, h('tbody', {}, terms.map(t => h('tr', {}, h('th', { scope: 'row' }, name(t.label)),
      h('td', {}, h('div', { class: t.noise ? 'share-bar noise' : 'share-bar', style: { width: `${Math.max(0.4, 100 * t.share)}%` } })), h('td', { class: 'figure' }, percent(t.share)))))),
    h('p', { class: 'more' }, `Of ${importance.trials} trials at ${importance.points} grid points, by analysis of variance; × is what two axes do together beyond what each does alone.`));
  }

  effect(view, axis, rows, means, scale, colors) {
    rows.sort((a, b) => view.better(a.mean, b.mean));
    const effects = view.compared && !axis.binned && Object.hasOwn(view.compared.effects, axis.path) ? view.compared.effects[axis.path].values : null;
    const tested = effects && new Map(effects.map(e => [label(e.full, 200), e])), of = r => tested.get(axis.levels[r.index]);
    const heads = ['', '95% interval', 'mean', '±', 'n', ...(tested ? ['against the best', '±', 'p', 'verdict'] : [])];
    return h('div', { class: 'effect' }, h('h3', {}, name(axis.label), h('span', { class: 'more' }, ` spread ${num(means)}`)),
      h('table', { class: 'data' }, h('thead', {}, h('tr', {}, heads.map((t, i) => h('th', { scope: 'col', class: i > 1 && t !== 'verdict' ? 'figure' : '' }, t || h('span', { class: 'visually-hidden' }, 'value'))))),
        h('tbody', {}, rows.map(r => h('tr', {}, h('th', { scope: 'row' }, name(r.name)), h('td', {}, interval(r, scale, colors, 130)),
          h('td', { class: 'figure strong' }, num(r.mean)), h('td', { class: 'figure' }, spread(r.half)),
          h('td', { class: 'figure n' }, `${r.n}${r.n < r.trials ? ` of ${r.trials}` : ''}`), tested && this.verdict(of(r)))))));
  }

  /** The paired difference to the best value, its p by Holm, and what follows. */
  verdict(e) {
    const d = e && e.difference;
    const words = { best: 'best', worse: 'worse', better: 'better', untested: 'too few seeds' };
    const text = !e ? '' : e.verdict !== 'undecided' ? words[e.verdict]
      : ['undecided', d && d.more_seeds > 0 && h('span', { class: 'more' }, ` ${d.more_seeds > 999 ? 'more than 999' : d.more_seeds} more seeds`)];
    return [h('td', { class: 'figure' }, d ? num(d.mean) : ''), h('td', { class: 'figure' }, d && d.ci_high !== null ? spread((d.ci_high - d.ci_low) / 2) : ''),
      h('td', { class: 'figure' }, d && d.p_holm !== null ? probability(d.p_holm) : ''), h('td', { class: `verdict ${e ? e.verdict : ''}` }, text)];
  }
}

function probability(p) {
  return p < 0.0001 ? '< 0.0001' : String(Number(p.toPrecision(2)));
}

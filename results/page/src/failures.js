import { h, name, replace } from './dom.js';
import { label, many } from './format.js';
import { Section } from './section.js';

const SIGNALS = { 1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 4: 'SIGILL', 6: 'SIGABRT', 7: 'SIGBUS', 8: 'SIGFPE', 9: 'SIGKILL', 11: 'SIGSEGV', 13: 'SIGPIPE', 15: 'SIGTERM' };
const SHOWN = 25;

export class Failures extends Section {
  constructor(app) {
    super(app, 'failures', 'Failures');
    this.limit = SHOWN;
  }

  applies(model) {
    return model.doc.failures.length > 0;
  }

  end(f) {
    return f.signal ? SIGNALS[f.signal] || `signal ${f.signal}` : f.exit_status !== null ? `exit status ${f.exit_status}` : '';
  }

  draw(view) {
    const m = view.model, all = m.doc.failures;
    const rows = all.filter(f => !m.rowOf.has(f.trial) || view.shownSet.has(m.rowOf.get(f.trial)));
    const reasons = new Map();
    rows.forEach(f => reasons.set(f.reason, (reasons.get(f.reason) || 0) + 1));
    const failed = view.shown.filter(i => m.trials.status[i] === 'failed').length;
    const shown = this.app.state.print ? rows : rows.slice(0, this.limit);
    replace(this.note, `${many(rows.length, 'attempt')} did not complete`, m.doc.failures_more ? ` (and ${m.doc.failures_more} more, which are only in results.db)` : '',
      `; ${many(failed, 'trial')} failed for good.`, reasons.has('interrupted') ? ' An attempt that was interrupted, and later went on, is here too.' : '');
    replace(this.body,
      h('ul', { class: 'tally' }, [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, n]) => h('li', {}, h('b', {}, n), ' ', name(label(reason))))),
      h('div', { class: 'scroll' }, h('table', { class: 'data' },
        h('thead', {}, h('tr', {}, ['Trial', 'Point', 'Attempt', 'Reason', 'What was said'].map(t => h('th', { scope: 'col' }, t)))),
        h('tbody', {}, shown.map(f => {
          const row = m.rowOf.get(f.trial);
          return h('tr', { 'data-key': `${f.trial}.${f.attempt}` }, h('td', {}, row === undefined ? `#${f.trial}` : this.trialButton(row)),
            h('td', {}, row === undefined ? '' : name(m.labels[row])), h('td', {}, f.attempt),
            h('td', {}, name(label(f.reason)), this.end(f) && h('div', { class: 'more' }, this.end(f))),
            h('td', { class: 'said' }, name(label(f.message || '', 400)),
              f.log_tail.trim() && h('details', {}, h('summary', {}, 'End of its output'), h('pre', { tabindex: 0 }, f.log_tail))));
        })))),
      shown.length < rows.length && h('button', { type: 'button', class: 'wide', onclick: () => { this.limit = Infinity; this.draw(view); } }, `Show all ${rows.length}`));
  }
}

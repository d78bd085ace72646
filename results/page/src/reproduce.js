import { h, name, replace } from './dom.js';
import { date, label, many } from './format.js';
import { Section } from './section.js';

function copyButton(text) {
  return h('button', {
    type: 'button', class: 'copy', onclick: async event => {
      const button = event.currentTarget;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Select and copy by hand';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    },
  }, 'Copy');
}

export class Reproduce extends Section {
  constructor(app) {
    super(app, 'reproduce', 'How to run it again', 'Run again');
  }

  applies() {
    return true;
  }

  draw(view) {
    const m = view.model, doc = m.doc, file = `${doc.sweep.name}.json`;
    const seeds = [...new Set(m.trials.seed)];
    const command = `besom plan ${file}\nbesom run ${file}`;
    const row = (term, ...value) => h('tr', {}, h('th', { scope: 'row' }, term), h('td', {}, value));
    replace(this.note, 'Save the sweep file under the name below and run it. With the same version, trainer and machine every metric comes out with the same bits, whatever the number of workers.');
    replace(this.body,
      h('div', { class: 'code' }, h('div', { class: 'code-head' }, h('span', {}, 'Commands'), copyButton(command)), h('pre', { tabindex: 0 }, command)),
      h('div', { class: 'code' }, h('div', { class: 'code-head' }, h('span', {}, label(file)), copyButton(doc.sweep.file)), h('pre', { tabindex: 0 }, doc.sweep.file)),
      h('table', { class: 'plain' }, h('tbody', {},
        row('besom', doc.besom),
        row('Trainer', h('code', {}, doc.sweep.trainer.map(a => label(a, 200)).join(' ')),
          doc.run.programs.map(p => h('div', { class: 'more' }, name(label(p, 200))))),
        doc.run.numerics.length > 0 && row('Numerics', doc.run.numerics.map(p => h('div', {}, name(label(p, 300))))),
        row('Seeds', seeds.length > 12 ? `${seeds.slice(0, 12).join(', ')} and ${seeds.length - 12} more` : seeds.join(', ')),
        row('Trials', `${many(m.n, 'trial')} in ${many(doc.run.attempts, 'attempt')}`),
        row('Planned', date(doc.sweep.planned_at)), row('Ran', `${date(doc.run.first)} to ${date(doc.run.last)}`),
        row('This page', `made ${date(doc.made_at)}`, m.stride > 1 ? `; curves show every ${m.stride}th epoch and the last` : ''))));
  }
}

// Which trials all figures show: a box with the levels of each axis.
import { h, name, replace } from './dom.js';
import { many } from './format.js';

export class Filter {
  constructor(onchange) {
    this.onchange = onchange;
    this.hidden = new Map(); // path -> names of the groups that are not shown
    this.summary = h('summary', {}, 'All trials');
    this.panel = h('div', { class: 'panel' });
    this.element = h('div', { class: 'control' }, h('span', { class: 'label' }, 'Trials shown'), h('details', { class: 'filter' }, this.summary, this.panel));
    const details = this.element.querySelector('details');
    document.addEventListener('click', event => {
      if (!details.contains(event.target)) {
        details.open = false;
      }
    });
    details.addEventListener('keydown', event => {
      if (event.key === 'Escape' && details.open) {
        details.open = false;
        this.summary.focus();
      }
    });
  }

  set(model) {
    for (const path of this.hidden.keys()) {
      if (!model.varying.some(a => a.path === path)) {
        this.hidden.delete(path);
      }
    }
    const box = (axis, group) => {
      const input = h('input', { type: 'checkbox', onchange: event => this.toggle(axis.path, group, !event.target.checked) });
      input.checked = !(this.hidden.get(axis.path) || new Set()).has(group);
      return h('label', { class: 'check' }, input, name(group));
    };
    replace(this.panel, model.varying.map(a => h('fieldset', {}, h('legend', {}, name(a.label)), a.groups.map(g => box(a, g)))),
      h('button', { type: 'button', onclick: () => { this.hidden.clear(); this.set(model); this.onchange(); } }, 'Show all'));
    this.element.hidden = model.varying.length === 0;
  }

  toggle(path, group, hide) {
    const set = this.hidden.get(path) || new Set();
    set[hide ? 'add' : 'delete'](group);
    this.hidden.set(path, set);
    this.onchange();
  }

  say(view) {
    replace(this.summary, view.filtered ? `${view.shown.length} of ${many(view.model.n, 'trial')}` : 'All trials');
    this.summary.classList.toggle('on', view.filtered);
  }
}

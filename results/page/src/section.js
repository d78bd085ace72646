// What sections have in common: a heading, a line that says what is seen, controls, a body.
import { h } from './dom.js';

export class Section {
  constructor(app, id, title, short) {
    this.app = app;
    this.id = id;
    this.short = short || title;
    this.note = h('p', { class: 'note' });
    this.controls = h('div', { class: 'controls' });
    this.body = h('div', { class: 'body' });
    this.element = h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), this.note, this.controls, this.body);
  }

  /** Whether there is anything to show. */
  applies(model) {
    return model.metrics.length > 0;
  }

  /** A button that opens a trial. */
  trialButton(row, text) {
    const number = this.app.model.trials.trial[row];
    return h('button', { type: 'button', class: 'link', 'aria-label': `trial ${number}`, onclick: () => this.app.openTrial(row) }, text || `#${number}`);
  }
}

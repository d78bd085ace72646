// The page: a header, what is chosen for all figures, and a section a figure.
//
// Data come as one document (results/report.h), from the page itself, from the stream of besom serve, by
// `besom.update(document)`, or as the detail of an event "besom:data": then all is drawn anew and what the reader has chosen stays.
import { resizeNow } from './charts.js';
import { Choice, h, replace, Select } from './dom.js';
import { label } from './format.js';
import { Live } from './live.js';
import { Model, View } from './model.js';
import { theme } from './palette.js';
import { TrialDialog } from './trial.js';
import { Filter } from './filter.js';
import { Overview } from './overview.js';
import { Curves } from './curves.js';
import { Leaderboard } from './leaderboard.js';
import { Effects } from './effects.js';
import { HeatMap } from './heatmap.js';
import { Parallel } from './parallel.js';
import { Scatter } from './scatter.js';
import { Layers } from './layers.js';
import { Failures } from './failures.js';
import { Reproduce } from './reproduce.js';

class App {
  /** live: the data are to be had from besom serve */
  constructor(root, live) {
    this.root = root;
    this.stream = live ? new Live(this) : null;
    this.state = { metric: null, at: 'best', hidden: new Map(), print: false };
    this.dialog = new TrialDialog(this);
    this.sections = [Overview, Curves, Leaderboard, Effects, HeatMap, Parallel, Scatter, Layers, Failures, Reproduce].map(S => new S(this));
    this.build();
    this.watch();
  }

  build() {
    this.metric = new Select('Metric', value => this.choose({ metric: value }));
    this.at = new Choice('Value of a trial', [{ value: 'best', label: 'best epoch' }, { value: 'last', label: 'last epoch' }], 'best',
      value => this.choose({ at: value }));
    this.filter = new Filter(() => this.choose({ hidden: this.filter.hidden }));
    this.scheme = new Choice('Colours', [{ value: 'auto', label: 'Auto' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }],
      this.storedScheme(), value => this.setScheme(value));
    this.setScheme(this.scheme.value, true);
    this.title = h('h1', {});
    this.lead = h('p', { class: 'lead' });
    this.links = this.sections.map(s => h('a', { href: `#${s.id}`, onclick: () => this.drawUpTo(s) }, s.short));
    this.nav = h('nav', { 'aria-label': 'Sections' }, h('ul', {}, this.links.map(a => h('li', {}, a))));
    this.bar = h('div', { class: 'bar', role: 'group', 'aria-label': 'For all figures' }, this.metric.element, this.at.element, this.filter.element);
    for (const part of [this.bar, ...this.sections.map(s => s.element), ...this.links.map(a => a.parentElement)]) {
      part.hidden = true; // until there are data
    }
    this.live = h('p', { class: 'visually-hidden', role: 'status' });
    replace(this.root,
      h('header', { class: 'top' }, h('div', { class: 'brand' }, h('span', { class: 'word' }, 'besom'), this.stream ? ' live' : ' report', this.stream && this.stream.element), this.scheme.element, this.title, this.lead),
      this.nav, h('main', {}, this.sections[0].element, this.bar, this.sections.slice(1).map(s => s.element)),
      h('footer', {}, this.foot = h('p', {})), this.dialog.element, this.live);
  }

  /** A section is drawn when it comes near the window, and again when it has changed since. */
  watch() {
    const near = new IntersectionObserver(entries => {
      for (const e of entries) {
        const section = this.sections.find(s => s.element === e.target);
        section.near = e.isIntersecting;
        this.draw(section);
      }
    }, { rootMargin: '400px 0px' });
    const seen = new IntersectionObserver(entries => {
      for (const e of entries.filter(x => x.isIntersecting)) {
        this.sections.forEach((s, i) => this.links[i].toggleAttribute('aria-current', s.element === e.target));
      }
    }, { rootMargin: '-20% 0px -70% 0px' });
    for (const s of this.sections) {
      near.observe(s.element);
      seen.observe(s.element);
    }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
    addEventListener('beforeprint', () => this.print(true));
    addEventListener('afterprint', () => this.print(false));
    document.addEventListener('besom:data', event => this.update(event.detail));
  }

  update(doc) {
    const first = !this.model;
    this.model = new Model(doc);
    const m = this.model, name = label(doc.sweep.name);
    document.title = `${name}, besom ${this.stream ? 'live' : 'report'}`;
    this.bar.hidden = false;
    replace(this.title, name);
    replace(this.lead, doc.sweep.description ? label(doc.sweep.description, 300) : '');
    this.lead.hidden = !doc.sweep.description;
    this.metric.set(m.metrics.map(x => ({ value: x.name, label: x.label })), doc.sweep.metric);
    this.state.metric = this.metric.value || null;
    this.filter.set(m);
    this.state.hidden = this.filter.hidden;
    replace(this.foot, 'Charts by Apache ECharts, © The Apache Software Foundation, under the Apache License 2.0. ',
      this.stream ? 'Everything on this page comes from besom serve.' : 'Everything on this page is in this one file.');
    this.sections.forEach((s, i) => {
      const there = s.applies(m);
      s.element.hidden = !there;
      this.links[i].parentElement.hidden = !there;
    });
    this.choose({});
    const asked = first && this.sections.find(s => location.hash === `#${s.id}`);
    if (asked) { // there was nothing to go to until now
      this.drawUpTo(asked);
      asked.element.scrollIntoView({ behavior: 'instant' });
    }
  }

  choose(change) {
    Object.assign(this.state, change);
    this.view = new View(this.model, this.state);
    this.filter.say(this.view);
    this.redraw();
    if (Object.keys(change).length) {
      this.live.textContent = `${this.view.metric ? this.view.metric.label : ''}, ${this.view.shown.length} trials`;
    }
  }

  redraw() {
    this.colors = theme();
    for (const s of this.sections) {
      s.stale = true;
      this.draw(s);
    }
    if (this.model) {
      this.dialog.redraw(this.view, this.colors);
    }
  }

  draw(section, now) {
    if (this.model && section.stale && !section.element.hidden && (section.near || section.eager || now || this.state.print)) {
      section.stale = false;
      section.draw(this.view, this.colors);
    }
  }

  /** Before somebody goes to `target`: what stands above it would grow on the way there, and push it out of sight. */
  drawUpTo(target) {
    this.sections.slice(0, this.sections.indexOf(target) + 1).forEach(s => this.draw(s, true));
  }

  /** All of it at once, as for paper. */
  print(on) {
    this.state.print = on;
    document.documentElement.toggleAttribute('data-print', on);
    this.redraw();
    resizeNow();
  }

  storedScheme() {
    try {
      return ['light', 'dark'].find(s => s === localStorage.getItem('besom-colours')) || 'auto';
    } catch { // a file may have no storage
      return 'auto';
    }
  }

  setScheme(value, quiet) {
    document.documentElement.dataset.scheme = value;
    if (!quiet) {
      try {
        localStorage.setItem('besom-colours', value);
      } catch { /* then it lasts as long as the page */ }
      this.redraw();
    }
  }

  openTrial(row) {
    this.dialog.open(row, this.view, this.colors);
  }
}

const data = JSON.parse(document.getElementById('besom-data').textContent.trim() || 'null');
const app = new App(document.getElementById('app'), data && data.live);
window.besom = { update: doc => app.update(doc), print: on => app.print(on) };
if (data && !data.live) {
  app.update(data);
}

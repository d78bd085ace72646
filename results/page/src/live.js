// Under besom serve the data come as a stream of server-sent events (cli/serve_feed.h), each document whole: the newest
// takes the place of the one before.  Drawing takes a fifth of the time at most, and waits while a button of the mouse is
// down, so that nothing is pulled from under it.  A page that is not seen listens to nothing: browsers have few connections
// to a server.
import { h, replace } from './dom.js';
import { label } from './format.js';

const SILENT_MS = 30000; // three pulses that did not come
const AGAIN_MS = 5000; // after a refusal; after a loss the browser tries again by itself
const REST = 4; // times as long as drawing took

export class Live {
  constructor(app) {
    this.app = app;
    this.dot = h('span', { class: 'dot' });
    this.state = h('span', { role: 'status' });
    this.updated = h('span', {});
    this.element = h('span', { class: 'live' }, this.dot, this.state, this.updated);
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    const release = () => { this.held = false; this.draw(); };
    addEventListener('pointerdown', () => { this.held = true; }, true);
    addEventListener('pointerup', release, true);
    addEventListener('pointercancel', release, true);
    addEventListener('blur', release); // of the window: elsewhere it may be let go
    setInterval(() => this.check(), 1000);
    this.say();
    this.open();
  }

  open() {
    this.close();
    const source = this.source = new EventSource(`${location.pathname.replace(/\/$/, '')}/events`);
    const on = (event, act) => source.addEventListener(event, e => { this.heard = Date.now(); act(e); this.say(); });
    this.heard = Date.now();
    on('open', () => { this.lost = false; });
    on('document', e => { this.pending = e.data; this.draw(); });
    on('status', e => { this.trouble = JSON.parse(e.data).trouble; });
    on('pulse', () => {});
    on('error', () => { this.lost = true; });
  }

  close() {
    if (this.source) {
      this.source.close();
      this.source = null;
    }
  }

  /** Once a second: whether the stream has ended for good, or only seems to stand. */
  check() {
    const silent = Date.now() - this.heard;
    if (this.source && (silent > SILENT_MS || (this.source.readyState === EventSource.CLOSED && silent > AGAIN_MS))) {
      this.lost = true;
      this.open();
      this.say();
    }
    this.draw();
  }

  draw() {
    if (!this.pending || this.held || performance.now() < this.restUntil) {
      return;
    }
    const began = performance.now(), doc = JSON.parse(this.pending);
    this.pending = null;
    this.app.update(doc);
    this.active = doc.run.active;
    this.at = new Date(doc.made_at).toTimeString().slice(0, 8);
    this.restUntil = performance.now() + REST * (performance.now() - began);
    this.say();
  }

  say() {
    const [dot, words] = this.lost ? ['failed', 'Connection lost, trying again'] : this.trouble ? ['paused', label(this.trouble, 400)]
      : !this.at ? ['pending', 'Connecting'] : this.active ? ['running', 'Live, a run is going on'] : ['complete', 'Live, no run is going on'];
    const bad = dot === 'failed' || dot === 'paused';
    this.dot.className = `dot ${dot}`;
    this.element.classList.toggle('bad', bad); // seen wherever the page is scrolled to
    replace(this.state, words);
    replace(this.updated, !this.at ? '' : bad ? `; what is shown is of ${this.at}` : `, updated ${this.at}`);
  }
}

// Elements out of data.  Text only ever becomes text: nothing here, nor anywhere in the page, parses markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name === 'style') { // a style attribute would be refused by the page's policy
      for (const [property, setting] of Object.entries(value)) {
        element.style.setProperty(property, setting);
      }
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
}

/** h('p', {class: 'note'}, 'text', element, [more]) */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

export function replace(element, ...children) {
  element.textContent = '';
  add(element, children);
  return element;
}

/** A name out of the data: isolated, so that right-to-left marks in it turn nothing around. */
export function name(text) {
  return h('bdi', { class: 'name' }, text);
}

let counter = 0;
export function unique(prefix) {
  return `${prefix}-${++counter}`;
}

/** A labelled <select>.  options: [{value, label}]; keeps its value over set() where that is still there. */
export class Select {
  constructor(label, onchange) {
    const id = unique('select');
    this.input = h('select', { id, onchange: () => onchange(this.value) });
    this.element = h('div', { class: 'control' }, h('label', { for: id }, label), this.input);
  }

  set(options, initial) {
    const before = this.input.options.length ? this.input.value : undefined;
    replace(this.input, options.map(o => h('option', { value: o.value }, o.label)));
    const known = value => options.some(o => String(o.value) === String(value));
    this.input.value = known(before) ? before : known(initial) ? initial : options.length ? options[0].value : '';
    this.element.hidden = options.length < 2;
    return this;
  }

  get value() {
    return this.input.value;
  }

  set value(value) {
    this.input.value = value;
  }
}

/** A row of buttons of which one is pressed. */
export class Choice {
  constructor(label, options, initial, onchange) {
    this.value = initial;
    this.buttons = options.map(o => h('button', {
      type: 'button', 'aria-pressed': String(o.value === initial), onclick: () => {
        this.pick(o.value);
        onchange(o.value);
      },
    }, o.label));
    this.options = options;
    this.element = h('div', { class: 'control' }, h('span', { class: 'label' }, label),
      h('div', { class: 'choice', role: 'group', 'aria-label': label }, this.buttons));
  }

  pick(value) {
    this.value = value;
    this.options.forEach((o, i) => this.buttons[i].setAttribute('aria-pressed', String(o.value === value)));
  }
}

/** A labelled checkbox. */
export class Check {
  constructor(label, initial, onchange) {
    this.input = h('input', { type: 'checkbox', onchange: () => onchange(this.value) });
    this.input.checked = initial;
    this.element = h('label', { class: 'check' }, this.input, label);
  }

  get value() {
    return this.input.checked;
  }
}

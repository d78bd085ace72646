// Elements out of data.  Text only ever becomes text: nothing here, nor anywhere in the page, parses markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      element[name] = value; // a property, so that patch() can hand it on
    } else if (name === 'style') { // a style attribute would be refused by the page's policy
      for (const [property, setting] of Object.entries(value)) {
        element.style.setProperty(property, setting);
      }
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...nodesOf(children));
  return element;
}

function nodesOf(children) {
  return children.flat(Infinity).filter(c => c !== undefined && c !== null && c !== false)
    .map(c => (c instanceof Node ? c : document.createTextNode(String(c))));
}

/** h('p', {class: 'note'}, 'text', element, [more]) */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

const keyOf = node => (node.dataset ? node.dataset.key : undefined);
const owned = new WeakSet();

/** For an element that a program holds on to and changes by itself: it is shown as it is, and never becomes another. */
export function own(element) {
  owned.add(element);
  return element;
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.type === b.type && keyOf(a) === keyOf(b) && !owned.has(a) && !owned.has(b);

/** Makes `old` what `node`, which is alike, is: attributes, handlers, children.  Whether a <details> is open is the reader's affair. */
function become(old, node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) {
      old.data = node.data;
    }
    return;
  }
  for (const { name: attribute, value } of node.attributes) {
    if (attribute === 'style') { // see fill()
      old.style.cssText = node.style.cssText;
    } else if (old.getAttribute(attribute) !== value) {
      old.setAttribute(attribute, value);
    }
  }
  for (const { name: attribute } of [...old.attributes]) {
    if (!node.hasAttribute(attribute) && attribute !== 'open') {
      old.removeAttribute(attribute);
    }
  }
  for (const handler of ['onclick', 'onchange', 'oninput', 'onkeydown']) {
    old[handler] = node[handler];
  }
  if (node.nodeName === 'INPUT') {
    old.checked = node.checked;
  }
  patch(old, [...node.childNodes]);
}

function patch(parent, nodes) {
  const wanted = new Set(nodes), keys = new Set(nodes.map(keyOf)), keyed = new Map();
  for (const child of [...parent.children]) {
    if (keyOf(child) !== undefined && !keys.has(keyOf(child))) {
      child.remove();
    } else if (keyOf(child) !== undefined) {
      keyed.set(keyOf(child), child);
    }
  }
  let at = parent.firstChild;
  for (const node of nodes) {
    const key = keyOf(node), old = node.parentNode === parent ? node : key === undefined ? at : keyed.get(key);
    if (!old || (old !== node && (wanted.has(old) || !alike(old, node)))) {
      parent.insertBefore(node, at);
      continue;
    }
    keyed.delete(key);
    if (old === at) {
      at = at.nextSibling;
    } else {
      parent.insertBefore(old, at);
    }
    if (old !== node) {
      become(old, node);
    }
  }
  while (at) {
    const rest = at;
    at = at.nextSibling;
    rest.remove();
  }
}

/** Makes these the children of `element`.  What stands there and is alike stays, and takes over what differs: so focus,
 *  marked text, opened details and scroll positions outlive a redraw.  Where the order of a list may change, `data-key` says
 *  which child is which.  The handlers of what is passed must not refer to it: the event knows the element that is shown. */
export function replace(element, ...children) {
  const focus = document.activeElement;
  patch(element, nodesOf(children));
  if (focus && focus !== document.activeElement && focus.isConnected) { // it was moved
    focus.focus({ preventScroll: true });
  }
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
    this.element = own(h('div', { class: 'control' }, h('label', { for: id }, label), this.input));
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
    this.element = own(h('div', { class: 'control' }, h('span', { class: 'label' }, label),
      h('div', { class: 'choice', role: 'group', 'aria-label': label }, this.buttons)));
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
    this.element = own(h('label', { class: 'check' }, this.input, label));
  }

  get value() {
    return this.input.checked;
  }
}

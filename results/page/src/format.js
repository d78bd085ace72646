// Numbers, times and texts as people read them.

/** Four significant digits; "–" for what is missing. */
export function num(value) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return '–';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? '∞' : '−∞';
  }
  const size = Math.abs(value);
  let text;
  if (Number.isInteger(value) && size < 1e6) {
    text = String(value);
  } else if (size >= 1e6 || size < 1e-4) {
    text = value.toExponential(3).replace('e+', 'e');
  } else if (size >= 9999.5) {
    text = value.toFixed(0);
  } else {
    text = value.toPrecision(4);
    text = text.includes('e') ? value.toFixed(0) : text;
  }
  return text.replace('-', '−');
}

/** How far a mean may be off: two significant digits. */
export function spread(value) {
  return Number.isFinite(value) ? tick(Number(value.toPrecision(2))) : '–';
}

/** As short as it goes, for the ticks of an axis. */
export function tick(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e5 || size < 1e-3) ? value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e')
    : String(Number(value.toPrecision(4)));
  return text.replace('-', '−');
}

export function percent(share) {
  return Number.isFinite(share) ? `${num(100 * share)} %` : '–';
}

export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ' '); // a thin space
}

/** n of something: count and noun. */
export function many(n, noun, plural = `${noun}s`) {
  return `${count(n)} ${n === 1 ? noun : plural}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) {
    return '–';
  }
  if (seconds < 60) {
    return `${num(Number(seconds.toPrecision(3)))} s`;
  }
  const minutes = Math.round(seconds / 60), hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min` : hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "2026-05-17T20:14:03Z" as "2026-05-17 20:14 UTC" */
export function date(iso) {
  return iso ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : '–';
}

/** Without control characters, and not longer than a label may be. */
export function label(text, max = 60) {
  const plain = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
  return plain.length > max ? `${plain.slice(0, max - 1)}…` : plain;
}

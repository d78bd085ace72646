// A small line chart as SVG, for where many stand side by side.
import { h, svg } from './dom.js';
import { tick } from './format.js';
import { dashArray } from './palette.js';
import { extent, ticks } from './stats.js';

/** series: [{name, color, dash, points: [[x, y]]}]; log: of y; range: [low, high] of y where it is shared */
export function lineChart({ title, series, log, range, xRange, xNames, width = 250, height = 150, alt }) {
  const usable = v => Number.isFinite(v) && (!log || v > 0), f = v => (log ? Math.log10(v) : v);
  const xs = xRange || extent(series.flatMap(s => s.points.map(p => p[0])));
  let [low, high] = range || extent(series.flatMap(s => s.points.map(p => p[1]).filter(usable)));
  if (!(low <= high)) {
    return h('figure', { class: 'mini' }, h('figcaption', {}, title), h('p', { class: 'empty' }, 'no values'));
  }
  [low, high] = [f(low), f(high)];
  if (low === high) {
    const pad = log ? 0.5 : Math.abs(low) * 0.1 || 0.5;
    [low, high] = [low - pad, high + pad];
  }
  const left = 38, right = 6, top = 6, bottom = 18;
  const x = v => left + (xs[1] > xs[0] ? (v - xs[0]) / (xs[1] - xs[0]) : 0.5) * (width - left - right);
  const y = v => top + (high - f(v)) / (high - low) * (height - top - bottom);
  const marks = log ? ticks(Math.floor(low), Math.ceil(high), Math.min(4, Math.ceil(high) - Math.floor(low))).filter(t => Number.isInteger(t) && t >= low - 1e-9 && t <= high + 1e-9).map(t => 10 ** t) : ticks(low, high, 3);
  const xMarks = xNames ? [] : ticks(xs[0], xs[1], 4).filter(Number.isInteger);
  const path = points => {
    let d = '', pen = false;
    for (const [px, py] of points) {
      if (usable(py)) {
        d += `${pen ? 'L' : 'M'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
        pen = true;
      } else {
        pen = false;
      }
    }
    return d;
  };
  return h('figure', { class: 'mini' }, title && h('figcaption', {}, title),
    svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': alt || '' },
      marks.map(t => [svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(t), y2: y(t) }), svg('text', { class: 'tick', x: left - 5, y: y(t) + 3, 'text-anchor': 'end' }, tick(t))]),
      (xNames || xMarks).map((t, i) => svg('text', { class: 'tick', x: x(xNames ? i : t), y: height - 4, 'text-anchor': 'middle' }, xNames ? t : tick(t))),
      svg('line', { class: 'base', x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      series.map(s => [svg('path', { class: 'curve', d: path(s.points), stroke: s.color, 'stroke-dasharray': dashArray(s.dash) }, svg('title', {}, s.name)),
        s.points.length < 2 || xNames ? s.points.filter(p => usable(p[1])).map(p => svg('circle', { cx: x(p[0]), cy: y(p[1]), r: 2.2, fill: s.color })) : []])));
}

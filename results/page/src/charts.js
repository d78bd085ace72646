// The interactive charts: Apache ECharts on canvas, in the page's own colours and with its own hover boxes, which
// are elements made of text.
import * as echarts from 'echarts/core';
import { CustomChart, LineChart, ParallelChart, ScatterChart } from 'echarts/charts';
import { DataZoomComponent, GridComponent, ParallelComponent, ToolboxComponent, TooltipComponent } from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';
import { h, own, svg } from './dom.js';
import { dashArray } from './palette.js';
import { tick } from './format.js';

echarts.use([CanvasRenderer, CustomChart, DataZoomComponent, GridComponent, LineChart, ParallelChart, ParallelComponent,
  ScatterChart, ToolboxComponent, TooltipComponent]);

const all = new Set();

export class Chart {
  constructor(height, onkey) {
    this.element = own(h('div', { class: 'chart', role: 'img', tabindex: 0, style: { height: `${height}px` } }));
    this.onkey = onkey;
    if (onkey) {
      this.element.addEventListener('keydown', event => {
        if (onkey(event.key, this)) {
          event.preventDefault();
        }
      });
    }
    all.add(this);
  }

  /** Draws the option; `alt` says the same in words.  `frame` names what the axes show: as long as that is the same, what was
   *  zoomed in to and what was chosen along an axis stay, and so does the hover box under the mouse. */
  draw(option, alt, frame) {
    if (!this.chart) {
      this.open();
    }
    const same = this.frame === frame, zooms = same ? this.zooms() : [], chosen = same ? this.chosen() : [];
    this.frame = frame;
    this.element.setAttribute('aria-label', alt);
    this.chart.setOption({ animation: false, ...option }, { notMerge: true });
    zooms.forEach(zoom => this.action({ type: 'dataZoom', ...zoom }));
    chosen.forEach((intervals, i) => intervals.length && this.action({ type: 'axisAreaSelect', parallelAxisIndex: i, intervals }));
    if (this.mouse) {
      this.action({ type: 'showTip', ...this.mouse });
    }
  }

  open() {
    this.chart = echarts.init(this.element, null, { renderer: 'canvas' });
    for (const [event, handler] of this.handlers || []) {
      this.chart.on(event, handler);
    }
    this.chart.getZr().on('mousemove', event => { this.mouse = { x: event.offsetX, y: event.offsetY }; });
    if (this.onkey) { // so that keys are for the chart that was dragged over; the mouse alone gives it no focus
      this.chart.getZr().on('mousedown', () => this.element.focus({ preventScroll: true }));
    }
    this.chart.getZr().on('globalout', () => { this.mouse = null; });
  }

  /** Parts of axes that are zoomed in to: by values, so that they stay when the axis grows.  On a log scale echarts takes shares only. */
  zooms() {
    const option = this.chart.getOption();
    return (option.dataZoom || []).slice(0, 2).map((z, i) => [z, i]).filter(([z]) => z.start > 0 || z.end < 100).map(([z, i]) => {
      const axis = z.xAxisIndex === undefined ? option.yAxis[0] : option.xAxis[0];
      return { dataZoomIndex: i, ...(axis.type === 'log' ? { start: z.start, end: z.end } : { startValue: z.startValue, endValue: z.endValue }) };
    });
  }

  /** What is chosen along each parallel axis: [[low, high], ...] */
  chosen() {
    return (this.chart.getOption().parallelAxis || []).map((_, i) => this.chart.getModel().getComponent('parallelAxis', i).activeIntervals);
  }

  /** The next drawing shows all again. */
  forget() {
    this.frame = undefined;
  }

  on(event, handler) {
    (this.handlers = this.handlers || []).push([event, handler]);
    return this;
  }

  action(payload) {
    if (this.chart) {
      this.chart.dispatchAction(payload);
    }
  }

  resize() {
    if (this.chart && this.element.clientWidth > 0) {
      this.chart.resize();
    }
  }

  /** Dragging over the chart zooms. */
  armZoom() {
    this.action({ type: 'takeGlobalCursor', key: 'dataZoomSelect', dataZoomSelectActive: true });
  }

  set height(pixels) {
    this.element.style.height = `${pixels}px`;
    this.resize();
  }
}

let pending = 0;
function resizeAll() {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(() => all.forEach(chart => chart.resize()));
}
export function resizeNow() {
  all.forEach(chart => chart.resize());
}
addEventListener('resize', resizeAll);

export function tooltip(colors, formatter, more) {
  return {
    renderMode: 'html', confine: true, transitionDuration: 0, enterable: false, padding: 0, borderWidth: 0,
    backgroundColor: 'transparent', extraCssText: 'box-shadow:none', className: 'tip-frame', formatter, ...more,
  };
}

/** A hover box: a title and rows of [swatch or nothing, name, value]. */
export function tip(title, rows, foot) {
  return h('div', { class: 'tip' }, h('div', { class: 'tip-title' }, title),
    h('table', {}, rows.map(([mark, label, value, small]) => h('tr', {}, h('td', {}, mark), h('td', { class: 'tip-name' }, h('bdi', {}, label)),
      h('td', { class: 'figure' }, value), h('td', { class: 'tip-small' }, small || '')))), foot && h('div', { class: 'tip-foot' }, foot));
}

export function swatch(style) {
  return svg('svg', { class: 'swatch', width: 22, height: 8, 'aria-hidden': 'true' },
    svg('line', { x1: 1, y1: 4, x2: 21, y2: 4, stroke: style.color, 'stroke-width': 2.5, 'stroke-dasharray': dashArray(style.dash), 'stroke-linecap': 'butt' }));
}

export function spot(style) {
  return svg('svg', { class: 'swatch', width: 10, height: 10, 'aria-hidden': 'true' }, svg('circle', { cx: 5, cy: 5, r: 4.5, fill: style.color }));
}

export function axis(colors, title, more) {
  return {
    name: title, nameLocation: 'middle', nameGap: 30, nameTextStyle: { color: colors.muted, fontFamily: colors.font, fontSize: 12 },
    axisLine: { show: false }, axisTick: { show: false }, minorTick: { show: false },
    axisLabel: { color: colors.muted, fontFamily: colors.font, fontSize: 11, formatter: tick, hideOverlap: true },
    splitLine: { lineStyle: { color: colors.grid, width: 1 } }, ...more,
  };
}

/** The invisible tool that drag zooming hangs on. */
export const zoomTool = {
  show: true, itemSize: 0, right: -100, top: -100, feature: { dataZoom: { show: true, filterMode: 'none', brushStyle: { color: 'rgba(90,140,190,0.18)', borderWidth: 0 } } },
};

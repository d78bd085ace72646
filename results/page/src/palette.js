// Colours.  Lines: eight that also people with colour-blindness tell apart (after Paul Tol's schemes), then the same
// dashed, then dotted.  Shades: one hue from paper to ink, so that darker (on dark: lighter) is more.

const LIGHT = ['#0b6fb8', '#cc5500', '#11773f', '#a8327a', '#2fa3d0', '#8f7000', '#3a2f8f', '#7d7d78'];
const DARK = ['#57aef0', '#f0914f', '#4fc487', '#e48cc4', '#9adcf7', '#dfbf49', '#ab9df0', '#a3a39d'];
const DASHES = ['solid', [6, 4], [2, 3]];

/** Colours of the page as they are now, out of its style sheet. */
export function theme() {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const read = variable => {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  };
  const out = {
    dark: getComputedStyle(document.documentElement).getPropertyValue('--dark').trim() === '1',
    ink: read('--ink'), muted: read('--muted'), line: read('--line'), grid: read('--grid'), paper: read('--paper'), accent: read('--accent'),
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  out.lines = out.dark ? DARK : LIGHT;
  return out;
}

export function lineStyle(colors, index) {
  const n = colors.lines.length;
  return { color: colors.lines[index % n], dash: DASHES[Math.floor(index / n) % DASHES.length] };
}

/** CSS classes cannot know the data's colours: a swatch draws itself. */
export function dashArray(dash) {
  return Array.isArray(dash) ? dash.join(' ') : 'none';
}

const RAMP_LIGHT = [[247, 245, 238], [203, 219, 226], [140, 181, 207], [64, 128, 176], [18, 72, 122]];
const RAMP_DARK = [[28, 33, 38], [27, 58, 86], [33, 96, 140], [84, 153, 198], [186, 222, 240]];

/** {background, ink} of a share from 0 to 1; NaN is blank. */
export function shade(colors, share) {
  if (!Number.isFinite(share)) {
    return { background: 'transparent', ink: colors.muted };
  }
  const ramp = colors.dark ? RAMP_DARK : RAMP_LIGHT, x = Math.max(0, Math.min(1, share)) * (ramp.length - 1);
  const i = Math.min(ramp.length - 2, Math.floor(x)), f = x - i;
  const rgb = ramp[i].map((c, k) => Math.round(c + f * (ramp[i + 1][k] - c)));
  const linear = rgb.map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return { background: `rgb(${rgb.join(',')})`, ink: luminance > 0.19 ? '#15181b' : '#ffffff', rgb };
}

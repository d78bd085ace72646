// The report's page in Chromium, as a reader uses it: every control, both colour schemes, a phone, a keyboard, paper.
//   CHROMIUM=... BESOM_NPM=... node report.mjs FOLDER     where report.sh has put its pages and their data
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browser, changes, clean, close, look, newPage, rowsOf, see, text } from './page.mjs';
import { times } from './times.mjs';

const folder = process.argv[2];
const data = name => JSON.parse(readFileSync(join(folder, `${name}.data`), 'utf8'));
const compared = name => JSON.parse(readFileSync(join(folder, `${name}.compare`), 'utf8'));

const mine = new AsyncLocalStorage(); // the pages of the test that is running

async function open(name, options = {}, part = '') {
  const address = `file://${join(folder, `${name}.html`)}`, page = await newPage(options, url => url === address);
  (mine.getStore() || []).push(page);
  await page.goto(address + part);
  return page;
}

/** How far a mean may be off stands with two digits. */
const isSpread = (shown, v, where) => assert.ok(v === null ? shown === '–' : shown !== '–' && Math.abs(Number(shown.replace('−', '-')) - v) <= 0.051 * Math.abs(v), `${where}: ${shown} for ${v}`);
const four = v => (Number.isInteger(v) ? String(v) : v.toPrecision(4));

/** Automatic, light and dark, on a system that is the one or the other. */
async function schemes(colorScheme) {
  const page = await open('real', { colorScheme });
  const colours = () => page.evaluate(() => {
    const read = v => { const e = document.createElement('i'); e.style.color = `var(${v})`; document.body.append(e); const c = getComputedStyle(e).color.match(/\d+/g).map(Number); e.remove(); return c; };
    return { paper: read('--paper'), ink: read('--ink'), muted: read('--muted'), accent: read('--accent'), bad: read('--bad') };
  });
  const luminance = rgb => rgb.map(c => c / 255).map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((s, c, i) => s + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const seen = [];
  for (const [scheme, dark] of [['Auto', colorScheme === 'dark'], ['Light', false], ['Dark', true]]) {
    await page.getByRole('button', { name: scheme, exact: true }).click();
    const c = await colours();
    assert.equal(luminance(c.paper) < 0.2, dark, scheme);
    for (const part of ['ink', 'muted', 'accent', 'bad']) {
      assert.ok(contrast(c[part], c.paper) >= 4.5, `${part} on paper, ${scheme}: ${contrast(c[part], c.paper)}`);
    }
    await see(page, 'curves');
    seen.push(await look(page, 'curves'));
  }
  assert.notEqual(seen[1], seen[2]);
  assert.equal(seen[0], seen[colorScheme === 'dark' ? 2 : 1]);
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.scheme), 'dark'); // remembered
  await close(page);
}

async function drag(page, from, to) {
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(...to, { steps: 5 });
  await page.mouse.up();
}

/** Moves over `chart` until the hover box names a trial: where, and what it says. */
async function markUnder(page, chart) {
  const box = await chart.boundingBox(), tip = chart.locator('.tip-title');
  await page.mouse.move(5, 5);
  await tip.waitFor({ state: 'hidden' }); // it outlasts the mouse a little
  for (let y = 50; y < box.height - 50; y += 7) {
    for (let x = 90; x < box.width - 90; x += 31) {
      await page.mouse.move(box.x + x, box.y + y);
      if (await tip.isVisible()) {
        return { at: [box.x + x, box.y + y], title: await tip.innerText() };
      }
    }
  }
  return assert.fail('nothing is under the mouse anywhere');
}

/** A click on a mark or a line opens the trial that the hover box names. */
async function opensTrial(page, chart) {
  const { at, title } = await markUnder(page, chart);
  await page.mouse.click(...at);
  await page.locator('dialog[open]').waitFor({ timeout: 5000 });
  assert.equal(await text(page, 'dialog h2'), title);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog[open]').count(), 0);
}

const tests = {
  async 'the figures are those of besom compare'() {
    for (const name of ['real', 'big']) {
      const page = await open(name), known = compared(name), metric = known.metric;
      await see(page, 'leaderboard');
      const rows = (await rowsOf(page, '#leaderboard')).filter(r => r[0] !== '–');
      const columns = await page.$$eval('#leaderboard thead th', hs => hs.map(h => h.innerText.replace(/[ ↑↓]+$/, '')));
      const at = columns.indexOf(metric), n = columns.indexOf('n');
      known.leaderboard.slice(0, rows.length).forEach((r, i) => {
        assert.equal(rows[i][at], four(r[metric]), `rank ${i + 1} of ${name}`);
        assert.equal(rows[i][n].split(' ')[0], String(r.n));
        isSpread(rows[i][columns.indexOf('std')], r.std, `std of rank ${i + 1} of ${name}`);
        isSpread(rows[i][columns.indexOf('±')], r.ci_high === null ? null : (r.ci_high - r.ci_low) / 2, `interval of rank ${i + 1} of ${name}`);
      });
      assert.equal(rows.length, Math.min(20, known.leaderboard.length));
      const group = columns.indexOf('group');
      known.points.slice(0, rows.length).forEach((p, i) => assert.equal(rows[i][group], p.group === null ? '–' : String(p.group), `group of rank ${i + 1} of ${name}`));
      await see(page, 'effects');
      for (const [path, levels] of Object.entries(known.axes)) {
        const shown = await page.$$eval('#effects .effect', (es, p) => [...es.find(e => e.querySelector('h3 bdi').innerText === p).querySelectorAll('tbody tr')].map(r => [...r.children].map(c => c.innerText)), path);
        const told = new Map(levels.map(l => [l[path], l]));
        assert.equal(shown.length, levels.length);
        const effects = new Map(known.effects[path].values.map(e => [e.value, e]));
        for (const [value, , mean, half, count, difference, , p, verdict] of shown) {
          const l = told.get(value);
          assert.ok(l, `${path} ${value}`);
          assert.equal(mean, l.mean === null || l[metric] === null ? '–' : four(l.mean ?? l[metric]), `${name} ${path} ${value}`);
          isSpread(half, l.ci_half, `${name} ${path} ${value}`);
          assert.match(count, /^\d+( of \d+)?$/);
          const e = effects.get(value);
          assert.equal(difference, e.difference && e.difference.mean !== null ? four(e.difference.mean).replace('-', '−') : e.difference ? '–' : '', `${name} ${path} ${value}`);
          assert.ok(verdict.startsWith(e.verdict === 'untested' ? 'too few' : e.verdict), `${name} ${path} ${value}: ${verdict}`);
          assert.ok(p === '' || p === '< 0.0001' || Math.abs(Number(p) - e.difference.p_holm) < 0.051 * e.difference.p_holm, p);
        }
      }
      const shares = await rowsOf(page, '#effects .importance');
      const most = [...known.importance.terms].sort((a, b) => b.share - a.share)[0];
      assert.equal(shares[0][0], most.axes.join(' × '));
      assert.equal(shares[0][2], `${(100 * most.share).toPrecision(4)} %`);
      // they are of the whole sweep at the best epochs: for anything else there are none
      await page.getByRole('button', { name: 'last epoch' }).click();
      assert.equal(await page.locator('#effects .importance, #effects .verdict').count(), 0);
      await close(page);
    }
  },

  async 'what is chosen for all figures'() {
    const page = await open('big');
    for (const id of ['curves', 'leaderboard', 'effects', 'heatmap', 'parallel']) {
      await see(page, id);
      await changes(page, id, 'the metric', () => page.getByLabel('Metric', { exact: true }).selectOption('val_loss'));
      await clean(page, id);
      await page.getByLabel('Metric', { exact: true }).selectOption('val_accuracy');
    }
    await see(page, 'leaderboard');
    await changes(page, 'leaderboard', 'the last epoch', () => page.getByRole('button', { name: 'last epoch' }).click());
    await page.getByRole('button', { name: 'best epoch' }).click();
    await page.locator('.filter summary').click();
    await changes(page, 'leaderboard', 'the filter', () => page.locator('.filter').getByLabel('tanh').uncheck());
    assert.match(await text(page, '.filter summary'), /^50 of 100 trials/);
    assert.equal((await rowsOf(page, '#leaderboard')).length, 10);
    await page.getByRole('button', { name: 'Show all', exact: true }).click();
    assert.equal((await rowsOf(page, '#leaderboard')).length, 20);
    await page.keyboard.press('Escape');
    await close(page);
  },

  async 'curves: groups, bands, scales, zoom, hover, legend'() {
    const page = await open('big'), section = page.locator('#curves');
    await see(page, 'curves');
    for (const by of ['activation', 'batch_size', 'grid point', 'replicate', 'nothing', 'optimizer']) {
      await changes(page, 'curves', `by ${by}`, () => section.getByLabel('Group by').selectOption({ label: by }));
    }
    for (const band of ['± std of trials', 'lowest to highest', 'none', '95% interval']) {
      await changes(page, 'curves', band, () => section.getByLabel('Band').selectOption({ label: band }));
    }
    await changes(page, 'curves', 'smoothing', () => section.getByLabel('Smoothing').fill('0.9'));
    await section.getByLabel('Smoothing').fill('0');
    for (const box of ['log scale', 'log epochs']) {
      await changes(page, 'curves', box, () => section.getByLabel(box).check());
      await changes(page, 'curves', `no ${box}`, () => section.getByLabel(box).uncheck());
    }
    const whole = await look(page, 'curves');
    await changes(page, 'curves', 'zooming in', () => section.getByLabel('Zoom in').click());
    await changes(page, 'curves', 'zooming out', () => section.getByLabel('Zoom out').click());
    await section.getByLabel('Show all epochs').click();
    const chart = section.locator('.chart'), box = await chart.boundingBox();
    await changes(page, 'curves', 'dragging', async () => {
      await page.mouse.move(box.x + 200, box.y + 60);
      await page.mouse.down();
      await page.mouse.move(box.x + 400, box.y + 200, { steps: 5 });
      await page.mouse.up();
    });
    await section.getByLabel('Show all epochs').click();
    await page.mouse.move(5, 5);
    for (let left = 50; left > 0 && await look(page, 'curves') !== whole; left--) { // what was said under the mouse goes by itself
      await page.waitForTimeout(60);
    }
    assert.equal(await look(page, 'curves'), whole, 'all is shown again');

    // The values of an epoch are means over trials, with n: under the mouse, and by the arrow keys.
    const d = data('big'), m = d.curves.metrics[0], values = new Float32Array(Uint8Array.from(atob(m.value), c => c.charCodeAt(0)).buffer);
    const adam = d.axes[0].levels.indexOf('adam lr=0.001');
    const mean = d.trials.levels[0].flatMap((l, i) => (l === adam ? [values[50 * i + 49]] : [])).reduce((a, b) => a + b) / 20;
    await chart.focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('.tip').first().waitFor();
    const tip = await text(page, '.tip');
    assert.match(tip, /^Epoch 50/);
    assert.ok(tip.includes(four(mean)), `${tip} has no ${four(mean)}`);
    assert.match(tip, /n = 20/);
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(() => document.querySelector('.tip').innerText.startsWith('Epoch 49'));
    await page.keyboard.press('+');
    await page.keyboard.press('0');
    await page.mouse.move(box.x + box.width / 2, box.y + 200);
    await page.waitForFunction(() => /^Epoch 2\d/.test(document.querySelector('.tip').innerText));

    assert.match(await text(page, '#curves .legend'), /adam lr=0\.001\s+0\.\d{4}\s+20/);
    await changes(page, 'curves', 'a key of the legend', () => section.locator('.key').first().click());
    assert.equal(await section.locator('.key').first().getAttribute('aria-pressed'), 'false');
    await section.locator('.key').first().click();
    await changes(page, 'curves', 'every trial', () => section.getByRole('button', { name: 'every trial' }).click());
    const again = await chart.boundingBox();
    for (let y = 60; y < 300 && !(await page.locator('dialog[open]').count()); y += 3) { // until a line is hit
      await page.mouse.click(again.x + again.width * 0.7, again.y + y);
    }
    assert.match(await text(page, 'dialog h2'), /^Trial #\d+/);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('dialog[open]').count(), 0);
    await close(page);
  },

  async 'leaderboard: order, words, trials'() {
    const page = await open('big'), section = page.locator('#leaderboard');
    await see(page, 'leaderboard');
    const keys = await page.$$eval('#leaderboard th button', bs => bs.map(b => b.dataset.key));
    for (const key of keys) {
      await page.$eval(`#leaderboard th button[data-key="${key}"]`, b => { b.focus(); b.click(); });
      const first = await page.$$eval('#leaderboard th[aria-sort]:not([aria-sort="none"])', hs => hs.map(h => [h.querySelector('button').dataset.key, h.getAttribute('aria-sort')]));
      assert.deepEqual(first.map(f => f[0]), [key]);
      const before = await rowsOf(page, '#leaderboard');
      await page.keyboard.press('Enter'); // the button has kept the focus
      const after = await rowsOf(page, '#leaderboard');
      if (key !== 'n') {
        assert.notDeepEqual(after, before, `${key}, the other way round`);
      }
    }
    await section.locator('th button[data-key="mean"]').click();
    const means = (await rowsOf(page, '#leaderboard')).map(r => Number(r[4]));
    assert.ok(means.every((v, i) => i === 0 || v <= means[i - 1]) || means.every((v, i) => i === 0 || v >= means[i - 1]), String(means));
    await section.getByLabel('Words that a row must have').fill('RELU sgd batch_size=64');
    assert.equal((await rowsOf(page, '#leaderboard')).length, 2);
    await section.getByLabel('Words that a row must have').fill('nothing has this');
    assert.match(await text(page, '#leaderboard'), /No row has all these words/);
    await section.getByLabel('Words that a row must have').fill('');
    await section.getByRole('button', { name: 'a trial', exact: true }).click();
    assert.equal((await rowsOf(page, '#leaderboard')).length, 20);
    await section.getByRole('button', { name: /Show more \(20 of 100\)/ }).click();
    assert.equal((await rowsOf(page, '#leaderboard')).length, 100);
    await section.locator('button.link').first().click();
    const words = await text(page, 'dialog');
    for (const word of ['optimizer', 'complete', 'val_top5', 'besom show']) {
      assert.ok(words.includes(word), word);
    }
    assert.equal(await page.locator('dialog figure').count(), 8);
    await page.getByRole('button', { name: 'Close' }).click();
    await close(page);
  },

  async 'heat map, parallel axes, scatter'() {
    const page = await open('big');
    await see(page, 'heatmap');
    const heat = await rowsOf(page, '#heatmap'), d = data('big');
    assert.equal(heat.length, 5);
    assert.match(heat[0][1], /^0\.\d{4}\s+10$/); // mean and n: 2 batch sizes, 5 replicates
    const best = new Float64Array(Uint8Array.from(atob(d.curves.metrics[0].best), c => c.charCodeAt(0)).buffer);
    const cell = d.trials.trial.flatMap((_, i) => (d.trials.levels[0][i] === 0 && d.trials.levels[1][i] === 0 ? [best[i]] : []));
    assert.equal(heat[0][1].split(/\s/)[0], four(cell.reduce((a, b) => a + b) / cell.length));
    await changes(page, 'heatmap', 'swapping', () => page.locator('#heatmap').getByRole('button', { name: 'Swap' }).click());
    assert.equal((await rowsOf(page, '#heatmap')).length, 2);
    await changes(page, 'heatmap', 'another axis', () => page.locator('#heatmap').getByLabel('Across').selectOption('batch_size'));

    await see(page, 'parallel');
    await changes(page, 'parallel', 'a second metric', () => page.locator('#parallel').getByLabel('Second metric').selectOption('train_loss'));
    await page.locator('#parallel').getByLabel('Second metric').selectOption('');
    const box = await page.locator('#parallel .chart').boundingBox();
    await changes(page, 'parallel', 'choosing a part of an axis', async () => { // the upper half of the last one
      await page.mouse.move(box.x + box.width - 70, box.y + 60);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width - 70, box.y + 150, { steps: 4 });
      await page.mouse.up();
      await page.waitForTimeout(150);
    });
    assert.match(await text(page, '#parallel [role=status]'), /^\d+ trials? chosen; the best: #\d+/);
    await page.locator('#parallel').getByRole('button', { name: 'Show all lines' }).click();
    assert.equal(await text(page, '#parallel [role=status]'), '');

    await see(page, 'scatter');
    const section = page.locator('#scatter');
    await changes(page, 'scatter', 'across', () => section.getByLabel('Across', { exact: true }).selectOption('best lr'));
    await changes(page, 'scatter', 'up', () => section.getByLabel('Up', { exact: true }).selectOption('last grad_norm'));
    await changes(page, 'scatter', 'colour', () => section.getByLabel('Coloured by').selectOption({ label: 'replicate' }));
    await changes(page, 'scatter', 'log up', () => section.getByLabel('log up').check());
    await section.getByLabel('Across', { exact: true }).selectOption('seconds');
    await changes(page, 'scatter', 'log across', () => section.getByLabel('log across').check());
    await clean(page, 'scatter');
    await close(page);
  },

  async 'scatter: zoom by dragging, the way back, a mark'() {
    const page = await open('big'), chart = page.locator('#scatter .chart');
    await see(page, 'scatter');
    await page.waitForTimeout(200);
    const box = await chart.boundingBox(), mark = await markUnder(page, chart);
    const under = async () => { // the trial whose mark is there now
      await page.mouse.move(5, 5);
      await chart.locator('.tip-title').waitFor({ state: 'hidden' });
      await page.mouse.move(...mark.at);
      await page.waitForTimeout(100);
      return await chart.locator('.tip-title').isVisible() ? chart.locator('.tip-title').innerText() : '';
    };
    assert.equal(await under(), mark.title);
    for (const key of ['Escape', '0']) {
      await changes(page, 'scatter', 'dragging', () => drag(page, [box.x + 100, box.y + 60], [box.x + 500, box.y + 250]));
      assert.notEqual(await under(), mark.title, 'all is where it was');
      await page.keyboard.press(key); // goes to the chart that was dragged over
      assert.equal(await under(), mark.title, `${key} shows all again`);
    }
    await opensTrial(page, chart);
    await close(page);
  },

  async 'parallel axes: a line'() {
    const page = await open('big');
    await see(page, 'parallel');
    await page.waitForTimeout(200);
    await opensTrial(page, page.locator('#parallel .chart'));
    await close(page);
  },

  async 'heat map: its axes by the keyboard'() {
    const page = await open('big'), down = page.locator('#heatmap').getByLabel('Down'), across = page.locator('#heatmap').getByLabel('Across');
    await see(page, 'heatmap');
    const rows = async () => (await rowsOf(page, '#heatmap')).map(r => r[0]), columns = () => page.$$eval('#heatmap thead th', hs => hs.map(h => h.innerText));
    const axes = data('big').axes.map(a => a.levels.map(String));
    assert.deepEqual([await rows(), await columns()], [axes[0], axes[1]]);
    await down.focus();
    await page.keyboard.press('ArrowDown'); // to the axis that is across, which makes way
    assert.deepEqual([await rows(), await columns()], [axes[1], axes[0]]);
    await page.keyboard.press('ArrowDown');
    assert.deepEqual([await rows(), await columns()], [axes[2], axes[0]]);
    await page.keyboard.press('Tab');
    assert.ok(await across.evaluate(e => e === document.activeElement));
    await page.keyboard.press('ArrowDown');
    assert.deepEqual([await rows(), await columns()], [axes[2], axes[1]]);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter'); // swaps
    assert.deepEqual([await rows(), await columns()], [axes[1], axes[2]]);
    await down.focus();
    await page.keyboard.press('ArrowUp');
    assert.deepEqual([await rows(), await columns()], [axes[0], axes[2]]);
    await close(page);
  },

  async 'more failures than are shown at first'() {
    const page = await open('real'), doc = data('real'), one = doc.failures[0];
    doc.failures = Array.from({ length: 60 }, (_, i) => ({ ...one, attempt: i + 1, message: `attempt ${i + 1} said so` }));
    await page.evaluate(d => window.besom.update(d), doc);
    await see(page, 'failures');
    const attempts = async () => (await rowsOf(page, '#failures')).map(r => Number(r[2])), upTo = n => Array.from({ length: n }, (_, i) => i + 1);
    assert.deepEqual(await attempts(), upTo(25));
    assert.match(await text(page, '#failures .note'), /^60 attempts did not complete/);
    await page.locator('#failures').getByRole('button', { name: 'Show all 60' }).click();
    assert.deepEqual(await attempts(), upTo(60));
    assert.equal(await page.locator('#failures').getByRole('button', { name: /Show all/ }).count(), 0);
    await page.locator('#failures summary').last().click();
    assert.ok(await page.locator('#failures details pre').last().isVisible());
    await page.locator('#failures button.link').last().click();
    assert.equal(await text(page, 'dialog h2'), `Trial #${one.trial}`);
    await close(page);
  },

  async 'the links to the sections'() {
    const page = await open('real');
    const sections = await page.$$eval('main section:not([hidden])', ss => ss.map(s => [s.id, s.querySelector('h2').innerText]));
    assert.deepEqual(await page.$$eval('nav a', as => as.filter(a => a.offsetParent).map(a => a.getAttribute('href'))), sections.map(([id]) => `#${id}`));
    const arrived = ([id, last]) => { // below the bar, or the page's end is in sight
      const top = document.getElementById(id).getBoundingClientRect().top, end = Math.ceil(scrollY + innerHeight) >= document.documentElement.scrollHeight;
      return top >= 0 && (top < 160 || (end && top < innerHeight)) && location.hash === `#${id}` && (last || document.querySelector('nav a[aria-current]')?.getAttribute('href') === `#${id}`);
    };
    const rests = () => page.waitForFunction(() => { const before = window.scrolledTo; window.scrolledTo = scrollY; return before === scrollY; }, null, { polling: 300 }); // it glides
    for (const [i, [id]] of [...sections.entries()].reverse()) { // each the other way than one reads
      const link = page.locator(`nav a[href="#${id}"]`);
      if (i % 2) {
        await link.click();
      } else {
        await link.focus();
        await page.waitForTimeout(800); // the focus may scroll a little, and would end the gliding
        await rests();
        await page.keyboard.press('Enter');
      }
      await page.waitForFunction(arrived, [id, i === sections.length - 1]).catch(async error => { throw new Error(`${id}: ${error.message} ${await page.evaluate(x => [document.getElementById(x).getBoundingClientRect().top, location.hash, document.querySelector('nav a[aria-current]')?.outerHTML].join(), id)}`); });
      await rests();
      assert.ok(await page.evaluate(arrived, [id, i === sections.length - 1]), `${id} did not stay in sight`);
      await clean(page, id);
    }
    await close(page);
  },

  async 'an address with a section, and the way past the links'() {
    const page = await open('real', {}, '#failures');
    await page.waitForFunction(() => { const { top } = document.getElementById('failures').getBoundingClientRect(); return top >= 0 && top < 160; });
    await page.waitForTimeout(300);
    assert.ok((await page.locator('#failures').boundingBox()).y < 160, 'it was pushed out of sight');
    await page.evaluate(() => { scrollTo({ top: 0, behavior: 'instant' }); document.activeElement.blur(); });
    await page.goto(page.url().replace('#failures', ''));
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter'); // past the links
    assert.equal(await page.evaluate(() => location.hash), await page.$eval('a.skip', a => a.getAttribute('href')));
    await close(page);
  },

  async 'layers: pictures, numbers over epochs, every choice'() {
    const page = await open('real'), section = page.locator('#layers');
    await see(page, 'layers');
    assert.deepEqual(await page.$$eval('#layers table.layers thead th', hs => hs.map(h => h.innerText)), ['2 tanh', '4 tanh']);
    assert.deepEqual(await page.$$eval('#layers table.layers tbody th > bdi', hs => hs.map(h => h.innerText)), ['normal std=0.02', 'normal std=1', 'he_normal']);
    assert.equal(await page.locator('#layers svg.histogram .bars').count(), 6);
    // mean and deviation, against the document
    const d = data('real'), l = d.layers, i32 = t => new Int32Array(Uint8Array.from(atob(t), c => c.charCodeAt(0)).buffer), f32 = t => new Float32Array(Uint8Array.from(atob(t), c => c.charCodeAt(0)).buffer);
    const trial = i32(l.trial), epoch = i32(l.epoch), layer = i32(l.layer), std = f32(l.std);
    const row = trial.findIndex((t, i) => t === 0 && epoch[i] === 0 && l.names[layer[i]] === '2 tanh');
    const alt = await section.locator('svg.histogram').first().getAttribute('aria-label');
    assert.ok(alt.includes(`standard deviation ${Number(std[row]).toPrecision(4)}`), alt);
    for (const select of await section.locator('select:visible').all()) {
      const label = await select.evaluate(s => s.labels[0].innerText);
      const first = await select.inputValue();
      for (const value of await select.evaluate(s => [...s.options].map(o => o.value))) {
        if (value !== first) {
          await changes(page, 'layers', `${label}: ${value}`, () => select.selectOption(value));
          await clean(page, `${label}: ${value}`);
        }
      }
      await select.selectOption(first);
    }
    await changes(page, 'layers', 'gradients', () => section.getByRole('button', { name: 'gradients' }).click());
    await section.getByLabel('Over the epochs', { exact: true }).selectOption('saturated');
    assert.ok(await page.locator('#layers .minis figure').count() >= 3);
    await close(page);
  },

  async 'failures, and how to run it again'() {
    const page = await open('real'), known = data('real').failures;
    await see(page, 'failures');
    assert.equal((await rowsOf(page, '#failures')).length, Math.min(25, known.length));
    assert.match(await text(page, '#failures'), /diverged/);
    assert.match(await text(page, '#failures .note'), new RegExp(`${data('real').trials.status.filter(s => s === 'failed').length} trials failed for good`));
    await page.locator('#failures summary').first().click();
    assert.ok((await text(page, '#failures details pre')).length > 10);
    await see(page, 'reproduce');
    assert.equal((await page.locator('#reproduce pre').nth(1).textContent()), readFileSync(join(folder, 'real.json'), 'utf8'));
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {});
    await page.locator('#reproduce .copy').nth(1).click();
    await page.waitForFunction(() => document.querySelectorAll('#reproduce .copy')[1].innerText !== 'Copy');
    for (const word of ['besom run real.json', 'Seeds', 'besom-trainer', '1, 2']) {
      assert.ok((await text(page, '#reproduce')).includes(word), word);
    }
    await close(page);
  },

  async 'names out of the data are text'() {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open('hostile', { colorScheme });
      const sections = await page.$$eval('main section:not([hidden])', ss => ss.map(s => s.id));
      assert.ok(sections.includes('curves') && sections.includes('failures'));
      for (const id of sections) {
        await see(page, id);
        for (const select of colorScheme === 'light' ? await page.locator(`#${id} select:visible`).all() : []) {
          for (const value of await select.evaluate(s => [...s.options].map(o => o.value))) {
            await select.selectOption(value);
          }
        }
        const chart = page.locator(`#${id} .chart`), box = await chart.count() ? await chart.first().boundingBox() : null;
        for (let i = 1; box && i < 8; i++) {
          await page.mouse.move(box.x + box.width * i / 8, Math.min(880, box.y + box.height * (i % 5 + 1) / 7));
        }
      }
      await see(page, 'leaderboard');
      await page.locator('#leaderboard button.link').first().click();
      const words = await page.$eval('#app', e => e.textContent);
      for (const name of ['<b>axis</b>', '</script><script>window.hacked = 1</script>', "<img src=x onerror='window.hacked = 2'>", '<img src=x onerror=window.hacked=3>', '{a|rich}{value} ${x}', '__proto__', 'toString', "</script><img src=x onerror='window.hacked = 4'>"]) {
        assert.ok(words.includes(name), `${name} is not there as it is`);
      }
      assert.equal(await page.evaluate(() => window.hacked), undefined);
      assert.equal(await page.evaluate(() => document.querySelectorAll('img, b.x, #app script, iframe, [onerror]').length), 0);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'long names widen the page');
      await close(page);
    }
  },

  async 'the policy refuses what is not the page’s own'() {
    const page = await open('big');
    const refused = await page.evaluate(async () => {
      const out = [];
      document.addEventListener('securitypolicyviolation', e => out.push(e.effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'window.hacked = 5';
      document.body.append(script);
      try { await fetch('http://127.0.0.1:9/'); } catch { /* refused */ }
      await new Promise(done => setTimeout(() => { // outside of this call, which the driver lets evaluate
        try { new Function('window.hacked = 6')(); } catch { /* refused */ }
        setTimeout(done, 50);
      }));
      return [out.sort(), window.hacked];
    });
    assert.deepEqual(refused, [['connect-src', 'script-src', 'script-src-elem'], undefined]);
    page.complaints.length = 0; // these were asked for
    await close(page);
  },

  async 'light and dark'() {
    for (const colorScheme of ['light', 'dark']) {
      await schemes(colorScheme);
    }
  },

  async 'a phone'() {
    const page = await open('real', { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    for (const id of await page.$$eval('main section:not([hidden])', ss => ss.map(s => s.id))) {
      await see(page, id);
      const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide[0] <= wide[1], `${id}: ${wide}`);
    }
    await see(page, 'leaderboard');
    await page.locator('#leaderboard button.link').first().tap();
    const box = await page.locator('dialog').boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 361);
    await close(page);
  },

  async 'the keyboard reaches everything and shows where it is'() {
    const page = await open('real');
    for (const id of await page.$$eval('main section:not([hidden])', ss => ss.map(s => s.id))) {
      await see(page, id);
    }
    await page.evaluate(() => { scrollTo(0, 0); document.activeElement.blur(); });
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    const reached = new Set();
    for (let i = 0; i < 400; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const e = document.activeElement;
        if (e === document.body) { return null; }
        e.dataset.reached = '1';
        return getComputedStyle(e).outlineStyle;
      });
      if (at === null) { break; }
      assert.notEqual(at, 'none', 'the focus cannot be seen');
      reached.add(i);
    }
    const missed = await page.$$eval('button, select, input, summary, a[href], .chart', es => es.filter(e => e.offsetParent && !e.dataset.reached && !e.classList.contains('skip') && !e.closest('details:not([open]) > :not(summary)')).map(e => e.outerHTML.slice(0, 120)));
    assert.deepEqual(missed, []);
    // names for who cannot see
    const nameless = await page.$$eval('select, input, button, [role=img], [role=region]', es => es.filter(e => !(e.labels && e.labels.length && e.labels[0].textContent) && !e.textContent.trim() && !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')).map(e => e.outerHTML.slice(0, 120)));
    assert.deepEqual(nameless, []);
    await close(page);
  },

  async 'paper'() {
    const page = await open('real', { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(() => window.besom.print(true));
    await page.waitForTimeout(100);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(255, 255, 255)');
    assert.equal(await page.locator('nav').isVisible(), false);
    assert.ok(await page.locator('#scatter canvas').count(), 'all is drawn, not only what was seen');
    await page.evaluate(() => window.besom.print(false));
    const pdf = await page.pdf();
    assert.ok(pdf.length > 50000, String(pdf.length));
    await close(page);
  },

  async 'newer data take the place of the old, and what was chosen stays'() {
    const page = await open('big');
    await page.getByLabel('Metric', { exact: true }).selectOption('val_loss');
    await see(page, 'curves');
    await page.locator('#curves').getByLabel('Group by').selectOption({ label: 'batch_size' });
    await page.evaluate(detail => { document.dispatchEvent(new CustomEvent('besom:data', { detail })); }, times(data('big'), 20)); // 2,000 trials
    assert.equal(await page.getByLabel('Metric', { exact: true }).inputValue(), 'val_loss');
    assert.equal(await page.locator('#curves').getByLabel('Group by').inputValue(), 'axis:batch_size');
    assert.match(await text(page, '#curves .legend'), /1 ?000|1000/);
    for (const id of ['leaderboard', 'effects', 'heatmap', 'parallel', 'scatter', 'curves']) {
      await see(page, id);
      await page.locator(id === 'curves' ? '#curves canvas' : `#${id} .body`).first().waitFor();
      await clean(page, id);
    }
    await changes(page, 'curves', 'every one of 2,000 trials', () => page.locator('#curves').getByRole('button', { name: 'every trial' }).click());
    await close(page);
  },
};

// Two at a time, each in pages of its own.
let failed = 0;
const waiting = Object.entries(tests).filter(([name]) => !process.argv[3] || name.includes(process.argv[3]));
async function work() {
  while (waiting.length) {
    const [name, run] = waiting.shift(), began = Date.now(), pages = [];
    try {
      await mine.run(pages, run);
      console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}\n${error.stack}\n${pages.flatMap(p => p.complaints).join('\n')}`);
      await Promise.all(pages.map(p => p.close()));
    }
  }
}
await Promise.all([work(), work()]);
await browser.close();
process.exit(failed ? 1 : 0);

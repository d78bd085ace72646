// The page of besom serve in Chromium while a run goes on: what is drawn follows, what was chosen stays.
//   CHROMIUM=... BESOM_NPM=... node serve.mjs FOLDER URL PID     as serve.sh has set them up
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { browser, changes, clean, close, look, newPage, see, text } from './page.mjs';

const [folder, url, pid] = process.argv.slice(2);
const METRIC = '<img src=x onerror=window.hacked=3>';
const go = epoch => writeFileSync(join(folder, `go.${epoch}`), '');
const ours = new Set([url, `${url}/events`]);
const open = async options => {
  const page = await newPage(options, asked => ours.has(asked));
  await page.goto(url);
  await page.evaluate(() => { window.sameDocument = true; });
  return page;
};
const state = (page, pattern) => page.waitForFunction(([s, flags]) => new RegExp(s, flags).test(document.querySelector('.live').innerText), [pattern.source, pattern.flags]);
/** Until the overview says that so many epochs are there. */
const epochs = (page, n) => page.waitForFunction(want => [...document.querySelectorAll('#overview .fact')].some(f => f.innerText.startsWith('Epochs') && f.querySelector('dd').innerText === want), String(n))
  .catch(async error => { throw new Error(`${n} epochs: ${error.message}\n${await text(page, '.live')}\n${await text(page, '#overview')}\n${page.complaints.join('\n')}`); });

const page = await open(), dark = await open({ colorScheme: 'dark' });
await state(page, /^Connecting$|^Live/);
go(1);
await epochs(page, 12);
await state(page, /^Live, a run is going on, updated \d\d:\d\d:\d\d$/);
assert.equal(await page.title(), 'live, besom live');
assert.equal(await text(page, '.lead'), '</script><img src=x onerror=alert(1)>');
await clean(page, 'at the beginning');

// Curves grow.
await see(page, 'curves');
const lasts = () => page.$$eval('#curves .key .figure:not(.n)', es => es.map(e => Number(e.innerText)));
const before = await look(page, 'curves');
assert.ok((await lasts()).every(v => v > 0.1 && v < 0.2), String(await lasts()));
go(2);
await epochs(page, 23); // one trial ended behind its first
assert.ok((await lasts()).every(v => v > 0.2 && v < 0.3), String(await lasts()));
assert.notEqual(await look(page, 'curves'), before);

// What was chosen stays: for all figures,
await page.getByLabel('Metric', { exact: true }).selectOption('loss');
await page.getByRole('button', { name: 'last epoch' }).click();
await page.locator('.filter summary').click();
await page.locator('.filter').getByLabel('adam').uncheck();
await page.getByRole('button', { name: 'Dark', exact: true }).click();
// of the curves, zoom and hover box too,
await page.locator('#curves').getByLabel('Group by').selectOption({ label: 'replicate' });
await page.locator('#curves').getByLabel('Band').selectOption('range');
await see(page, 'curves'); // choosing may have scrolled
const chart = page.locator('#curves .chart'), box = await chart.boundingBox();
await changes(page, 'curves', 'dragging', async () => {
  await page.mouse.move(box.x + 100, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 300, box.y + 300, { steps: 5 });
  await page.mouse.up();
});
// of the parallel axes a part of one,
await see(page, 'parallel');
const axes = await page.locator('#parallel .chart').boundingBox();
await page.mouse.move(axes.x + 60, axes.y + 50);
await page.mouse.down();
await page.mouse.move(axes.x + 60, axes.y + 180, { steps: 4 });
await page.mouse.up();
await page.waitForFunction(() => /chosen; the best/.test(document.querySelector('#parallel [role=status]').innerText));
// of the failures an opened one,
await see(page, 'failures');
await page.locator('.filter summary').click();
await page.locator('.filter').getByLabel('adam').check();
await page.locator('.filter').getByLabel('data:').uncheck(); // U+2028 is shown as U+FFFD
await page.keyboard.press('Escape');
await see(page, 'failures');
await page.locator('#failures summary').first().click();
assert.match(await text(page, '#failures pre'), /<\/script><img src=x onerror='window.hacked = 4'>/);
// of the leaderboard order, words and the focus, and what is marked.
await see(page, 'leaderboard');
await page.locator('#leaderboard').getByRole('button', { name: 'a trial', exact: true }).click();
await page.locator('#leaderboard').getByLabel('Words that a row must have').fill('sgd');
await page.locator('#leaderboard th button[data-key="replicate"]').click();
await page.locator('#leaderboard th button[data-key="replicate"]').click();
await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('#failures pre')));
const kept = () => page.evaluate(() => ({
  same: window.sameDocument, scroll: Math.round(scrollY), focus: document.activeElement.dataset.key, marked: String(getSelection()),
  selects: [...document.querySelectorAll('section:not([hidden]) select, .bar select')].map(s => s.value), pressed: [...document.querySelectorAll('[aria-pressed=true]')].map(b => b.innerText.split('\n')[0]),
  search: document.getElementById('leaderboard-search').value, filter: document.querySelector('.filter summary').innerText, boxes: [...document.querySelectorAll('.filter input')].map(i => i.checked),
  sort: [...document.querySelectorAll('#leaderboard th')].map(t => t.getAttribute('aria-sort')), scheme: document.documentElement.dataset.scheme, details: document.querySelectorAll('#failures details[open]').length,
  brush: document.querySelector('#parallel [role=status]').innerText.replace(/; the best.*/, ''), reset: document.querySelector('#parallel .controls > button').hidden,
}));
const was = await kept();
assert.deepEqual([was.same, was.focus, was.search, was.scheme, was.details, was.reset], [true, 'replicate', 'sgd', 'dark', 1, false], JSON.stringify(was));
assert.ok(was.scroll > 500 && was.marked.includes('window.hacked') && was.boxes.includes(false) && was.selects.includes('loss') && /^\d+ trials? chosen/.test(was.brush), JSON.stringify(was));
go(3);
await epochs(page, 34);
assert.deepEqual(await kept(), was);
await see(page, 'curves');
assert.ok((await lasts()).every(v => v > 6 && v < 7), String(await lasts())); // of the loss
await changes(page, 'curves', 'showing all: the zoom was lost', () => page.locator('#curves').getByLabel('Show all epochs').click());
await page.mouse.move(box.x + box.width / 2, (await chart.boundingBox()).y + 150);
await page.waitForFunction(() => /^Epoch \d/.test(document.querySelector('#curves .tip').innerText));

// An open trial shows what is new, and a page that was not seen catches up.
await see(page, 'leaderboard');
await page.locator('#leaderboard button.link').first().click();
assert.match(await text(page, 'dialog'), /3 of 6/);
const hide = hidden => dark.evaluate(h => {
  Object.defineProperty(document, 'hidden', { value: h, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);
await epochs(dark, 34);
await hide(true);
go(4);
await epochs(page, 45);
await page.waitForFunction(() => /4 of 6/.test(document.querySelector('dialog[open]').innerText));
await page.keyboard.press('Escape');
assert.match(await text(dark, '#overview'), /Epochs\s+34/);
await hide(false);
await epochs(dark, 45);

// While a button of the mouse is down nothing moves.
await page.mouse.move(400, 300);
await page.mouse.down();
go(5);
await epochs(dark, 56);
await page.waitForTimeout(300);
assert.match(await text(page, '#overview'), /Epochs\s+45/);
await page.mouse.up();
await epochs(page, 56);

// The end of the run, the loss of the database, and the end of besom serve.
go(6);
await Promise.all([page, dark].map(p => epochs(p, 67)));
await Promise.all([page, dark].map(p => state(p, /^Live, no run is going on, updated/)));
assert.match(await text(page, '#overview .legend-line'), /11 complete/);
for (const p of [page, dark]) {
  for (const id of await p.$$eval('main section:not([hidden])', ss => ss.map(s => s.id))) {
    await see(p, id);
    await clean(p, id);
  }
  assert.deepEqual(await p.evaluate(() => [window.hacked, window.sameDocument, document.querySelectorAll('#app img, #app b script, #app script, #app iframe').length, document.scripts.length]), [undefined, true, 0, 2]);
  assert.ok((await text(p, '#app')).includes('<b>axis</b>') && (await text(p, '#app')).includes(METRIC));
}
if (process.env.BESOM_SCREENSHOTS) {
  for (const [name, p] of [['light', page], ['dark', dark]]) {
    await p.getByRole('button', { name: name === 'light' ? 'Light' : 'Auto', exact: true }).click();
    await p.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
    await p.waitForTimeout(200);
    await p.screenshot({ path: join(process.env.BESOM_SCREENSHOTS, `serve-${name}.png`) });
  }
}
renameSync(join(folder, 'out/results.db'), join(folder, 'kept.db'));
await see(page, 'failures');
await state(page, /^out\/results\.db: missing, .*; what is shown is of \d/);
const notice = await page.locator('.live').boundingBox(); // in sight, wherever the page is scrolled to
assert.ok(notice.y > 0 && notice.y + notice.height <= 900, JSON.stringify(notice));
if (process.env.BESOM_SCREENSHOTS) {
  await page.screenshot({ path: join(process.env.BESOM_SCREENSHOTS, 'serve-trouble.png') });
}
assert.match(await text(page, '#overview'), /Epochs\s+67/);
renameSync(join(folder, 'kept.db'), join(folder, 'out/results.db'));
await state(page, /^Live, no run/);
await Promise.all([page, dark].map(p => { assert.deepEqual(p.complaints, []); return p; }));
process.kill(Number(pid), 'SIGTERM');
await Promise.all([page, dark].map(p => state(p, /^Connection lost, trying again; what is shown is of \d/)));
for (const p of [page, dark]) {
  p.complaints = p.complaints.filter(c => !/^console error: Failed to load resource: net::ERR_/.test(c)); // Chromium's own words for that
  await close(p);
}
await browser.close();

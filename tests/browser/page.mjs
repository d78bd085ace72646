// What the browser tests share: Chromium, and how a page is looked at.   CHROMIUM=... BESOM_NPM=...
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(join(process.env.BESOM_NPM, 'package.json'))('playwright-core');
export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });

/** A page of which every word on the console, every error and every request that `mayAsk` does not know is a failure. */
export async function newPage(options, mayAsk) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light', ...options });
  page.complaints = [];
  page.on('console', m => page.complaints.push(`console ${m.type()}: ${m.text()}`));
  page.on('pageerror', e => page.complaints.push(`error: ${e.stack}`));
  page.on('dialog', d => { page.complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on('request', r => mayAsk(r.url().split('#')[0]) || page.complaints.push(`request: ${r.url().slice(0, 200)}`));
  page.setDefaultTimeout(Number(process.env.BESOM_PATIENCE_MS || 60000)); // machines are shared
  return page;
}

export async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.close();
}

export const see = (page, id) => page.evaluate(i => new Promise(done => {
  document.getElementById(i).scrollIntoView({ behavior: 'instant' });
  requestAnimationFrame(() => setTimeout(done, 60));
}), id);
export const text = (page, selector) => page.$eval(selector, e => e.innerText);
export const rowsOf = (page, selector) => page.$$eval(`${selector} tbody tr`, rows => rows.map(r => [...r.children].map(c => c.innerText.trim())));

/** What a section looks like: its text, its canvases, and what its drawings say and are. */
export const look = (page, id) => page.$eval(`#${id}`, e => e.innerText + [...e.querySelectorAll('canvas')].map(c => {
  const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(c, 0, 0);
  const pixels = new Int32Array(copy.getImageData(0, 0, c.width, c.height).data.buffer);
  let hash = 0;
  for (let i = 0; i < pixels.length; i++) { hash = Math.imul(hash ^ pixels[i], 0x01000193); }
  return hash;
}).join(' ') + [...e.querySelectorAll('svg')].map(s => (s.getAttribute('aria-label') || '') + [...s.querySelectorAll('path')].map(p => p.getAttribute('d')).join('')).join(''));

export async function changes(page, id, what, act) {
  const before = await look(page, id);
  await act();
  await page.waitForTimeout(40);
  assert.notEqual(await look(page, id), before, `${what} changed nothing in ${id}`);
}

/** No figure that could not be computed stands in the text. */
export async function clean(page, where) {
  assert.doesNotMatch(await text(page, '#app'), /undefined|NaN|\[object|Infinity/, where);
}

// Makes the one file that the page is: index.html with the style sheet and the bundled script inside.
//   node build.mjs SOURCE_DIR DIR_OF_NODE_MODULES OUTPUT
//
// The content security policy names both by their hashes and allows nothing else: no other script or style, no
// network, no eval.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [source, npm, output] = process.argv.slice(2);
const modules = join(npm, 'node_modules');
const esbuild = createRequire(join(npm, 'package.json'))('esbuild');

const shared = { bundle: true, minify: true, write: false, target: 'es2020', legalComments: 'none', charset: 'utf8' };
const script = esbuild.buildSync({
  ...shared, entryPoints: [join(source, 'src/main.js')], format: 'iife', nodePaths: [modules],
  define: { 'process.env.NODE_ENV': '"production"' },
}).outputFiles[0].text;
const style = esbuild.buildSync({ ...shared, entryPoints: [join(source, 'style.css')] }).outputFiles[0].text;

// The licences of what is bundled go with it.
const versionOf = name => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;
const licences = ['echarts', 'zrender', 'tslib'].map(name => {
  const file = name === 'echarts' ? 'NOTICE' : name === 'tslib' ? 'LICENSE.txt' : 'LICENSE';
  return `${name} ${versionOf(name)}\n\n${readFileSync(join(modules, name, file), 'utf8').trim()}`;
}).join('\n\n').replaceAll('--', '- -');

const safe = text => text.replace(/<\/(script|style)/gi, '<\\/$1').replace(/<!--/g, '<\\!--');
const hash = text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const js = safe(script), css = safe(style);
const policy = `default-src 'none'; script-src ${hash(js)}; style-src ${hash(css)}; img-src data:; base-uri 'none'; form-action 'none'`;

const parts = { POLICY: policy, STYLE: css, SCRIPT: js, LICENCES: licences };
const page = readFileSync(join(source, 'index.html'), 'utf8').replace(/@(POLICY|STYLE|SCRIPT|LICENCES)@/g, (_, name) => parts[name]);
if (page.split('@BESOM_DATA@').length !== 2) {
  throw new Error('index.html must have @BESOM_DATA@ once');
}
writeFileSync(output, page);

#!/bin/sh
# besom report: what it writes and where; the data of a real sweep, against what the views say.  The page itself is
# looked at by tests/browser.
. "$(dirname "$0")/lib.sh"

cat >sweep.json <<'EOF'
{
  "name": "small",
  "config": { "dataset": {"name": "fashion-mnist", "train": 500, "test": 200}, "epochs": 2, "batch_size": 50, "inspect": {"every": 1},
    "model": {"layers": ["flatten", {"type": "dense", "units": 16}, "activation", {"type": "dense", "units": 10}]} },
  "grid": { "activation": ["tanh", "relu"], "optimizer": [{"name": "sgd", "lr": {"values": [0.01, 1e30]}}, "adam"] },
  "replicates": 2
}
EOF
"$besom" run sweep.json -j 2 -q >/dev/null 2>err # 1e30 diverges
[ $? = 1 ] || fail "$(cat err)"

expect 0 "$besom" report --help
said '^  besom report quickstart ' out
expect 0 "$besom" report small --json
cp out data.json
SOURCE_DATE_EPOCH=86400 "$besom" report --json >again.json || fail 'report of the sweep that ran last'
grep -q '1970-01-02T00:00:00Z' again.json || fail 'SOURCE_DATE_EPOCH'
grep -v made_at data.json >1; grep -v made_at again.json >2
cmp 1 2 || fail 'the same data twice'

python3 - <<'EOF' || fail 'the data are not those of the views'
import base64, json, sqlite3, struct
d = json.load(open('data.json'))
db = sqlite3.connect('file:besom-out/results.db?mode=ro', uri=True)
q = lambda sql, *a: db.execute(sql, a).fetchall()
col = lambda text, kind: [x[0] for x in struct.iter_unpack('<' + kind, base64.b64decode(text))]
f32 = lambda v: struct.unpack('<f', struct.pack('<f', v))[0] if abs(v) < 3e38 else v
same = lambda a, b: (a != a and (b is None or b != b)) or a == b

t = d['trials']
rows = q('SELECT trial, key, label, status, replicate, CAST(seed AS TEXT), attempts, epochs_done, epochs, seconds, error, stopped FROM trials WHERE sweep = "small" ORDER BY trial')
names = ['trial', 'key', 'label', 'status', 'replicate', 'seed', 'attempts', 'epochs_done', 'epochs', 'seconds', 'error', 'stopped']
assert len(rows) == 12 and [tuple(t[n][i] for n in names) for i in range(12)] == rows, rows
for a, axis in enumerate(d['axes']):
    told = [axis['levels'][t['levels'][a][i]] for i in range(12)]
    assert told == [r[0] for r in q(f'SELECT "{axis["path"]}" FROM sweep_small ORDER BY trial')], told
params = [r[0] for r in q('SELECT params FROM trials ORDER BY trial')]
assert all((t['point'][i] == t['point'][j]) == (params[i] == params[j]) for i in range(12) for j in range(12))

c, epoch, values = d['curves'], iter(col(d['curves']['epoch'], 'i')), {}
keys = [(t['trial'][i], next(epoch)) for i, n in enumerate(c['rows']) for _ in range(n)]
for m in c['metrics']:
    for key, v in zip(keys, col(m['value'], 'f' if m['type'] == 'f32' else 'd')):
        values[key + (m['name'],)] = v, m['type']
stored = q('SELECT trial, epoch, metric, value FROM curves')
assert len(stored) > 90
for trial, e, name, v in stored:
    told, kind = values.pop((trial, e, name))
    assert same(told, v if v is None or kind == 'f64' else f32(v)), (trial, e, name, told, v)
assert all(v != v for v, _ in values.values())
for m in c['metrics']:
    best, last = (col(m[k], 'd') for k in ('best', 'last'))
    for i, (b, l) in enumerate(q(f'SELECT "{m["name"]}_best", "{m["name"]}_last" FROM sweep_small ORDER BY trial')):
        assert same(best[i], b) and same(last[i], l), (m['name'], i)
assert c['metrics'][0]['name'] == 'val_accuracy'

l = d['layers']
n, numbers = 0, ['mean', 'std', 'min', 'max', 'dead', 'saturated', 'histogram_low', 'histogram_high', 'gradient_mean', 'gradient_std', 'gradient_low', 'gradient_high', 'update_ratio']
table = {k: col(l[k], 'f') for k in numbers}
bins, heights, at, shown = col(l['bins'], 'B'), col(l['histogram'], 'B'), 0, {}
for i, (row, e, name) in enumerate(zip(col(l['trial'], 'i'), col(l['epoch'], 'i'), col(l['layer'], 'i'))):
    shown[t['trial'][row], e, l['names'][name]] = i, heights[at:at + bins[i]]
    at += bins[i]
for trial, e, layer, histogram, *v in q(f'SELECT trial, epoch, layer, histogram, {", ".join(numbers)} FROM layers'):
    i, h = shown.pop((trial, e, layer))
    counts = json.loads(histogram)
    assert all(same(table[k][i], x if x is None else f32(x)) for k, x in zip(numbers, v)), (trial, e, layer)
    assert all(abs(255 * x / max(counts) - y) <= 1 and (x > 0) == (y > 0) for x, y in zip(counts, h)) and len(counts) == len(h)
    n += 1
assert not shown and n > 60, (n, shown)

failed = q('SELECT trial, attempt, reason, class, exit_status, signal FROM failures ORDER BY 1 DESC, 2 DESC')
assert [tuple(f[k] for k in ('trial', 'attempt', 'reason', 'class', 'exit_status', 'signal')) for f in d['failures']] == failed and failed
assert d['sweep']['file'] == open('sweep.json').read()
EOF
"$besom" compare small --json >compare.json || fail 'compare'
python3 - <<'EOF' || fail 'the comparison is not that of besom compare'
import json
told, known = json.load(open('data.json'))['compare'], json.load(open('compare.json'))
assert len(told['points']) >= 4
assert {k: v for k, v in told.items() if k != 'leaderboard'} == {k: v for k, v in known.items() if k != 'leaderboard'}, (told, known)
EOF

# Where it goes: a file, whole or not at all; a link's target; standard output; never in the place of a device.
if "$besom" report small >/dev/null 2>err; then
  [ -s small.html ] || fail 'no small.html'
  said '^small.html: .* MB' err
  expect 0 "$besom" report small -o - --out besom-out
  [ ! -s err ] || fail 'report - talks'
  size=$(wc -c <out)
  [ "$size" -gt 300000 ] && [ "$size" -lt 3000000 ] || fail "the page has $size bytes"
  head -c 15 out | grep -q '^<!doctype html>' || fail 'no page on standard output'
  [ "$(grep -c '@BESOM_DATA@\|@SCRIPT@' out)" = 0 ] || fail 'a mark is left'
  mkdir target
  ln -s target/page.html link.html
  : >target/page.html
  expect 0 "$besom" report small -o link.html
  [ -L link.html ] && [ -s target/page.html ] || fail 'the link was replaced'
  expect 0 "$besom" report small -o /dev/null
  [ -c /dev/null ] || fail '/dev/null was replaced'
  expect 74 "$besom" report small -o nowhere/page.html
  said 'nowhere' err
  expect 2 "$besom" report small -o target/
  [ -z "$(ls -A target | grep -v page.html)" ] || fail 'something was left'
  expect 2 "$besom" report smal
  said 'did you mean "small"' err
  expect 2 "$besom" report small --ouptut x.html
  said 'did you mean "--output"' err
  # what stands in the page is the data, and no text in it ends its element
  python3 - <<'EOF' || fail 'the data in the page'
import json, re
page = open('small.html').read()
data = re.search(r'<script type="application/json" id="besom-data">(.*?)</script>', page, re.S).group(1)
drop = lambda d: {k: v for k, v in d.items() if k != 'made_at'}
assert drop(json.loads(data)) == drop(json.load(open('data.json')))
assert '<' not in data
EOF
else
  said 'built without' err
  echo 'besom was built without the page of besom report: what writes it was not tested' >&2
fi

# A program without the page says so before it does anything, and still has the data.
if [ -x "$BESOM_BIN/../tests/besom_without_page" ]; then
  expect 2 "$BESOM_BIN/../tests/besom_without_page" report small -o none.html
  said 'built without' err
  said 'npm' err
  [ ! -e none.html ] || fail 'an empty page'
  expect 0 "$BESOM_BIN/../tests/besom_without_page" report small --json
fi

#!/bin/sh
# Looks inside the network: their rows, the same ones whoever is killed on the way, and nothing else changed.
. "$(dirname "$0")/lib.sh"

cat >sweep.json <<'S'
{"name": "look", "config": {"dataset": {"name": "fashion-mnist", "train": 3000, "test": 500}, "model": "lenet5",
 "activation": "relu", "epochs": 6, "batch_size": 64, "inspect": {"every": 2}},
 "grid": {"init": ["he_normal", {"name": "normal", "std": 0.001}]}}
S
sed 's/, "inspect": {"every": 2}//' sweep.json >plain.json

# All of a layer's row, with the trial's key.
layers() { # DIR
  sql "$1" "SELECT t.key, l.* FROM layers l JOIN trials t USING (trial) ORDER BY t.key, epoch, position" | sed 's/|look|[0-9]*|/|/'
}

expect 0 "$besom" run plain.json -j 2 --out plain
equal "$(sql plain 'SELECT count(*) FROM layers')" 0 'rows without looks'
expect 0 "$besom" run sweep.json -j 2 --out whole
equal "$(sql whole 'SELECT count(*), count(DISTINCT layer), group_concat(DISTINCT epoch) FROM layers')" '88|11|0,2,4,6' 'rows'
equal "$(sql whole 'SELECT group_concat(layer) FROM (SELECT layer FROM layers WHERE trial = 1 AND epoch = 0 ORDER BY position)')" \
  '0 conv2d,1 relu,2 maxpool,3 conv2d,4 relu,5 maxpool,7 dense,8 relu,9 dense,10 relu,11 dense' 'layers'

# The histograms count every output: 500 images of 6 x 28 x 28 values.
equal "$(sql whole "SELECT sum(b.value) FROM layers l, json_each(l.histogram) b WHERE trial = 1 AND epoch = 6 AND layer = '0 conv2d'")" \
  $((500 * 6 * 28 * 28)) 'outputs counted'
equal "$(sql whole "SELECT DISTINCT json_array_length(histogram), json_array_length(gradient_histogram) FROM layers")" '40|40' 'bins'
equal "$(sql whole "SELECT count(*) FROM layers WHERE NOT (iif(min = max, histogram_low = min - 0.5 AND std = 0,
  histogram_low = min AND histogram_high = max AND std > 0) AND mean BETWEEN min AND max AND dead BETWEEN 0 AND 1 AND gradient_std >= 0)")" 0 'rows that are off'
# Weights that start so small die (I3): nothing but the last bias learns.
equal "$(sql whole "SELECT dead, saturated, std FROM layers WHERE trial = 2 AND epoch = 6 AND layer = '8 relu'")" \
  '1.0|1.0|0.0' 'a dead layer'
equal "$(sql whole "SELECT count(*) FROM layers WHERE (saturated IS NULL) = (layer LIKE '%relu')
  OR (update_ratio IS NULL) = (layer LIKE '%conv2d' OR layer LIKE '%dense')")" 0 'measures at the wrong layers'

expect 0 env LC_ALL=C "$besom" show 2 --out whole
said '^layers after epoch 6 (the view layers has 4 epoch(s))$' out
said '^ *8 relu  *0[.0]*  .* 1[.0]*  *1[.0]* ' out
said 'outputs of relu are shown from ' out
expect 0 "$besom" show 2 --json --out whole
equal "$(sqlite3 :memory: "SELECT json_array_length(readfile('out'), '$.layers'), json_array_length(readfile('out'), '$.layers[0].histogram')")" '44|40' 'layers as JSON'
expect 0 "$besom" show 1 --out plain
grep -q 'layers after' out && fail 'layers of a trial without looks'

# Looking disturbs nothing: the same metrics, of the same trials.
metrics plain >metrics.1
metrics whole >metrics.2
cmp metrics.1 metrics.2 || fail 'looking changed the metrics'
expect 0 "$besom" plan sweep.json --out plain
said '2 done' out

# Killed workers, then a killed runner: the same rows in the end.
"$besom" run sweep.json -j 2 --out cut >log 2>&1 </dev/null &
runner=$!
wait_for 60 has_rows cut 1
for pid in $(alive); do
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = besom-trainer ] && kill -9 "$pid"
done
wait_for 60 has_rows cut 4
kill -9 "$runner"
wait "$runner" 2>/dev/null
no_worker_left
expect 0 "$besom" run sweep.json -j 2 --out cut
layers whole >layers.1
layers cut >layers.2
equal "$(wc -l <layers.1)" 88 'rows'
cmp layers.1 layers.2 || fail 'the rows of an interrupted sweep differ'
same_results whole cut

# Rows that the runner lost come back from the checkpoint, as the epochs do.
sql cut 'DELETE FROM layer; DELETE FROM summary; DELETE FROM value; DELETE FROM epoch; UPDATE trial SET epochs_done = 0, status = "paused"' ||
  fail 'forget'
rm cut/trials/*/rows.jsonl # with these the run is refused: besom rebuild has the rows then
expect 0 "$besom" run sweep.json -j 2 --out cut
layers cut >layers.2
cmp layers.1 layers.2 || fail 'the rows that were lost did not come back'

# The same before training: what a trial begins with is what its first look saw.
cat >one.json <<'S'
{"dataset": {"name": "fashion-mnist", "train": 3000, "test": 500}, "model": "lenet5", "init": "he_normal", "activation": "relu"}
S
expect 0 env LC_ALL=C "$trainer" probe one.json # a byte is a column
said '^one.json, 500 images$' out
said '^  0 conv2d  ' out
equal "$(awk 'length > 80' out)" '' 'lines of more than 80 columns'
expect 0 "$trainer" probe --json one.json one.json
equal "$(sqlite3 :memory: "SELECT json_array_length(readfile('out'), '$.probes'), json_array_length(readfile('out'), '$.probes[1].layers')")" \
  '2|11' 'probes and layers'
probed=$(sqlite3 :memory: "SELECT json_extract(readfile('out'), '$.probes[0].layers[10].histogram')")
equal "$probed" "$(sql whole "SELECT histogram FROM layers WHERE trial = 1 AND epoch = 0 AND layer = '11 dense'")" 'the histogram of the logits'
expect 0 "$trainer" probe --samples 50 # the experiment of no config
said '"std": 0.02}}, 50 unit-normal samples$' out
equal "$(grep -c ' unit-normal samples$' out)" 5 'tables'
expect 2 "$trainer" probe none.json
said 'none.json' err
expect 2 "$trainer" probe one.json --data noise
said 'must be images or unit-normal, not "noise"' err
expect 2 "$trainer" probe --samples 0
said 'must be an integer from 1 to' err

# A trainer in another language; what is malformed is passed over, and told once.
cat >foreign.sh <<'S'
#!/bin/sh
echo '{"event": "layers", "at_epoch": 0, "layer": "fc", "mean": 0.5, "histogram": [1, 2, 3], "histogram_low": -1, "histogram_high": 2}'
echo '{"event": "layers", "at_epoch": 0, "layer": 5}'
echo '{"event": "layers", "layer": "fc"}'
echo '{"event": "layers", "at_epoch": 1, "layer": "fc", "histogram": [-1]}'
echo '{"event": "layers", "at_epoch": 1, "layer": "fc", "mean": "nan", "max": "inf"}'
echo '{"event": "layers", "at_epoch": 1, "layer": "fc", "mean": 0.25}'
echo '{"epoch": 1, "val_accuracy": 0.5}'
S
chmod +x foreign.sh
cat >foreign.json <<S
{"name": "foreign", "config": {"epochs": 1}, "trainer": ["$work/foreign.sh"]}
S
expect 0 "$besom" run foreign.json --out foreign
said 'begin with { but are no records' err
equal "$(sql foreign 'SELECT epoch, layer, mean, max, histogram, histogram_high FROM layers')" '0|fc|0.5||[1,2,3]|2.0
1|fc|0.25|||' 'rows of a foreign trainer'
equal "$(grep -c layers foreign/trials/*/log)" 6 'lines in the log'

# One that says that so many epochs are done, and tells their layers again otherwise, as the protocol lets it.
cat >again.py <<'S'
import json, os
config = json.load(open(os.environ["BESOM_CONFIG"]))
path = os.environ["BESOM_CHECKPOINT_DIR"] + "/done"
done = int(open(path).read()) if os.path.exists(path) else 0
print(json.dumps({"event": "start", "from_epoch": done}))
for epoch in range(1, config["epochs"] + 1):
    print(json.dumps({"event": "layers", "at_epoch": epoch, "layer": "fc", "mean": epoch + done / 10}))
    print(json.dumps({"epoch": epoch, "val_accuracy": epoch / 10}))
open(path, "w").write(str(config["epochs"]))
S
for epochs in 2 4 5; do
  echo "{\"name\": \"again\", \"config\": {\"epochs\": $epochs}, \"trainer\": [\"python3\", \"$work/again.py\"]}" >again.json
  expect 0 "$besom" run again.json --out again
  grep damaged err && fail 'layers that were told again are taken for damage'
  expect 0 "$besom" verify --out again
done
equal "$(sql again 'SELECT group_concat(mean) FROM layers')" 1.4,2.4,3.4,4.4,5.4 'layers told again'

# More than is stored: 60,000 events.
cat >flood.sh <<'S'
#!/bin/sh
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "{\"event\": \"layers\", \"at_epoch\": %d, \"layer\": \"fc\"}\n", i }'
echo '{"epoch": 1, "val_accuracy": 0.5}'
S
chmod +x flood.sh
sed 's/foreign/flood/g' foreign.json >flood.json
expect 0 "$besom" run flood.json --out flood
said '50000 layers' err
equal "$(sql flood 'SELECT count(*), max(epoch) FROM layers')" '50000|49999' 'rows of a flood'
equal "$(sql flood 'SELECT count(*) FROM curves')" 1 'its epoch'

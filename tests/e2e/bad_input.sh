#!/bin/sh
# Bad input gets an error that names file, place and value, exit 2, before anything starts, and what is
# stored stays as it is.
. "$(dirname "$0")/lib.sh"

bad() { # PATTERN JSON
  printf '%s\n' "$2" >bad.json
  expect 2 "$besom" run bad.json --out out-bad
  said "$1" err
  expect 2 "$besom" plan bad.json --out out-bad
  said "$1" err
}
config='"config": {"dataset": {"name": "fashion-mnist", "train": 100, "test": 100}, "epochs": 1}'

bad '^besom: bad.json:1:' 'this is not JSON'
bad 'bad.json:1:' '{"name": "x", }'
bad 'bad.json:2:1: unknown key "grdi"; did you mean "grid"' '{"name": "x",
"grdi": {}, '"$config"'}'
bad 'repeated' '{"name": "x", "name": "y", '"$config"'}'
bad 'name' '{"name": "Not A Name", '"$config"'}'
bad 'replicates' '{"name": "x", "replicates": 0, '"$config"'}'
bad 'replicates' '{"name": "x", "replicates": "many", '"$config"'}'
bad 'optimizer' '{"name": "x", '"$config"', "grid": {"optimizer": []}}'
bad 'list' '{"name": "x", '"$config"', "grid": {"optimizer": "adam"}}'
big='[0,1,2,3,4,5,6,7,8,9]'
axes=$(for i in $(seq 30); do printf '"a%s": %s,' "$i" "$big"; done)
bad '1\.0e+30' '{"name": "x", '"$config"', "grid": {'"${axes%,}"'}}'

# The trainer's keys: every grid point is checked, and the place in the sweep file is told.
bad 'bad.json:.*did you mean "lr"' '{"name": "x", '"$config"', "grid": {"optimizer": ["adam", {"name": "sgd", "lrr": 0.1}]}}'
bad 'did you mean "adam"' '{"name": "x", '"$config"', "grid": {"optimizer": ["sgd", "adma"]}}'
bad 'bad.json:.*lr' '{"name": "x", '"$config"', "grid": {"optimizer": [{"name": "sgd", "lr": -1}]}}'
bad '^bad.json:2:[0-9]*: dataset.train: 70000 samples' '{"name": "x", '"$config"',
"grid": {"dataset.train": [100, 70000]}}'
bad 'bad.json:.*batch_size' '{"name": "x", '"$config"', "grid": {"batch_size": [64, 0.5]}}'
bad 'kernel' '{"name": "x", '"$config"', "grid": {"model": [{"layers": [{"type": "conv2d", "channels": 4, "kernel": 40}, {"type": "flatten"}, {"type": "dense", "units": 10}]}]}}'
bad 'too large' '{"name": "x", "config": {"dataset": "fashion-mnist", "epochs": 1, "batch_size": 60000}, "grid": {"model": [{"layers": [{"type": "conv2d", "channels": 512, "kernel": 3}, {"type": "flatten"}, {"type": "dense", "units": 10}]}]}}'
bad 'dens' '{"name": "x", '"$config"', "grid": {"model": [{"layers": [{"type": "denes", "units": 10}]}]}}'
[ -z "$(ls out-bad/trials 2>/dev/null)" ] || fail 'something was started'

# Results that are there survive it.
printf '{"name": "x", %s, "grid": {"model": ["logistic"]}}' "$config" >good.json
expect 0 "$besom" run good.json --out kept
metrics kept >before
bad 'unknown key' '{"name": "x", "grdi": {}, '"$config"'}'
printf '{"name": "x", %s, "grid": {"model": ["logistic", "lenet"]}}' "$config" >good.json
expect 2 "$besom" run good.json --out kept
metrics kept >after
cmp before after || fail 'a bad sweep file changed the results'
equal "$(sql kept "SELECT count(*) FROM trials")" 1 'trials'

# Data sets.
mkdir set
for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  gzip -dc "/usr/share/datasets/fashion-mnist/$f-ubyte.gz" >"set/$f-ubyte"
done
data() { # PATTERN: the folder `set` is refused so
  printf '{"name": "data", "config": {"dataset": "%s/set", "epochs": 1}}' "$work" >data.json
  expect 2 "$besom" run data.json --out out-data
  said "$1" err
}
cp set/train-images-idx3-ubyte images
head -c 1000000 images >set/train-images-idx3-ubyte
data 'train-images-idx3-ubyte.*truncated'
cp images set/train-images-idx3-ubyte
printf '\377' | dd of=set/train-labels-idx1-ubyte bs=1 seek=1000 conv=notrunc 2>/dev/null
data 'train-labels-idx1-ubyte.*255'
cp set/t10k-labels-idx1-ubyte set/train-labels-idx1-ubyte
data '10000'
printf '\0\0\10\4' | dd of=set/train-images-idx3-ubyte bs=1 conv=notrunc 2>/dev/null
data 'train-images-idx3-ubyte'
rm -r set
data 'set'

# The trainer by itself names the config, too, whether its keys are wrong or what only the data can tell.
by_itself() { # PATTERN JSON
  printf '%s\n' "$2" >alone.json
  expect 2 "$trainer" check alone.json
  said "^alone.json:1:[0-9]*: $1" err
  expect 2 "$trainer" train alone.json --checkpoint-dir alone
  said "alone.json:.*$1" err
}
small='{"name": "fashion-mnist", "train": 100, "test": 100}'
by_itself 'loss.label_smoothing: "label_smoothing" is not a key of loss "mse"' '{"loss": {"name": "mse", "label_smoothing": 0.1}}'
by_itself 'batch_size: layer 2 (batch_norm)' '{"dataset": '"$small"', "model": "mlp", "batch_norm": true, "batch_size": 1}'
by_itself 'dataset.normalize.mean: 3 numbers' '{"dataset": {"name": "fashion-mnist", "normalize": {"mean": [0, 0, 0], "std": 1}}}'
by_itself 'dataset.*did you mean "fashion-mnist"' '{"dataset": "fashion-minst"}'
by_itself 'init_from: open no-such-file' '{"dataset": '"$small"', "init_from": "no-such-file"}'
by_itself 'augment.crop: is for images' '{"dataset": "blobs", "model": "mlp", "augment": {"crop": 1}}'

# Checkpoints: cut, altered, of another trial.
cat >one.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 200, "test": 100}, "model": "logistic", "epochs": 2}
J
expect 0 "$trainer" train one.json --checkpoint-dir cp
expect 0 "$trainer" eval cp/cp-0002.safetensors
cp -r cp cut
truncate -s -1 cut/cp-0002.safetensors
expect 1 "$trainer" eval cut/cp-0002.safetensors
said 'cut/cp-0002.safetensors' err
expect 0 "$trainer" train one.json --checkpoint-dir cut # goes on from cp-0001
said 'cp-0002.safetensors' err
cmp cut/cp-0002.safetensors cp/cp-0002.safetensors || fail 'the epoch that was computed again differs'
sed 's/"logistic"/"logistic", "seed": 2/' one.json >two.json
sha256sum cp/cp-* >before
expect 1 "$trainer" train two.json --checkpoint-dir cp
said 'another trial' err
sha256sum -c --quiet before || fail 'checkpoints of another trial were touched'

# Commands.
expect 2 "$besom"
expect 2 "$besom" rnu x
said 'did you mean "run"' err
expect 2 "$besom" run --jbos 2 x.json
said 'did you mean "--jobs"' err
expect 2 "$besom" run -j 0 x.json
said '"0"' err
expect 2 "$besom" run no-such-file.json
said 'no-such-file.json' err
expect 2 "$besom" compare --out nowhere
said 'nowhere' err
touch file
expect 74 "$besom" run good.json --out file/below
said 'file is a file, not a folder' err
echo 'not a database, but long enough to be looked at as one' >kept/results.db
expect 74 "$besom" status --out kept
said 'results.db' err
expect 74 "$besom" run good.json --out kept
said 'results.db' err
grep -q '^not a database' kept/results.db || fail 'a file that is no database was overwritten'

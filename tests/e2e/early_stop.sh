#!/bin/sh
# Trials that end before their last epoch: by patience, across kill -9 of workers as undisturbed; done when run
# again, asked again when their patience is raised; and their trial is no work left in any display.
. "$(dirname "$0")/lib.sh"

cat >stop.json <<'J'
{"name": "stop", "config": {"dataset": {"name": "fashion-mnist", "train": 3000, "test": 500}, "model": "mlp",
                            "epochs": 40, "optimizer": {"name": "adam", "lr": 0.01},
                            "checkpoint": {"every_batches": 20, "keep": 3},
                            "stop": {"metric": "val_accuracy", "patience": 2}},
 "grid": {"batch_size": [64, 128]}, "replicates": 2}
J
expect 0 "$besom" run stop.json -j 2 --out whole
equal "$(sql whole "SELECT DISTINCT status, stopped, epochs FROM trials")" 'complete|patience|40' 'trials'
equal "$(sql whole "SELECT count(*) FROM trials WHERE epochs_done BETWEEN 3 AND 39")" 4 'stopped before the last epoch'
# by the rule: two epochs after the best one
equal "$(sql whole "SELECT DISTINCT epochs_done - best_epoch FROM trials")" 2 'epochs after the best'
said 'stopped early: patience' err
expect 0 "$besom" show 1 --out whole
said '^  stopped .*patience$' out
expect 0 "$besom" status stop --json --out whole
python3 -c 'import json; assert {t["stopped"] for t in json.load(open("out"))} == {"patience"}' || fail 'status --json'

# Another patience is no other trial: of an axis over it the first value counts, and what is done stays done.
cat >axis.json <<'J'
{"name": "axis", "config": {"dataset": {"name": "fashion-mnist", "train": 200, "test": 100}, "model": "logistic",
 "epochs": 3}, "grid": {"stop.patience": [0, 1], "l2": [0, 0.01]}}
J
expect 0 "$besom" run axis.json -j 2 --out axis
said ' - 2 the same as others = 2 trials of 3 epochs$' err
equal "$(sql axis "SELECT group_concat(json_extract(config, '$.stop.patience') || label, ',') FROM trials ORDER BY label")" \
  '0patience=0 l2=0,0patience=0 l2=0.01' 'the first counts'
expect 0 "$besom" plan axis.json --out axis
said '^2 done, 0 new$\|^2 done$' out

# Killed again and again, it ends with the same.
"$besom" run stop.json -j 2 --out cut >log 2>&1 </dev/null &
runner=$!
kills=0
rows=1
while kill -0 "$runner" 2>/dev/null && [ "$kills" -lt 5 ]; do
  wait_for 60 eval "has_rows cut $rows || ! kill -0 $runner 2>/dev/null"
  kill_a_trainer
  rows=$((rows + 3))
done
wait "$runner" || {
  cat log >&2
  fail 'the sweep failed'
}
[ "$kills" -ge 2 ] || fail "only $kills kills"
same_results whole cut

# Nothing is left to do, also when fewer epochs are asked for.
expect 0 "$besom" plan stop.json --out whole
said '^4 done, 0 new$\|^4 done$' out
sed 's/"epochs": 40/"epochs": 30/' stop.json >fewer.json
expect 0 "$besom" run fewer.json -j 2 --out whole
equal "$(sql whole 'SELECT max(attempts) FROM trials')" 1 'attempts'

# More patience goes on, as if it had been asked for at once.
sed 's/"patience": 2/"patience": 4/' stop.json >patient.json
expect 0 "$besom" plan patient.json --out whole
said '^4 extended' out
expect 0 "$besom" run patient.json -j 2 --out whole
equal "$(sql whole "SELECT count(*) FROM trials WHERE status = 'complete' AND (epochs_done - best_epoch = 4 OR epochs_done = 40)")" 4 'with more patience'
expect 0 "$besom" run patient.json -j 2 --out patient
same_results whole patient

# More epochs alone: its trainer is asked, and has nothing to add.
sed 's/"epochs": 40/"epochs": 50/' patient.json >more.json
before=$(sql whole 'SELECT sum(epochs_done) FROM trials WHERE epochs_done < 40')
expect 0 "$besom" run more.json -j 2 --out whole
equal "$(sql whole 'SELECT sum(epochs_done) FROM trials WHERE epochs_done < 40')" "$before" 'epochs after asking for more'
equal "$(sql whole "SELECT count(*) FROM trials WHERE status = 'complete'")" 4 'complete trials'

# A time limit: an epoch at least, and with more time the rest, with the bits of trials that never had a limit.
sed 's/"epochs": 40/"epochs": 3/; s/"stop": {[^}]*}/"stop": {"seconds": 1e-6}/' stop.json >hurried.json
sed 's/"epochs": 40/"epochs": 3/; s/"stop": {[^}]*}/"stop": {"seconds": 3600}/' stop.json >relaxed.json
expect 0 "$besom" run hurried.json -j 2 --out hurried
equal "$(sql hurried 'SELECT DISTINCT status, stopped, epochs_done FROM trials')" 'complete|time|1' 'in no time'
expect 0 "$besom" run relaxed.json -j 2 --out hurried
equal "$(sql hurried 'SELECT DISTINCT status, stopped, epochs_done FROM trials')" 'complete||3' 'with more time'
expect 0 "$besom" run relaxed.json -j 2 --out relaxed
same_results relaxed hurried

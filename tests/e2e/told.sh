#!/bin/sh
# What a trainer has told and saved, and never tells again, survives a kill of the runner; and where it does not, as
# after a power cut that took the log's end, the trial begins again by itself.
. "$(dirname "$0")/lib.sh"

# Tells first, then saves, keeps no history.  A chaotic map: a state of another epoch gives other bits.
cat >tells.py <<'S2'
import json, os, time
config = json.load(open(os.environ["BESOM_CONFIG"]))
path = os.environ["BESOM_CHECKPOINT_DIR"] + "/state.json"
state = json.load(open(path)) if os.path.exists(path) else {"epoch": 0, "x": config["x"]}
if config["x"] < 0.15:  # the other one never says where it begins
    print(json.dumps({"event": "start", "from_epoch": state["epoch"], "deterministic": True}), flush=True)
while state["epoch"] < config["epochs"]:
    state["epoch"] += 1
    state["x"] = 3.9 * state["x"] * (1 - state["x"])
    print(json.dumps({"epoch": state["epoch"], "val_accuracy": state["x"], "seconds": 0.01}), flush=True)
    with open(path + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(path + ".tmp", path)
    while os.path.exists(f"pause-{state['epoch']}"):
        time.sleep(0.01)
S2
cat >tells.json <<S2
{"name": "tells", "config": {"epochs": 60}, "grid": {"x": [0.1, 0.2]}, "trainer": ["/usr/bin/python3", "-S", "-E", "$work/tells.py"]}
S2
expect 0 "$besom" run tells.json --out whole
metrics whole >metrics.want
equal "$(wc -l <metrics.want)" 120 'metrics'

saved() { # DIR EPOCH: the states of both trials are at it
  [ "$(grep -l "\"epoch\": $2," "$1"/trials/*/state.json | wc -l)" = 2 ]
}

# ---- a runner that is killed while its trainers are ahead of the database, which another program has locked ----
kill_ahead() { # DIR STORED TOLD: the database has the epochs up to STORED, the trainers have told and saved them up to TOLD
  touch "pause-$2" "pause-$3"
  "$besom" run tells.json -j 2 --out "$1" >log 2>&1 </dev/null &
  runner=$!
  wait_for 60 has_rows "$1" $((2 * $2))
  rm -f held locked
  mkfifo locked
  { printf 'BEGIN IMMEDIATE;\n.shell touch held\n'; cat locked; } | sqlite3 -batch -cmd '.timeout 10000' "$1/results.db" >/dev/null &
  holder=$!
  wait_for 60 test -e held
  rm "pause-$2"
  wait_for 60 saved "$1" "$3"
  kill -9 "$runner"
  wait "$runner" 2>/dev/null
  : >locked
  wait "$holder"
  rm "pause-$3"
  no_worker_left
}
kill_ahead logged 5 40
equal "$(sql logged 'SELECT sum(epochs_done) FROM trial')" 10 'epochs that are in the database'
[ "$(grep -l '"epoch": 40,' logged/trials/*/log | wc -l)" = 2 ] || fail 'the logs lack what was told'
cp -r logged lost
expect 0 "$besom" verify --out logged
ended=$(sql logged 'SELECT max(started_at) FROM attempt')
sleep 1.5
expect 0 "$besom" run tells.json -j 2 --out logged
metrics logged >metrics.got
cmp metrics.want metrics.got || fail 'the metrics are others than undisturbed'
equal "$(sql logged "SELECT count(*), sum(reason = 'runner died') FROM attempt")" '4|2' 'attempts'
equal "$(sql logged 'SELECT count(*) FROM epoch WHERE attempt = 1 AND epoch <= 40')" 80 'epochs of the attempts that were killed'
# The time between the runs is nobody's.
equal "$(sql logged "SELECT count(*) FROM epoch WHERE attempt = 1 AND at > $ended + 60")" 0 'epochs told after the kill'
[ "$(sql logged 'SELECT max(e.at) < min(a.started_at) FROM epoch e, attempt a WHERE e.attempt = 1 AND a.attempt = 2')" = 1 ] ||
  fail 'epochs of the killed attempt are dated into the next run'
ls -d logged/trials/*/aside* 2>/dev/null && fail 'a state was put aside without need'
expect 0 "$besom" verify --out logged

# ---- the log's end is lost, too, as in a power cut ----
for log in lost/trials/*/log; do
  grep -v '"epoch": \(39\|40\),' "$log" >cut
  cp cut "$log"
done
equal "$(sql lost 'SELECT count(*) FROM epoch WHERE epoch IN (39, 40)')" 0 'what is to be lost is in the database'
expect 1 "$besom" run tells.json -j 2 --retries 0 --out lost
said 'epoch 39 is missing, the last is 60: its trainer has saved it and does not tell it; with --retry-failed' err
expect 0 "$besom" run tells.json -j 2 --retry-failed --out lost
metrics lost >metrics.got
cmp metrics.want metrics.got || fail 'begun again, the metrics are others than undisturbed'
equal "$(ls lost/trials/*/aside-1/state.json | wc -l)" 2 'states put aside'
equal "$(sql lost "SELECT count(*) FROM failures WHERE reason = 'missing epochs'")" 2 'failures'
expect 0 "$besom" verify --out lost

# ---- what is lost is the very last epoch: no later one tells of the gap, but the state is beyond it ----
kill_ahead last 59 60
for log in last/trials/*/log; do
  grep -v '"epoch": 60,' "$log" >cut
  cp cut "$log"
done
expect 0 "$besom" run tells.json -j 2 --out last
metrics last >metrics.got
cmp metrics.want metrics.got || fail 'without its last epoch, the metrics are others than undisturbed'
equal "$(sql last "SELECT count(*) FROM attempt WHERE reason = 'missing epochs'
  AND message LIKE 'epoch 60 is missing, and the state is beyond it: the trial begins again%'")" 2 'failures'
equal "$(ls last/trials/*/aside-1/state.json | wc -l)" 2 'states put aside'
expect 0 "$besom" verify --out last

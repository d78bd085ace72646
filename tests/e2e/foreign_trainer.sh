#!/bin/sh
# A trainer in another language sweeps as well as the built-in one: success, failure, retry, saved
# state, placeholders, environment, hostile output.
. "$(dirname "$0")/lib.sh"

# The ten lines of the documentation.
cat >plain.sh <<'S'
#!/bin/sh
echo "trial $BESOM_TRIAL, seed $BESOM_SEED, slot $BESOM_SLOT"
for epoch in 1 2 3; do
  echo "{\"epoch\": $epoch, \"val_accuracy\": 0.$epoch$1}"
done
S
cat >plain.py <<'S'
import json, os, sys
config = json.load(open(os.environ["BESOM_CONFIG"]))
for epoch in range(1, config["epochs"] + 1):
    print(json.dumps({"epoch": epoch, "val_accuracy": config["x"] / 10 + epoch / 100}), flush=True)
S
chmod +x plain.sh
cat >plain.json <<S
{"name": "plain", "config": {"epochs": 3, "inner": {"digit": 0}}, "grid": {"inner.digit": [1, 5]},
 "replicates": 2, "trainer": ["$work/plain.sh", "{inner.digit}", "{seed}"]}
S
expect 0 "$besom" run plain.json -j 2 --out plain
equal "$(sql plain "SELECT count(*) FROM curves")" 12 'rows'
equal "$(sql plain "SELECT best_value FROM trials ORDER BY 1 DESC LIMIT 1")" 0.35 'best value'
equal "$(sql plain 'SELECT group_concat("inner.digit") FROM (SELECT DISTINCT "inner.digit" FROM sweep_plain ORDER BY 1)')" 1,5 'axis column'
expect 0 "$besom" log 1 --out plain
said '^trial 1, seed 1, slot [12]$' out

cat >python.json <<S
{"name": "python", "config": {"epochs": 2}, "grid": {"x": [1, 2, 3]}, "trainer": ["python3", "$work/plain.py"]}
S
expect 0 "$besom" run python.json --out python
equal "$(sql python "SELECT label FROM leaderboard WHERE rank = 1")" 'x=3' 'best label'

# Fails always: tried 1 + retries times, keeps status and log, stops nothing else.
cat >mixed.sh <<'S'
#!/bin/sh
echo '{"epoch": 1, "val_accuracy": 0.5}'
case "$1" in
good) exit 0 ;;
bad) echo 'cannot go on: no such thing' >&2; exit 3 ;;
dies) kill -SEGV $$ ;;
diverged) echo '{"event": "failed", "reason": "diverged", "message": "loss is nan"}'; exit 1 ;;
esac
S
chmod +x mixed.sh
cat >mixed.json <<S
{"name": "mixed", "config": {"epochs": 1}, "grid": {"how": ["bad", "dies", "diverged", "good"]},
 "retries": 1, "trainer": ["$work/mixed.sh", "{how}"]}
S
expect 1 "$besom" run mixed.json --out mixed
equal "$(sql mixed "SELECT status FROM trials WHERE label = 'good'")" complete 'status of good'
said 'status mixed -s failed --out mixed  *why they failed' err
said 'dies  failed: killed by signal 11' err
equal "$(sql mixed "SELECT count(*) FROM trials WHERE status = 'failed'")" 3 'failed trials'
# The first attempt of each brings epoch 1, so it does not count against the retries.
equal "$(sql mixed "SELECT attempts FROM trials WHERE label = 'bad'")" 3 'attempts of bad'
equal "$(sql mixed "SELECT attempts FROM trials WHERE label = 'diverged'")" 1 'attempts of diverged'
equal "$(sql mixed "SELECT DISTINCT exit_status FROM failures JOIN trials USING (trial) WHERE label = 'bad'")" 3 'exit status'
equal "$(sql mixed "SELECT DISTINCT signal FROM failures JOIN trials USING (trial) WHERE label = 'dies'")" 11 'signal'
equal "$(sql mixed "SELECT reason FROM failures JOIN trials USING (trial) WHERE label = 'diverged'")" diverged 'reason'
equal "$(sql mixed "SELECT count(*) FROM failures WHERE log_tail LIKE '%no such thing%'")" 3 'log tails'
expect 0 "$besom" status mixed --out mixed
said '[-0-9]  exit status 3 ' out # words stand to the left in their column, also the short ones
expect 1 "$besom" run mixed.json --out mixed # failed trials are left alone
equal "$(sql mixed "SELECT attempts FROM trials WHERE label = 'bad'")" 3 'attempts of bad'
expect 1 "$besom" run mixed.json --retry-failed --out mixed
[ "$(sql mixed "SELECT attempts FROM trials WHERE label = 'bad'")" -gt 3 ] || fail '--retry-failed ran nothing'

# "Saved, call me again" is called again until it is done.
cat >saves.sh <<'S'
#!/bin/sh
state=$BESOM_CHECKPOINT_DIR/state
epoch=$(($(cat "$state" 2>/dev/null || echo 0) + 1))
echo "{\"epoch\": $epoch, \"val_accuracy\": 0.$epoch}"
echo "$epoch" >"$state"
[ "$epoch" = 4 ] || exit 85
S
chmod +x saves.sh
cat >saves.json <<S
{"name": "saves", "config": {"epochs": 4}, "trainer": ["$work/saves.sh"]}
S
expect 0 "$besom" run saves.json --out saves
equal "$(sql saves "SELECT status, attempts, epochs_done FROM trials")" 'complete|4|4' 'saved and called again'

# Whatever is printed, other trials and the runner go on.
cat >noise.sh <<'S'
#!/bin/sh
case "$1" in
long) head -c 20000000 /dev/zero | tr '\0' 'x' ;;
nul) printf 'a\0b\n{"epoch": 1, "val_accuracy": 0.1\0}\n' ;;
deep) head -c 2000000 /dev/zero | tr '\0' '[' | sed 's/^/{"a":/' ;;
utf8) printf '\377\376{\n{"epoch": 1, "\377": 1}\n' ;;
nan) printf '{"epoch": 1, "val_accuracy": NaN}\n{"epoch": 1, "val_accuracy": 1e999}\n' ;;
twice) printf '{"epoch": 1, "epoch": 2, "val_accuracy": 1}\n' ;;
wild) printf '{"epoch": -1}\n{"epoch": 0}\n{"epoch": 1e30}\n{"epoch": 1.5}\n{"epoch": "1"}\n' ;;
esac
echo
echo '{"epoch": 1, "val_accuracy": 0.5, "odd": "inf"}'
S
chmod +x noise.sh
cat >noise.json <<S
{"name": "noise", "config": {"epochs": 1}, "trainer": ["$work/noise.sh", "{how}"],
 "grid": {"how": ["long", "nul", "deep", "utf8", "nan", "twice", "wild"]}}
S
expect 0 "$besom" run noise.json -j 2 --out noise
equal "$(sql noise "SELECT count(*) FROM curves WHERE metric = 'val_accuracy' AND epoch = 1 AND value = 0.5")" 7 'rows of noisy trainers'
equal "$(sql noise "SELECT count(*) FROM curves")" 14 'no other rows'

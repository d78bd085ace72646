#!/bin/sh
# Every command, as a user types it, against what sqlite3 says of the same database.
. "$(dirname "$0")/lib.sh"

for command in run init plan status compare curves report export show log check; do
  expect 0 "$besom" "$command" --help
  said '^Usage: besom '"$command" out
  said '^  besom '"$command" out
done
expect 2 "$besom" init --out elsewhere # it writes no results
expect 0 "$besom" --help
expect 0 "$besom" --version
for command in train eval inspect list export probe check; do
  expect 0 "$trainer" "$command" --help
done

# init -> plan -> run
expect 0 "$besom" init mine.json
expect 2 "$besom" init mine.json # it is there already
expect 0 "$besom" plan mine.json
said 'new' out
[ ! -e besom-out ] || fail 'plan made a results folder'
sed -i 's/"train": 10000, "test": 2000/"train": 1000, "test": 500/; s/"replicates": 1/"replicates": 2/' mine.json
expect 0 "$besom" run mine.json -j 2
[ ! -s out ] || fail 'run wrote to standard output'
said '10 trials complete' err
said 'rank' err
said '^Next:' err

db() { sql besom-out "$1"; }
equal "$(db "SELECT count(*) FROM trials WHERE status = 'complete'")" 10 'complete trials'
# What it says to type next can be typed: besom is called as it was here.
sed -n '/^Next:/,$s/^\(Next:\)\{0,1\} *\(.*\)/\2/p' err | sed 's/  .*//' >next
[ "$(wc -l <next)" = 3 ] || fail "not three commands: $(cat next)"
while read -r line; do
  expect 0 sh -c "$line"
done <next
equal "$(db 'SELECT count(*) FROM leaderboard')" 5 'grid points'
equal "$(db 'SELECT count(*) FROM curves')" 180 '10 trials x 3 epochs x 6 metrics'
equal "$(db 'SELECT DISTINCT n FROM leaderboard')" 2 'replicates'
db 'SELECT activation, optimizer, val_accuracy_best FROM sweep_mine' >/dev/null

expect 0 "$besom" compare mine --format csv
head -n 1 out | grep -q 'rank,optimizer,activation,val_accuracy,std,ci_low,ci_high,n,best_trial' || fail "$(head -n 1 out)"
equal "$(sed -n 2p out | tr -d '\r' | cut -d, -f9)" "$(db 'SELECT best_trial FROM leaderboard WHERE rank = 1')" 'best trial'
equal "$(tail -n +2 out | tr -d '\r' | awk -F, '{printf "%.10f\n", $4}' | tr '\n' ' ')" \
  "$(db "SELECT printf('%.10f', mean) FROM leaderboard ORDER BY rank" | tr '\n' ' ')" 'means of compare and leaderboard'
expect 0 "$besom" compare --by activation
said 'relu' out
expect 0 "$besom" compare mine --json
python3 -c 'import json; d = json.load(open("out")); assert len(d["leaderboard"]) == 5 and set(d["axes"]) == {"optimizer", "activation"}' || fail 'compare --json'
expect 2 "$besom" compare mine --by activatoin
said 'did you mean "activation"' err
expect 2 "$besom" compare mine --metric val_acuracy
said 'val_accuracy' err

expect 0 "$besom" status
said 'mine' out
expect 0 "$besom" status mine --json
python3 -c 'import json; assert len(json.load(open("out"))) == 10' || fail 'status --json'
expect 0 "$besom" show 1
said 'val_accuracy' out
said 'cp-0003.safetensors' out
expect 0 "$besom" show 1 --json
python3 -c 'import json; d = json.load(open("out")); assert len(d["curves"]) == 18, d' || fail 'show --json'
key=$(db 'SELECT substr(key, 1, 8) FROM trials WHERE trial = 3')
expect 0 "$besom" show "$key"
said '^trial 3:' out
expect 0 "$besom" log 1
said '"epoch": *1' out
expect 0 "$besom" curves mine --by optimizer
said 'sgd lr=0.1' out
expect 0 "$besom" curves mine --by optimizer --format csv
equal "$(wc -l <out)" 10 'rows of curves'

# Adding a value runs that alone; raising epochs continues finished trials; removing re-runs nothing.
sed -i 's/"tanh", "relu"/"relu", "tanh", "elu"/' mine.json
expect 0 "$besom" run mine.json
said '10 done, 6 new' err
sed -i 's/"epochs": 3/"epochs": 4/' mine.json
expect 0 "$besom" plan mine.json
said '16 extended' out
expect 0 "$besom" run mine.json -j 2
equal "$(db "SELECT min(epochs_done), max(epochs_done), max(attempts) FROM trials")" '4|4|2' 'epochs after raising them'
cp -r besom-out raised
rm -r besom-out
expect 0 "$besom" run mine.json -j 2
metrics raised >m1
metrics besom-out >m2
cmp m1 m2 || fail 'raised epochs differ from epochs asked for at once'

# JSON events, quiet, and the checkpoint programs.
expect 0 "$besom" run mine.json --json --out json
python3 - <<'P' || fail 'run --json'
import json
events = [json.loads(line) for line in open("out")]
kinds = [e["event"] for e in events]
assert kinds[0] == "started" and kinds[-1] == "finished", kinds
assert kinds.count("trial_ended") == 16 and kinds.count("epoch") == 64
P
[ ! -s err ] || fail "run --json wrote to standard error: $(cat err)"
rm -r json
expect 0 "$besom" run mine.json --quiet --out json
[ ! -s err ] || fail "run --quiet wrote: $(cat err)"

checkpoint=besom-out/trials/$(db 'SELECT key FROM trials WHERE trial = 1')/cp-0004.safetensors
expect 0 "$trainer" inspect "$checkpoint"
said 'weight' out
expect 0 "$trainer" eval "$checkpoint" --json
python3 - "$(db "SELECT printf('%!.17g', value) FROM curves WHERE trial = 1 AND epoch = 4 AND metric = 'val_loss'")" <<'P' || fail 'eval differs from the stored loss'
import json, sys
assert json.load(open("out"))["val_loss"] == float(sys.argv[1])
P

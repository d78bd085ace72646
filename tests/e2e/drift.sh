#!/bin/sh
# A sweep file edited between runs: what is run again and what is not, as docs/sweep-file.md says, and that no
# row is ever lost.
. "$(dirname "$0")/lib.sh"

# The trainer counts its starts in runs/; its loss depends on lr and epoch alone.
cat >train.sh <<'EOF'
#!/bin/sh
# train.sh LR
echo "$1" >>"$RUNS"
epochs=$(sed 's/.*"epochs":\([0-9]*\).*/\1/' "$BESOM_CONFIG")
state=$BESOM_CHECKPOINT_DIR/state
epoch=$(cat "$state" 2>/dev/null || echo 0)
echo "{\"event\": \"start\", \"from_epoch\": $epoch, \"deterministic\": true}"
while [ "$epoch" -lt "$epochs" ]; do
  epoch=$((epoch + 1))
  echo $epoch >"$state.tmp" && mv "$state.tmp" "$state"
  echo "{\"epoch\": $epoch, \"loss\": $1$epoch, \"gain\": 0.$epoch}"
done
echo '{"event": "done"}'
EOF
chmod +x train.sh
export RUNS="$work/runs"
: >"$RUNS"

sweep() { # NAME EPOCHS GRID [MORE]
  printf '{"name": "%s", "config": {"epochs": %s}, "grid": %s, "trainer": ["./train.sh", "{lr}"],\n"objective": "loss"%s}\n' \
    "$1" "$2" "$3" "${4-}" >sweep.json
}
# runs sweep.json: `started` has the rates whose trainer was started, in order of rates; no row that was
# there is missing or another
run_it() { # STARTED...
  if [ -f res/results.db ]; then metrics res; fi >rows.before
  : >"$RUNS"
  expect "${status:-0}" "$besom" run sweep.json -j 2 --out res
  equal "$(sort -g "$RUNS" | tr '\n' ' ')" "$(printf '%s ' "$@" | sed 's/^ $//')" "trainers started"
  metrics res >rows.after
  equal "$(comm -23 rows.before rows.after | wc -l)" 0 "rows lost"
}
count() { sql res "SELECT count(*) FROM $1"; }

sweep s 3 '{"lr": [0.1, 0.2]}'
run_it 0.1 0.2
run_it # nothing changed

# values: added, reordered, spelt otherwise, removed, back again
sweep s 3 '{"lr": [0.1, 0.2, 0.3]}'
run_it 0.3
sweep s 3 '{"lr": [0.3, 2e-1, 0.10]}'
run_it
sweep s 3 '{"lr": [0.2]}'
run_it
equal "$(count sweep_s)" 1 "trials of the sweep after two values were removed"
equal "$(count trial)" 3 "trials that are kept after two values were removed"
equal "$(sql res "SELECT count(DISTINCT trial) FROM curves")" 3 "trials with curves then"
expect 0 "$besom" status s --out res
sweep s 3 '{"lr": [0.1, 0.2, 0.3]}'
run_it

# comments, white space, order of keys
printf '// a note\n{ "grid": {"lr": [0.1, 0.2, 0.3]}, // and another\n "trainer": ["./train.sh", "{lr}"], "objective": "loss",\n "description": "x", "config": {"epochs": 3}, "name": "s"}' >sweep.json
run_it

# the objective: another order of the leaderboard, no training
expect 0 "$besom" compare s --out res --json
first=$(sql res "SELECT label FROM leaderboard WHERE rank = 1")
sweep s 3 '{"lr": [0.1, 0.2, 0.3]}' ', "objective": {"metric": "loss", "goal": "maximize"}'
sed -i 's/"objective": "loss",/ /' sweep.json
run_it
[ "$(sql res "SELECT label FROM leaderboard WHERE rank = 1")" != "$first" ] ||
  fail "the leaderboard does not follow the objective: $first"

# epochs: raised, all go on from where they are; lowered, all stay done with what they have
sweep s 5 '{"lr": [0.1, 0.2, 0.3]}'
run_it 0.1 0.2 0.3
equal "$(sql res "SELECT group_concat(DISTINCT from_epoch) FROM attempt WHERE attempt = 2")" 3 \
  "where the extended trials went on"
equal "$(count epochs)" 15 "epochs after 5 were asked for"
sweep s 2 '{"lr": [0.1, 0.2, 0.3]}'
run_it
equal "$(count epochs)" 15 "epochs after 2 were asked for"
sweep s 5 '{"lr": [0.1, 0.2, 0.3]}'
run_it

# replicates: raised, the further seeds are run; lowered, they stay
sweep s 5 '{"lr": [0.1, 0.2]}' ', "replicates": 2'
run_it 0.1 0.2
equal "$(sql res "SELECT group_concat(DISTINCT seed) FROM trials")" 1,2 seeds
sweep s 5 '{"lr": [0.1, 0.2]}'
run_it
equal "$(count trial)" 5 "trials after the replicates were lowered"

# exclude is no part of a key
sweep s 5 '{"lr": [0.1, 0.2, 0.4]}' ', "exclude": [{"lr": 0.4}]'
run_it

# another name: a sweep more, with the same trials
sweep renamed 5 '{"lr": [0.1, 0.2]}'
run_it
equal "$(count sweep_renamed)" 2 "trials under the new name"
equal "$(count trials)" 4 "rows of trials, of either sweep"
equal "$(count sweep_s)" 2 "trials under the old name"
equal "$(count trial)" 5 "trials after the sweep was renamed"

# another command is another trial; the old ones stay
sweep s 5 '{"lr": [0.1]}'
sed -i 's/"{lr}"\]/"{lr}", "--new"]/' sweep.json
run_it 0.1
equal "$(count trial)" 6 "trials after the command was changed"

# a key of the config that was not there before, and its removal
sweep s 5 '{"lr": [0.1]}'
sed -i 's/"epochs": 5/"epochs": 5, "width": 3/' sweep.json
run_it 0.1
sweep s 5 '{"lr": [0.1]}'
run_it

# a file that is no longer valid: told, with its place, and nothing is started, stored or lost
for damage in '$d' 's/"grid"/"gird"/' 's/0\.1/-/' 's/"epochs": 5/"epochs": "many", "epochs": 1/' 's/{lr}/{rate}/'; do
  sweep s 5 '{"lr": [0.1, 0.9]}'
  sed -i "$damage" sweep.json
  before=$(sha256sum <res/results.db)
  status=2 run_it
  said '^besom: sweep.json\|^sweep.json:' err
  equal "$(sha256sum <res/results.db)" "$before" "results.db after $damage"
done
: >sweep.json
status=2 run_it
rm sweep.json
status=2 run_it
sweep s 5 '{"lr": [0.1, 0.9]}'
run_it 0.9
equal "$(sql res 'PRAGMA integrity_check')" ok integrity
echo "drift: ok"

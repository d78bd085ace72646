#!/bin/sh
# What happens to the runner, and what counts across its restarts: being stopped is no hang, time limits and
# poisoned trials are remembered, whoever dies.
. "$(dirname "$0")/lib.sh"

cat >trainer.sh <<'S'
#!/bin/sh
# trainer.sh EPOCHS SECONDS: so many epochs, one in so many seconds; goes on where it was
trap 'stop=1' TERM
e=$(cat "$BESOM_CHECKPOINT_DIR/e" 2>/dev/null || echo 0)
while [ "$e" -lt "$1" ]; do
  sleep "$2"
  e=$((e + 1))
  echo $e >"$BESOM_CHECKPOINT_DIR/e"
  echo "{\"epoch\": $e, \"val_accuracy\": 0.5}"
  [ -z "${stop:-}" ] || exit 85
done
S
chmod +x trainer.sh

start() { # FILE OUT: in the background; its process id goes to $runner
  env --default-signal=INT "$besom" run "$1" --out "$2" >log 2>&1 </dev/null &
  runner=$!
}

# Stopped for longer than the limit: by SIGSTOP (the trainers run on) and by SIGTSTP (they stop, too).
cat >stopped.json <<S
{ "name": "stopped", "config": { "epochs": 24 }, "grid": { "x": [ 1, 2 ] }, "timeout": { "epoch_s": 4 },
  "retries": 0, "trainer": [ "$work/trainer.sh", "24", "0.5" ] }
S
start stopped.json stopped
wait_for 30 has_rows stopped 1
kill -STOP "$runner"
sleep 5
kill -CONT "$runner"
wait_for 30 has_rows stopped 26
kill -TSTP "$runner"
sleep 5
kill -CONT "$runner"
wait "$runner"
equal "$?" 0 'exit status after stops'
equal "$(sql stopped 'SELECT count(*) FROM failures')" 0 'failures after stops'
equal "$(sql stopped 'SELECT count(*) FROM epochs')" 48 'epochs after stops'
seconds=$(sql stopped 'SELECT max(seconds) FROM attempt')
wall=$(sql stopped 'SELECT max(ended_at - started_at) FROM attempt')
equal "$(echo "$seconds $wall" | awk '{ print ($2 - $1 > 7) }')" 1 "stops counted as time ($seconds s of $wall s)"

# The time of a trial: over its attempts, in several runs; then failed, until there is more of it.
limit() { # SECONDS
  cat >limit.json <<S
{ "name": "limit", "config": { "epochs": 20 }, "timeout": { "trial_s": $1, "grace_s": 10 },
  "trainer": [ "$work/trainer.sh", "20", "0.3" ] }
S
}
limit 3
start limit.json limit
wait_for 30 has_rows limit 3
kill -TERM "$runner"
wait "$runner"
equal "$?" 143 'exit status of the run that was stopped'
expect 1 "$besom" run limit.json --out limit
said 'its 3 s are used up (timeout.trial_s)' err
equal "$(sql limit "SELECT class || ' ' || reason || ' ' || exit_status FROM failures ORDER BY attempt DESC LIMIT 1")" \
  'timeout timeout 85' 'the attempt that used up the time'
used=$(sql limit 'SELECT sum(seconds) FROM attempt')
equal "$(echo "$used" | awk '{ print ($1 >= 3 && $1 < 6) }')" 1 "the seconds of both runs ($used)"
before=$(sql limit 'SELECT count(*) FROM epochs')
[ "$before" -lt 20 ] || fail 'the limit came too late'
expect 1 "$besom" run limit.json --out limit # left alone
equal "$(sql limit 'SELECT count(*) FROM attempt')" 2 'attempts without --retry-failed'
expect 1 "$besom" run limit.json --out limit --retry-failed # nothing to be gained
equal "$(sql limit 'SELECT count(*) FROM epochs')" "$before" 'epochs beyond the limit'
limit 60
expect 0 "$besom" run limit.json --out limit --retry-failed
equal "$(sql limit 'SELECT count(*) FROM epochs')" 20 'epochs with more time'
equal "$(sql limit 'SELECT count(*) FROM superseded')" 0 'epochs computed anew'

# Poison, while the runner dies of it as well: what its death cut short does not count, all else does.
cat >poison.sh <<'S'
#!/bin/sh
echo x >>"$BESOM_CHECKPOINT_DIR/../../../count"
[ "$BESOM_ATTEMPT" != 2 ] && exit 1
kill -KILL "$(cat "$BESOM_CHECKPOINT_DIR/../../../runner")"
sleep 600
S
chmod +x poison.sh
cat >poison.json <<S
{ "name": "poison", "config": { "epochs": 3 }, "retries": 2, "trainer": [ "$work/poison.sh" ] }
S
sh -c 'echo $$ >runner; exec "$0" run poison.json --out poison' "$besom" >log 2>&1 </dev/null
equal "$?" 137 'exit status of a runner that was killed'
no_worker_left
equal "$(sql poison 'SELECT count(*) FROM attempt')" 2 'attempts before the runner died'
expect 1 "$besom" run poison.json --out poison
equal "$(grep -c . count)" 4 'attempts at a poisoned trial (two, one lost, one)'
equal "$(sql poison "SELECT group_concat(class) FROM (SELECT class FROM failures ORDER BY attempt)")" \
  exit,lost,exit,exit 'classes'
expect 1 "$besom" run poison.json --out poison --retry-failed
equal "$(grep -c . count)" 7 'attempts after --retry-failed'

# Interrupted again and again before its first epoch: that is nobody's failure.
cat >slow.json <<S
{ "name": "slow", "config": { "epochs": 1 }, "retries": 0, "trainer": [ "sh", "-c", "sleep 2; echo '{\"epoch\": 1, \"val_accuracy\": 1}'" ] }
S
for round in 1 2 3; do
  start slow.json slow
  wait_for 30 sh -c "sqlite3 slow/results.db 'SELECT count(*) FROM attempt WHERE ended_at IS NULL' | grep -q 1"
  kill -TERM "$runner"
  wait "$runner"
  equal "$?" 143 "exit status of interruption $round"
done
expect 0 "$besom" run slow.json --out slow

# A reader of stdout that has seen enough.
cat >closed.json <<S
{ "name": "closed", "config": { "epochs": 4 }, "grid": { "x": [ 1, 2 ] }, "trainer": [ "$work/trainer.sh", "4", "0.1" ] }
S
{ "$besom" run closed.json --json --out closed 2>err </dev/null; echo "$?" >status; } | head -n 1 >first
wait_for 30 test -s status
equal "$(cat status)" 0 'exit status with a closed stdout'
grep -q '^{' first || fail 'no first line'
equal "$(sql closed "SELECT count(*) FROM trials WHERE status = 'complete'")" 2 'trials with a closed stdout'
if grep -i 'pipe' err; then fail 'a word about the pipe'; fi

# Ctrl-C once, twice, three times: asks, kills, and is patient.
cat >stubborn.json <<S
{ "name": "stubborn", "config": { "epochs": 9 },
  "trainer": [ "sh", "-c", "trap '' TERM INT; setsid sh -c 'trap \"\" TERM; sleep 600' & echo '{\"epoch\": 1, \"val_accuracy\": 1}'; while :; do sleep 0.2; done" ] }
S
start stubborn.json stubborn
wait_for 30 has_rows stubborn 1
kill -INT "$runner"
sleep 0.3
kill -0 "$runner" || fail 'the first SIGINT did not wait'
kill -INT "$runner"
kill -INT "$runner" 2>/dev/null
wait "$runner"
equal "$?" 130 'exit status after three SIGINT'
no_worker_left

# Somebody removes results.db, or the whole folder, under a run: it does not go on to fill files that nobody will find.
cat >gone.json <<S
{ "name": "gone", "config": { "epochs": 8 }, "trainer": [ "$work/trainer.sh", "8", "0.3" ] }
S
for what in results.db ""; do
  rm -rf gone
  start gone.json gone
  wait_for 30 has_rows gone 2
  rm -rf gone/$what || rm -rf gone
  wait "$runner"
  equal "$?" 74 "exit status when gone/$what was removed"
  said 'gone/results.db: removed or replaced' log
  no_worker_left
done
rm -rf gone
start gone.json gone
wait_for 30 has_rows gone 2
rm gone/results.db*
wait "$runner"
equal "$?" 74 'exit status when results.db and its log were removed'
expect 0 "$besom" rebuild --out gone
[ "$(sql gone 'SELECT count(*) FROM epochs')" -ge 2 ] || fail 'the epochs that were shown are not made anew'
expect 0 "$besom" run gone.json --out gone
expect 0 "$besom" verify --out gone

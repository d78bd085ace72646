#!/bin/sh
# The runner is killed at two dozen random moments of a sweep of a hundred very short trials, now and
# then after a SIGTERM that made its workers save in mid-epoch.  Nothing outlives it by a second, and
# the end is that of an undisturbed run, bit for bit.
. "$(dirname "$0")/lib.sh"

random() { # MAX: 0 ... MAX - 1
  echo $(($(od -An -N2 -tu2 /dev/urandom) % $1))
}

expect 0 "$besom" run "$here/many.json" -j 2 --out whole

kills=0
while [ "$kills" -lt 24 ]; do
  "$besom" run "$here/many.json" -j 2 --out cut >log 2>&1 </dev/null &
  runner=$!
  [ "$kills" -gt 0 ] || wait_for 20 has_rows cut 1 # the first time takes longer to begin
  sleep "0.$(printf %03d $((10 + $(random 100))))"
  if [ "$(random 3)" = 0 ]; then
    kill -TERM "$runner" 2>/dev/null
    sleep "0.$(printf %03d "$(random 15)")"
  fi
  kill -9 "$runner" 2>/dev/null
  wait "$runner" 2>/dev/null
  status=$?
  case $status in
  137 | 143) ;;
  0) break ;; # all was done
  *)
    cat log >&2
    fail "status $status of a runner that was killed"
    ;;
  esac
  no_worker_left
  kills=$((kills + 1))
done
[ "$kills" -ge 4 ] || fail "only $kills kills: the sweep is too short for this test"

expect 0 "$besom" run "$here/many.json" -j 2 --out cut
same_results whole cut
equal "$(sql cut "SELECT count(*) FROM trials WHERE status <> 'complete' OR epochs_done <> 4")" 0 'trials not complete'
equal "$(sql cut 'PRAGMA integrity_check')" ok 'the database'
died=$(sql cut "SELECT count(*) FROM failures WHERE reason = 'runner died'")
[ "$died" -ge 1 ] || fail "only $died attempts were under way when the runner was killed"
echo "$kills kills, $(sql cut 'SELECT count(*) FROM failures') attempts did not complete"

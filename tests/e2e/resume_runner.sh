#!/bin/sh
# Kills the runner with SIGKILL in mid-sweep, again and again, and resumes: all metrics and final
# checkpoints equal those of an uninterrupted run, bit for bit, and no worker outlives the runner.
. "$(dirname "$0")/lib.sh"

expect 0 "$besom" run "$here/tiny.json" -j 2 --out whole

rows=2
kills=0
while [ "$rows" -le 18 ]; do
  "$besom" run "$here/tiny.json" -j 2 --out cut >log 2>&1 </dev/null &
  runner=$!
  wait_for 60 has_rows cut "$rows"
  kill -9 "$runner" || break # it was faster: nothing to kill any more
  wait "$runner" 2>/dev/null
  no_worker_left
  kills=$((kills + 1))
  rows=$((rows + 5))
done
[ "$kills" -ge 1 ] || fail "only $kills kills: the sweep is too short for this test"

expect 0 "$besom" run "$here/tiny.json" -j 2 --out cut
said 'continued' err
same_results whole cut
equal "$(sql cut "SELECT count(*) FROM failures WHERE reason = 'runner died'" | sed 's/[1-9][0-9]*/some/')" some 'attempts closed as "runner died"'
equal "$(sql cut "SELECT count(*) FROM trials WHERE status <> 'complete'")" 0 'trials not complete'

expect 0 "$besom" run "$here/tiny.json" --out cut # nothing left to do
said '6 done' err

#!/bin/sh
# Kills workers with SIGKILL while the sweep runs: they are retried from their checkpoints, and all
# metrics and final checkpoints equal those of a run that nobody disturbed.
. "$(dirname "$0")/lib.sh"

sed 's/"train": 3000/"train": 12000/; s/"epochs": 4/"epochs": 6/' "$here/tiny.json" >longer.json
expect 0 "$besom" run longer.json -j 2 --out whole

"$besom" run longer.json -j 2 --out cut >log 2>&1 </dev/null &
runner=$!
kills=0
rows=1
while kill -0 "$runner" 2>/dev/null && [ "$kills" -lt 6 ]; do
  # after a new epoch, so that the attempt has brought something
  for _ in $(seq 400); do
    has_rows cut "$rows" && break
    kill -0 "$runner" 2>/dev/null || break
    sleep 0.02
  done
  kill_a_trainer
  rows=$((rows + 3))
done
wait "$runner" || {
  cat log >&2
  fail "the sweep failed"
}
[ "$kills" -ge 1 ] || fail "only $kills kills"
same_results whole cut
equal "$(sql cut "SELECT count(*) >= 1 FROM failures WHERE reason = 'signal' AND signal = 9")" 1 'attempts that died by signal 9'

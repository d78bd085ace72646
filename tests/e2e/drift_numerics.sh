#!/bin/sh
# A trial goes on with the kernels and the OpenBLAS core that it began with, or it is told that it does not.
. "$(dirname "$0")/lib.sh"

case "$("$trainer" --version | sed -n 2p)" in
*x86-64-v[34]) ;;
*)
  echo "SKIPPED: this processor has one set of kernels"
  exit 77
  ;;
esac
unset BESOM_KERNELS OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS
old="BESOM_KERNELS=v2 OPENBLAS_CORETYPE=Nehalem"
began="0.3.* Nehalem 1 thread, kernels x86-64-v2"

cat >config.json <<'EOF'
{"dataset": {"name": "blobs", "train": 4000, "features": 200}, "model": "mlp", "epochs": 6}
EOF
# One epoch, then stopped, as it began: env $old
begin() { # DIR
  sed 's/"epochs": 6/"epochs": 2/' config.json >short.json
  expect 0 env $old "$trainer" train short.json --checkpoint-dir "$1"
  rm "$1"/cp-0002.*
}

# ---- by hand: pinned, and equal to the bit ----
expect 0 env $old "$trainer" train config.json --checkpoint-dir whole
begin part
expect 0 "$trainer" train config.json --checkpoint-dir part
said "\"numerics\": \"openblas $began\"" out
said "this training began with openblas $began and goes on with it" err
cmp whole/cp-0006.safetensors part/cp-0006.safetensors || fail "pinned, but not equal"
cmp whole/origin.json part/origin.json || fail "the beginning was written anew"
expect 0 "$trainer" train config.json --checkpoint-dir new # or there was nothing to see
cmp -s whole/cp-0006.safetensors new/cp-0006.safetensors && fail "both numerics give the same bits"

# ---- evaluated as it was trained, or told that it is not ----
expect 0 "$trainer" eval whole
said '^val_loss .*equals the stored one$' out
said "this training began with openblas $began and is evaluated with it" err
(cd whole && expect 0 "$trainer" eval cp-0006.safetensors --json && said '"equal": true}$' out) || exit 1
expect 1 env BESOM_KERNELS=v3 "$trainer" eval whole
said '^val_loss .*DIFFERS from the stored' out
said "is evaluated with .*, so its bits may differ: BESOM_KERNELS=v3 is set" err
mkdir alone
cp whole/cp-0006.safetensors alone
expect 1 "$trainer" eval alone # or there was nothing to see
said "what it was trained with.* is not known" err
cp new/origin.json alone
expect 1 "$trainer" eval alone
expect 0 env $old "$trainer" eval alone
[ -s err ] || fail "not told that it is evaluated otherwise than origin.json says"
expect 0 "$trainer" eval new
[ -s err ] && fail "told something, where there is nothing"

# ---- explicit wins, and is told ----
begin part.2
expect 0 env BESOM_KERNELS=v3 "$trainer" train config.json --checkpoint-dir part.2
said "so its bits may differ: BESOM_KERNELS=v3 is set" err
said "Nehalem 1 thread, kernels x86-64-v3" out
begin part.3
expect 0 env OPENBLAS_CORETYPE=Sandybridge "$trainer" train config.json --checkpoint-dir part.3
said "so its bits may differ: OPENBLAS_CORETYPE=Sandybridge is set" err
said "Sandybridge 1 thread, kernels x86-64-v2" out

# ---- threads: the runner's 1 is nobody's wish ----
expect 0 env OPENBLAS_NUM_THREADS=2 "$trainer" train config.json --checkpoint-dir threads
rm threads/cp-*
expect 0 "$trainer" train config.json --checkpoint-dir threads
said " 2 threads," out
expect 0 env OPENBLAS_NUM_THREADS=1 BESOM_TRIAL=1 "$trainer" train config.json --checkpoint-dir threads
said " 2 threads," out
expect 0 env OPENBLAS_NUM_THREADS=1 "$trainer" train config.json --checkpoint-dir threads
said " 1 thread," out
said "so its bits may differ: OPENBLAS_NUM_THREADS=1 is set" err

# ---- what cannot be had: told, and it goes on; the rest is pinned ----
begin part.4
sed -i 's/Nehalem/Pentium9/' part.4/origin.json
expect 0 "$trainer" train config.json --checkpoint-dir part.4
said "so its bits may differ: this processor is not known to run OpenBLAS's code for Pentium9" err
said "kernels x86-64-v2" out
begin part.5
sed -i 's/"openblas": "0[^"]*"/"openblas": "9.9.9"/' part.5/origin.json
expect 0 "$trainer" train config.json --checkpoint-dir part.5
said "began with openblas 9.9.9 Nehalem .* so its bits may differ: this is OpenBLAS 0" err
said "\"numerics\": \"openblas $began\"" out
begin part.6
sed -i 's/x86-64-v2/x86-64-v9/' part.6/origin.json
expect 0 "$trainer" train config.json --checkpoint-dir part.6
said "so its bits may differ: this processor does not run the kernels x86-64-v9" err

# a core that OpenBLAS calls otherwise afterwards: the program is executed again once, not for ever
begin part.10
sed -i 's/Nehalem/nEHALEM/' part.10/origin.json
expect 0 timeout 60 "$trainer" train config.json --checkpoint-dir part.10
said "so its bits may differ: OpenBLAS does not take the core nEHALEM" err

# ---- another trial's beginning is none of its own; a damaged one holds nothing up ----
begin part.7
sed -i 's/"trial": "..../"trial": "0000/' part.7/origin.json
expect 0 "$trainer" train config.json --checkpoint-dir part.7
if grep -q "this training began" err; then fail "it took another trial's beginning"; fi
begin part.8
echo '{' >part.8/origin.json
expect 0 "$trainer" train config.json --checkpoint-dir part.8
said "origin.json: does not say how a training began; it is written anew" err
said '"core"' part.8/origin.json

# ---- asked to stop while it is executed again: saved all the same ----
begin part.9
sed 's/"epochs": 6/"epochs": 100000/' config.json >long.json
for delay in 0 0.01 0.02 0.03 0.04 0.05; do
  "$trainer" train long.json --checkpoint-dir part.9 >out 2>err &
  pid=$!
  sleep $delay
  # before it catches the signal it dies of it, which is the same to a runner
  kill -TERM $pid
  wait $pid 2>/dev/null
  status=$?
  [ $status = 85 ] || [ $status = 143 ] || fail "status $status when asked to stop after $delay s"
done

# ---- the same in a sweep ----
cat >sweep.json <<'EOF'
{"name": "drift", "config": {"dataset": {"name": "blobs", "train": 4000, "features": 200},
 "model": "mlp", "epochs": 25, "checkpoint": {"every": 3}}, "grid": {"activation": ["relu", "tanh"]}}
EOF
interrupt() { # DIR ENV...
  dir=$1
  shift
  env "$@" "$besom" run sweep.json -j 2 --out "$dir" >out 2>err </dev/null &
  runner=$!
  wait_for 60 has_rows "$dir" 2
  kill -9 $runner
  wait $runner 2>/dev/null
  no_worker_left
  equal "$(sql "$dir" "SELECT count(*) FROM trials WHERE status = 'complete'")" 0 "complete trials"
}
expect 0 env $old "$besom" run sweep.json -j 2 --out undisturbed
interrupt drifted $old
expect 0 "$besom" run sweep.json -j 2 --out drifted
if grep -q "other numerics" err; then fail "warned, although pinned"; fi
same_results undisturbed drifted

# Nothing of a core that is not there: the runner warns, and what comes out with other bits is refused,
# with the likely cause.
interrupt forged $old
sed -i 's/Nehalem/Pentium9/; s/x86-64-v2/x86-64-v9/' forged/trials/*/origin.json
rm -f forged/trials/*/cp-*
note_rows forged
expect 1 "$besom" run sweep.json -j 2 --out forged
said "goes on with other numerics, so its bits may differ: \"openblas $began\" before" err
equal "$(sql forged "SELECT DISTINCT reason FROM failures WHERE reason <> 'runner died'")" \
  nondeterministic "reasons"
equal "$(sql forged "SELECT count(*) FROM trials WHERE error LIKE '%numerics have changed%'")" \
  "$(sql forged "SELECT count(*) FROM trials WHERE status = 'failed'")" "errors that name the cause"
rows_stayed forged
# besom show tells both.
failed=$(sql forged "SELECT max(trial) FROM trials WHERE status = 'failed'")
expect 0 "$besom" show "$failed" --out forged
said "^  trainer    besom-trainer [0-9.]*, openblas $began\$" out
said "^             besom-trainer [0-9.]*, openblas .* (from attempt 2)\$" out
expect 0 "$besom" show --json "$failed" --out forged
said '"attempt": 2, "program": "besom-trainer ' out

# The way out that the message names: the numerics of the beginning, without what was saved with others.
rm -f forged/trials/*/cp-*
expect 0 env $old "$besom" run sweep.json -j 2 --retry-failed --out forged
if grep -q "other numerics" err; then fail "warned of a refused attempt, which has left nothing"; fi
same_results undisturbed forged
echo "drift_numerics: ok"

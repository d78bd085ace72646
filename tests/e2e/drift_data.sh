#!/bin/sh
# A data set that changes under a sweep: truncated while it is mapped, replaced, restored, wanted by its
# fingerprint.
. "$(dirname "$0")/lib.sh"
python3 "$here/data_formats.py" sets || fail 'no sets'
set=sets/idx
export ASAN_OPTIONS="${ASAN_OPTIONS-}${ASAN_OPTIONS:+:}handle_sigbus=0" # the signal is what is looked at
cat >sweep.json <<'EOF'
{"name": "data", "config": {"dataset": "./sets/idx", "model": "mlp", "epochs": 40, "batch_size": 16},
 "grid": {"activation": ["relu", "tanh"]}}
EOF
expect 0 "$besom" run sweep.json -j 2 --out undisturbed

# ---- the mapped file is cut: its users die, and the next attempts decode it again ----
"$besom" run sweep.json -j 2 --out cut >out 2>err </dev/null &
runner=$!
wait_for 60 has_rows cut 2
for cache in cut/cache/*.cache; do truncate -s 4096 "$cache"; done
wait $runner || { cat err; fail "status $? after the cache was cut"; }
[ "$(sql cut "SELECT count(*) FROM failures WHERE reason = 'signal' AND signal = 7")" -ge 1 ] ||
  fail "nobody died of SIGBUS: $(sql cut 'SELECT reason, signal FROM failures')"
same_results undisturbed cut

# ---- the files are replaced while it runs: running attempts keep what they have, others are refused ----
"$besom" run sweep.json -j 2 --out replaced >out 2>err </dev/null &
runner=$!
wait_for 60 has_rows replaced 2
kill -9 $runner
wait $runner 2>/dev/null
no_worker_left
rm -f replaced/trials/*/cp-* # as if killed before the first checkpoint
cp -rp $set kept
labels=$set/train-labels-idx1-ubyte
[ -f "$labels" ] || fail "no $labels"
# another label, in a file of the same length and time
printf '\003\001\002' | dd of="$labels" bs=1 seek=20 conv=notrunc status=none
touch -r kept/train-labels-idx1-ubyte "$labels"
cmp -s kept/train-labels-idx1-ubyte "$labels" && fail "the labels were not changed"
note_rows replaced
expect 1 "$besom" run sweep.json -j 2 --out replaced
equal "$(sql replaced "SELECT DISTINCT reason FROM failures WHERE reason NOT IN ('runner died')")" differs reasons
said 'is not the one that this training began with: .* "fingerprint": ' err
rows_stayed replaced

# ---- the way out: the new data by name, which are trials of their own ... ----
printf '{"dataset": "./sets/idx"}' >config.json
expect 0 "$trainer" check config.json
new=$(sed -n 's/.*: ok, dataset //p' out)
sed 's|"./sets/idx"|{"name": "./sets/idx", "fingerprint": "'"$new"'"}|; s/"data"/"new"/' sweep.json >new.json
expect 0 "$besom" plan new.json --out replaced
said "2 new" out
# ... which are refused with any other, before anything starts
rm -rf $set && mv kept $set
expect 2 "$besom" run new.json --out replaced
said "new.json:1:.*dataset.fingerprint: the data set ./sets/idx is another one: $new is wanted" err

# ---- and the old data put back ----
expect 0 "$besom" run sweep.json -j 2 --retry-failed --out replaced
same_results undisturbed replaced

# ---- a source that is cut is refused by name ----
truncate -s 5000 $set/t10k-images-idx3-ubyte
expect 2 "$besom" run sweep.json --out cut
said "t10k-images-idx3-ubyte" err
echo "drift_data: ok"

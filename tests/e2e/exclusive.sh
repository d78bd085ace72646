#!/bin/sh
# Two runs never work on one folder: the second says so and exits 75.
. "$(dirname "$0")/lib.sh"

cat >slow.sh <<'S'
#!/bin/sh
echo '{"epoch": 1, "val_accuracy": 0.5}'
sleep 20
S
chmod +x slow.sh
echo "{\"name\": \"slow\", \"config\": {\"epochs\": 1}, \"trainer\": [\"$work/slow.sh\"]}" >slow.json
"$besom" run slow.json --out held >log 2>&1 </dev/null &
runner=$!
wait_for 20 has_rows held 1
expect 75 "$besom" run slow.json --out held
said 'held' err

# Readers are welcome meanwhile.
expect 0 "$besom" status --out held
said 'slow' out
expect 0 "$besom" plan slow.json --out held
equal "$(sql held "SELECT status FROM trials")" running 'status while it runs'

kill -9 "$runner"
wait "$runner" 2>/dev/null
no_worker_left

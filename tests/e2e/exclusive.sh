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
expect 0 "$besom" status slow --out held
said ' running ' out
expect 0 "$besom" show 1 --out held
said 'status     running' out
expect 0 "$besom" status slow -s paused --out held --json
equal "$(grep -c label out)" 0 'paused trials while it runs'

kill -9 "$runner"
wait "$runner" 2>/dev/null
no_worker_left

# Nobody has told the table yet, but nothing runs without a runner; and looking keeps nobody out.
equal "$(sql held "SELECT status FROM trials")" running 'what the killed runner left'
expect 0 "$besom" status slow --out held
said ' paused ' out
grep -q running out && fail 'status says that a trial is running, and nobody holds the folder'
expect 0 "$besom" status slow -s paused --out held
said ' paused ' out
expect 0 "$besom" show 1 --out held
said 'status     paused' out
expect 0 "$besom" show 1 --out held --json
said '"status": "paused"' out

# A sweep that is refused leaves no folder behind.
echo '{"name": "bad", "config": {"optimizer": "adaam"}, "trainer": ["besom-trainer", "train"]}' >bad.json
expect 2 "$besom" run bad.json --out fresh/deep
[ -e fresh/deep ] && fail "a refused sweep left $(find fresh)"
mkdir mine && echo precious >mine/file
expect 2 "$besom" run bad.json --out mine
[ -f mine/file ] || fail 'a folder that was there is gone'

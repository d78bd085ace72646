#!/bin/sh
# besom curves: what it draws on a terminal and elsewhere, its numbers against sqlite3, and following a run.
. "$(dirname "$0")/lib.sh"

command -v script >/dev/null || { echo "no script(1)" >&2; exit 77; }

# A trainer that learns nothing; an epoch takes `delay` seconds.
cat >stub.sh <<'S'
#!/bin/sh
lr=$1 seed=$2 epochs=$3 delay=$4 nan=$5
epoch=1
while [ "$epoch" -le "$epochs" ]; do
  sleep "$delay"
  loss=$(awk -v l="$lr" -v s="$seed" -v e="$epoch" 'BEGIN { printf "%.17g", exp(-l * e) + s / 1000 }')
  [ "$epoch" = "$nan" ] && [ "$seed" = 2 ] && loss='"nan"'
  printf '{"epoch": %d, "val_accuracy": 0.%d%d, "val_loss": %s}\n' "$epoch" "$epoch" "$seed" "$loss"
  epoch=$((epoch + 1))
done
S
chmod +x stub.sh
sweep() { # NAME EPOCHS DELAY NAN
  cat >"$1.json" <<S
{ "name": "$1", "config": { "epochs": $2, "lr": 0.1 },
  "grid": { "lr": [0.1, 0.5], "act": ["relu", "tanh"] }, "replicates": 2,
  "objective": { "metric": "val_accuracy", "goal": "maximize" },
  "trainer": [ "$work/stub.sh", "{lr}", "{seed}", "$2", "$3", "$4" ] }
S
}
db() { sql besom-out "$1"; }
# On a terminal of 100 columns and 30 rows: what it prints goes to `typescript`.
on_terminal() { # COMMAND
  TERM=xterm-256color LC_ALL=C.UTF-8 script -qefc "stty rows 30 cols 100; exec $1" typescript >/dev/null 2>&1 </dev/null
}
plain() { # what a typescript shows, without codes
  sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g' "$1"
}

sweep quick 4 0 3
expect 0 "$besom" run quick.json -j 4

# Words, dots and no codes where it is no terminal.
expect 0 "$besom" curves quick
said '^quick: val_accuracy by lr$' out
said 'means over the 8 complete of 8 trials' out
said 'band: 95% interval of the mean over replicates' out
said '^  epoch  1 .*4$' out
said '^  a 0.1 .* 4  0.4150  ±0.064 ' out # (0.41 + 0.42) / 2; half of their t(0.975, 1) * std / sqrt(2)
grep -q "$(printf '\033')" out && fail 'codes in a file'
grep -q '⠉\|⠒\|⠊\|⠤' out || fail 'no dots'
expect 0 "$besom" curves quick --color always
grep -q "$(printf '\033')" out || fail 'no codes with --color always'

# Gaps are told, of loss alone.
expect 0 "$besom" curves quick --metric val_loss,val_accuracy --by act --height 6
equal "$(grep -c '^quick: ' out)" 2 'a plot a metric'
equal "$(grep -c 'a gap at epoch 3, nan or infinite in 2 of 4' out)" 2 'gaps'

# The numbers are those of the plain query.
expect 0 "$besom" curves quick --by lr --format csv
equal "$(tr -d '\r' <out | awk -F, 'NR > 1 { printf "%s|%d|%.12f|%d\n", $1, $2, $3, $4 }')" \
  "$(db "SELECT lr, epoch, printf('%.12f', avg(value)), count(*) FROM curves JOIN sweep_quick USING (trial)
         WHERE metric = 'val_accuracy' GROUP BY lr, epoch ORDER BY min(trial), epoch")" 'means of curves'
equal "$(head -n 1 out | tr -d '\r')" 'lr,epoch,val_accuracy,n,low,high,trials,not_finite' 'columns'
expect 0 "$besom" curves quick --by label --where lr=0.5,act=tanh --format json
python3 -c 'import json; d = json.load(open("out")); assert len(d) == 4 and all(r["label"] == "lr=0.5 tanh" and r["n"] == 2 and r["low"] < r["val_accuracy"] < r["high"] for r in d), d' || fail 'curves --json'
expect 0 "$besom" curves quick --by none --metric val_loss --json
python3 -c 'import json; d = json.load(open("out")); assert [r["not_finite"] for r in d] == [0, 0, 4, 0] and d[2]["val_loss"] is None, d' || fail 'gaps in JSON'
expect 0 "$besom" curves quick --log --log-epochs --metric val_loss --band minmax --width 60 --height 8 --by none
said 'log scale' out
[ "$(LC_ALL=C.UTF-8 wc -L <out)" -lt 60 ] || fail 'wider than asked for'

# What is not there is named with what is.
expect 2 "$besom" curves quick --by ac
said 'act' err
expect 2 "$besom" curves quick --where act=relo
said 'relu' err
expect 2 "$besom" curves quick --metric val_los
said 'val_loss' err
expect 2 "$besom" curves quick --band wide
expect 2 "$besom" curves quick --width 20
expect 2 "$besom" curves quick --metric a,,b
expect 2 "$besom" curves quick --follow --format md

# --follow without a run: as it stands.
expect 0 "$besom" curves quick --follow
said 'no run is going on' err
equal "$(wc -l <out)" 8 'a line a point'
said '^epoch 4    0.1 .* val_accuracy 0.4150 ±0.064  n 4 of 4$' out

# On a terminal: colours, and nothing that moves the cursor unless it follows.
on_terminal "$besom curves quick" || fail 'curves on a terminal'
grep -q "$(printf '\033\\[36m')" typescript || fail 'no colours on a terminal'
grep -q "$(printf '\033\\[[0-9]*A')" typescript && fail 'moves the cursor'
plain typescript | grep -q '━ 0.1 .*0.4150' || fail 'no legend on a terminal'

# Beside a run: drawn anew in place, ends by itself with the run, and then shows all of it.
sweep slow 5 0.4 0
"$besom" run slow.json -j 2 >run.out 2>run.err </dev/null &
run=$!
wait_for 30 has_rows besom-out 33 # 32 of the other sweep
on_terminal "$besom curves slow --follow" &
terminal=$!
"$besom" curves slow --follow --by lr >lines 2>lines.err </dev/null &
lines=$!
"$besom" curves slow --follow --json >json 2>/dev/null </dev/null &
json=$!
wait "$run" || fail "run: $(cat run.err)"
for pid in $terminal $lines $json; do
  wait "$pid" || fail "a follower left with $?"
done
redraws=$(grep -c "$(printf '\033\\[[0-9]*A')" typescript)
[ "$redraws" -ge 4 ] || fail "drawn anew $redraws times"
plain typescript >shown
said 'means over .* under way, of 8' shown
said 'dotted: not all of a curve' shown
tail -n 8 shown | grep -q '━ 0.1 .* 5  0.5150 .* 4$' || fail "the last picture: $(tail -n 8 shown)"
tail -n 3 shown | grep -q 'Ctrl-C' && fail 'the last picture still speaks of Ctrl-C'
# The codes that switch something off are as many as those that switch it on again.
equal "$(grep -o "$(printf '\033\\[?7l')" typescript | wc -l)" "$(grep -o "$(printf '\033\\[?7h')" typescript | wc -l)" 'line wrap'
grep -q "$(printf '\033\\[?25l')" typescript && fail 'the cursor is hidden'
# As lines: the last of each point is the mean over both replicates; before it there were fewer.
for lr in 0.1 0.5; do
  for epoch in 1 2 3 4 5; do
    grep "^epoch $epoch    $lr " lines | tail -n 1 | grep -q "0.${epoch}150 .* n 4 of 4\$" || fail "epoch $epoch of $lr: $(cat lines)"
  done
done
grep -q "n [123] of 4\$" lines || fail "no mean over fewer: $(cat lines)"
python3 - <<'P' || fail 'curves --follow --json'
import json
last = {}
for line in open("json"):
    r = json.loads(line)
    last[r["lr"], r["epoch"]] = r
assert len(last) == 10 and all(r["n"] == 4 == r["trials"] for r in last.values()), last
P

# Ctrl-C: leaves at once, by its number, with the terminal as it was, and the run goes on.
sed -i 's/"slow"/"longer"/; s/0\.4", "0"/0.5", "1"/' slow.json
"$besom" run slow.json -j 2 >run.out 2>run.err </dev/null &
run=$!
wait_for 30 has_rows besom-out 73
python3 - "$besom" <<'P' || fail 'Ctrl-C on a terminal'
import fcntl, os, pty, select, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
    os.execv(sys.argv[1], [sys.argv[1], "curves", "longer", "--follow"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
before = termios.tcgetattr(fd)
seen, sent, end = b"", False, time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    if not sent and seen.count(b"following the run") >= 2:
        assert termios.tcgetattr(fd) == before, "terminal settings changed"
        os.write(fd, b"\x03")
        sent = True
status = os.waitpid(pid, 0)[1]
assert sent, seen
assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 130, status
assert seen.count(b"\x1b[?7l") == seen.count(b"\x1b[?7h") > 0
tail = seen.rsplit(b"\x1b[?7h", 1)[1]
assert b"\x1b" not in tail and seen.rsplit(b"\x1b[?7l", 1)[1].count(b"\x1b[0m") > 0, tail
P
kill -0 "$run" 2>/dev/null || fail 'the run ended with the follower'
kill -INT "$run"
wait "$run"
exit 0

#!/bin/sh
# Trainers that misbehave, each in its own way, beside each other: every one ends in the class and with the number of
# attempts that docs/protocol.md promises, nothing of them is left, and the trials beside them are unharmed.
. "$(dirname "$0")/lib.sh"

cat >trainer.sh <<'S'
#!/bin/sh
# trainer.sh KIND: three epochs, unless the kind says otherwise; `first` holds on the first attempt only
epoch() { echo "{\"epoch\": $1, \"val_accuracy\": 0.$1}"; }
rest() { for e in 1 2 3; do epoch $e; done; echo '{"event": "done"}'; }
first() { [ "$BESOM_ATTEMPT" = 1 ]; }
case $1 in
good) rest ;;
crash) epoch 1; kill -SEGV $$ ;;
status) epoch 1; exit 3 ;;
done-twice) rest; echo '{"event": "done"}' ;;
done-early) echo '{"event": "done"}' ;;
skips) epoch 1; epoch 3 ;;
hangs) epoch 1; sleep 600 ;;
hangs-at-once) sleep 600 ;;
hangs-and-saves) trap 'exit 85' TERM; epoch 1; while :; do sleep 0.1; done ;;
stubborn) trap '' TERM; epoch 1; while :; do sleep 0.1; done ;;
stops-itself) epoch 1; kill -STOP $$ ;;
no-stdout) epoch 1; exec >&-; sleep 600 ;;
daemon) # in a session of its own, by a parent that is gone; its child ignores SIGTERM
  setsid sh -c 'trap "" TERM HUP; (sleep 600 & wait) & exit 0'
  rest ;;
half-line) if first; then epoch 1; printf '{"epoch": 2, "val_accu'; kill -KILL $$; fi; rest ;;
poison) exit 1 ;;
diverges) epoch 1; echo '{"event": "failed", "reason": "diverged", "message": "loss is nan"}'; exit 1 ;;
# 300 MB in three processes, none of them above the limit of 200 alone
big) epoch 1; exec python3 -c '
import os, time
for _ in range(2):
    if os.fork() == 0: break
hold = bytearray(os.urandom(1 << 20)) * 100
time.sleep(600)' ;;
# as large, but one memory that three processes see
shared) python3 -c '
import os, time
hold = bytearray(os.urandom(1 << 20)) * 100
for _ in range(2):
    if os.fork() == 0: time.sleep(1.5); os._exit(0)
time.sleep(1.5)'; rest ;;
esac
S
chmod +x trainer.sh
cat >faults.json <<S
{ "name": "faults", "config": { "epochs": 3 }, "retries": 1,
  "grid": { "kind": [ "good", "crash", "status", "done-twice", "done-early", "skips", "hangs", "hangs-at-once",
    "hangs-and-saves", "stubborn", "stops-itself", "no-stdout", "daemon", "half-line", "poison", "diverges" ] },
  "timeout": { "epoch_s": 4, "grace_s": 1 },
  "trainer": [ "$work/trainer.sh", "{kind}" ] }
S
# No time limit here: a machine under load takes its time to fill a memory.
cat >memory.json <<S
{ "name": "memory", "config": { "epochs": 3 }, "retries": 1, "grid": { "kind": [ "big", "shared" ] },
  "limits": { "memory_mb": 200 }, "trainer": [ "$work/trainer.sh", "{kind}" ] }
S
expect 1 "$besom" run faults.json -j 16 --out res
no_worker_left
expect 1 "$besom" run memory.json -j 2 --out res
no_worker_left

# kind, status, attempts, class of the last attempt, its reason and signal.  With one retry an attempt that brought
# epoch 1 is followed by two that bring nothing new.
cat >want <<'S'
big|failed|2|memory|memory limit|9
crash|failed|3|signal|signal|11
daemon|complete|1|||
diverges|failed|1|diverged|diverged|
done-early|failed|2|protocol|incomplete|
done-twice|complete|1|||
good|complete|1|||
half-line|complete|2|||
hangs|failed|3|hang|hang|15
hangs-and-saves|failed|3|hang|hang|
hangs-at-once|failed|2|hang|hang|15
no-stdout|failed|3|hang|hang|15
poison|failed|2|exit|exit|
shared|complete|1|||
skips|failed|1|protocol|missing epochs|
status|failed|3|exit|exit|
stops-itself|failed|3|hang|hang|15
stubborn|failed|3|hang|hang|9
S
sql res "SELECT json_extract(params, '\$.kind'), status, attempts, class, reason, signal FROM trials t
  LEFT JOIN failures f ON f.trial = t.trial AND f.attempt = t.attempts ORDER BY 1" >got
diff want got || fail 'verdicts (< wanted, > got)'

equal "$(sql res "SELECT count(*) FROM failures f JOIN trials USING (trial) WHERE label = 'half-line'
  AND f.class = 'signal' AND log_tail LIKE '%val_accu%'")" 1 'the half of a line in the log'
equal "$(sql res "SELECT count(*) FROM epochs JOIN trials USING (trial) WHERE label = 'half-line'")" 3 'epochs of half-line'

# What it used is said, and kept; of the trainers that were not limited, too.
said 'used [23][0-9][0-9] MB, its limit is 200 MB' err
big=$(sql res "SELECT max(peak_mb) FROM attempt JOIN trials USING (trial) WHERE label = 'big'")
[ "${big%.*}" -ge 201 ] && [ "${big%.*}" -le 400 ] || fail "big used $big MB"
equal "$(sql res 'SELECT count(*) FROM attempt WHERE peak_mb IS NULL')" 0 'attempts without a peak'
big=$(sql res "SELECT trial FROM trials WHERE label = 'big'")
expect 0 "$besom" show "$big" --out res
said 'memory limit (memory)' out
said '^  memory  *at least [23][0-9][0-9] MB' out

# Nothing of the run is left in the control groups either.
if grep -q ' - cgroup2 ' /proc/self/mountinfo; then
  place=$(sed -n 's/.* \([^ ]*\) [^ ]* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
  [ -z "$(find "$place" -maxdepth 6 -name 'besom-*' -newer "$work/trainer.sh" 2>/dev/null)" ] || echo "note: groups in $place (of another run?)"
fi

# Programs that are there and may be executed, but cannot be: none was started, and the message says which and why.
printf '#!/nonexistent\n' >no-interpreter
printf '#!/etc/passwd\n' >no-program
chmod +x no-interpreter no-program
cat >unstarted.json <<S
{ "name": "unstarted", "config": { "epochs": 1 }, "retries": 1, "grid": { "kind": [ "no-interpreter", "no-program" ] },
  "trainer": [ "$work/{kind}" ] }
S
expect 1 "$besom" run unstarted.json --out unstarted
said "cannot start $work/no-interpreter: No such file or directory; it is there, but not its interpreter" err
said "cannot start $work/no-program: Permission denied" err
equal "$(sql unstarted "SELECT group_concat(reason || '|' || class || '|' || ifnull(exit_status, 'none'), ' ') FROM failures")" \
  'spawn|exit|none spawn|exit|none spawn|exit|none spawn|exit|none' 'reasons of those that were not started'

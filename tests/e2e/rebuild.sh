#!/bin/sh
# A results.db that is lost or damaged is made anew, equal to the lost one, whatever was in it.
. "$(dirname "$0")/lib.sh"

# Every row of every table, numbers included, and every view.  Names that no row uses any more are no loss, and
# `superseded` has no order.
dump() { # DIR
  for table in $(sql "$1" "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"); do
    case $table in
    metric) only='WHERE id IN (SELECT metric FROM value UNION SELECT metric FROM superseded UNION SELECT metric_id FROM sweep)' ;;
    heading) only='WHERE id IN (SELECT heading FROM cell)' ;;
    *) only= ;;
    esac
    columns=$(sql "$1" "SELECT group_concat('quote(' || name || ')', ',') FROM pragma_table_info('$table')")
    echo "== $table"
    sql "$1" "SELECT $columns FROM $table $only" | LC_ALL=C sort
  done
  sql "$1" "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"
}

lose() { # DIR: the database and what belongs to it
  rm -f "$1"/results.db "$1"/results.db-wal "$1"/results.db-shm
}

rebuilds_equal() { # DIR WHAT
  dump "$1" >dump.want
  lose "$1"
  expect 0 "$besom" rebuild --out "$1"
  dump "$1" >dump.got
  diff dump.want dump.got >dump.diff || {
    head -40 dump.diff >&2
    fail "$2: the new database differs from the lost one"
  }
}

# ---- everything that a foreign trainer can bring into the tables ----
cat >odd.sh <<'S'
#!/bin/sh
echo '{"event": "start", "from_epoch": 0, "numerics": "a calculator \u00e4", "program": "odd 1"}'
echo '{"epoch": 1, "val_accuracy": 0.1, "odd name, \"quoted\"": -0.0, "seconds": 0.25, "samples_per_second": 1e3}'
echo '{"epoch": 2, "val_accuracy": "nan", "inf": "inf", "minus": "-inf", "tiny": 5e-324, "huge": 1.7976931348623157e308}'
case "$1" in
fails) echo 'no such thing' >&2; exit 3 ;;
dies) kill -SEGV $$ ;;
gives_up) echo '{"event": "failed", "reason": "diverged", "message": "loss is \"nan\""}'; exit 1 ;;
varies) echo "{\"epoch\": 3, \"val_accuracy\": 0.$BESOM_ATTEMPT, \"third\": 0.3333333333333333}"
  [ "$BESOM_ATTEMPT" = 3 ] || exit 9 ;;
*) echo "{\"epoch\": 3, \"val_accuracy\": 0.3$2}" ;;
esac
echo '{"event": "layers", "at_epoch": 3, "layer": "fc", "index": 0, "mean": 0.1, "histogram": [1, 2]}'
echo '{"event": "done"}'
S
chmod +x odd.sh
cat >odd.json <<S
// the text of the file is kept, this too: ä
{"name": "odd", "description": "an \"odd\" one", "config": {"epochs": 3},
 "grid": {"how": ["fails", "dies", "gives_up", "varies", {"name": "good", "deep": {"er": 0.1, "b": true}}]},
 "replicates": 2, "retries": 1, "trainer": ["$work/odd.sh", "{how.name}", "{seed}"]}
S
sed 's/{how.name}/{how}/' odd.json >odd2.json # another trainer: other trials
expect 1 "$besom" run odd.json -j 2 --out odd
[ "$(sql odd 'SELECT count(*) > 0 FROM superseded')" = 1 ] || fail 'nothing was superseded'
[ "$(sql odd 'SELECT count(*) FROM layer')" -gt 0 ] || fail 'no layers'
rebuilds_equal odd 'odd values'
expect 1 "$besom" run odd.json --retry-failed --out odd # and on
rebuilds_equal odd 'after retries'
expect 0 "$besom" verify --out odd

# ---- several sweeps in a folder, shared trials, points that left ----
cat >one.sh <<'S'
#!/bin/sh
for epoch in 1 2; do echo "{\"epoch\": $epoch, \"loss\": $epoch.5$1, \"only_$1\": 1}"; done
S
chmod +x one.sh
sweep() { # NAME VALUES EPOCHS METRIC
  echo "{\"name\": \"$1\", \"config\": {\"epochs\": $3}, \"grid\": {\"x\": $2}, \"objective\": {\"metric\": \"$4\", \"goal\": \"minimize\"}, \"trainer\": [\"$work/one.sh\", \"{x}\"]}"
}
sweep a-one '[1, 2, 3, 4]' 2 loss >a.json
sweep b '[3, 4, 5]' 2 never_measured >b.json
expect 0 "$besom" run a.json --out shared
expect 0 "$besom" run b.json --out shared
sweep a-one '[4, 1]' 2 loss >a.json
expect 0 "$besom" run a.json --out shared
equal "$(sql shared 'SELECT count(*) FROM member WHERE NOT present')" 2 'points that left'
rebuilds_equal shared 'shared trials'
# More epochs are asked for than this trainer has: a plan that is newer than the trials' own rows.
sweep a-one '[1]' 3 loss >a.json
expect 1 "$besom" run a.json --retries 0 --out shared
rebuilds_equal shared 'asked for more'
expect 0 "$besom" run b.json --out shared
rebuilds_equal shared 'planned by another sweep since'

# ---- lost, and not made anew: nothing takes its place, and nothing the copies' ----
cp -r shared lost
copies() {
  (cd lost && find sweeps trials -type f -exec sha256sum {} + | sort)
}
copies >copies.want
for what in missing empty; do
  lose lost
  [ $what = missing ] || : >lost/results.db
  for words in 'run a.json' 'plan a.json' status 'compare b' verify; do
    expect 74 "$besom" $words --out lost
    said 'results.db: ' err
    said '"besom rebuild" makes it anew' err
  done
  [ -s lost/results.db ] && fail 'another database stands in its place'
  copies >copies.got
  cmp copies.want copies.got || fail "$what: the copies were touched"
done
expect 0 "$besom" rebuild --out lost
dump shared >dump.want
dump lost >dump.got
cmp dump.want dump.got || fail 'lost, refused, and then made anew: it differs'

# ---- damaged in every way, and kept ----
cp -r shared whole
for how in 'truncate -s 0' 'truncate -s 5000' 'dd bs=4096 seek=2 count=3 conv=notrunc if=/dev/urandom of=' 'cp /bin/sh'; do
  lose whole
  cp shared/results.db whole/results.db
  case $how in
  dd*) $how"whole/results.db" 2>dd.err ;;
  *) $how whole/results.db ;;
  esac
  cp whole/results.db damaged
  expect 0 "$besom" rebuild --out whole
  said '^the one before is whole/results.db.damaged-' out
  cmp damaged "$(sed -n 's/^the one before is //p' out)" || fail 'the damaged file was not kept as it was'
  dump whole >dump.got
  cmp dump.want dump.got || fail "$how: the new database differs"
  [ -e whole/rebuild.tmp ] && fail 'rebuild.tmp is left'
done
# A write-ahead log without its database is put aside as well: it must never meet the new one.
mv whole/results.db whole/results.db-wal
expect 0 "$besom" rebuild --out whole
[ -s whole/results.db-wal ] && fail 'a foreign write-ahead log stands beside the new database'
dump whole >dump.got
cmp dump.want dump.got || fail 'a database without its log'

# ---- when it does not ----
expect 2 "$besom" rebuild --out whole
said 'is intact, so it was left as it is; --force' err
mkdir whole/rebuild.tmp # of one that was interrupted
cp damaged whole/rebuild.tmp/results.db
cp damaged whole/rebuild.tmp/results.db-wal
expect 0 "$besom" rebuild --force --json --out whole
equal "$(sqlite3 :memory: "SELECT readfile('out') ->> '$.sweeps', readfile('out') ->> '$.trials', readfile('out') ->> '$.damaged'")" '2|5|0' '--json'
dump whole >dump.got
cmp dump.want dump.got || fail '--force'
expect 2 "$besom" rebuild --out nowhere
said 'nowhere: no such folder' err
mkdir empty
expect 2 "$besom" rebuild --out empty
[ -n "$(ls -A empty)" ] && fail 'something was put into a folder that is none of ours'
# One flipped bit in the header makes it another's, or a newer one's: nobody but the user can know better.
for header in 'user_version = 99' 'application_id = 7'; do
  sqlite3 whole/results.db "PRAGMA $header"
  expect 2 "$besom" run a.json --out whole
  expect 2 "$besom" rebuild --out whole
  said '--force makes it anew' err
  expect 0 "$besom" rebuild --force --out whole
  dump whole >dump.got
  cmp dump.want dump.got || fail "$header: the new database differs"
done
# What SQLite does not see at all, or not through a connection that only reads.
for damage in column check view; do
  case $damage in
  column) LC_ALL=C sed -i 's/class       TEXT/clasr       TEXT/' whole/results.db ;;
  check) sqlite3 whole/results.db "PRAGMA ignore_check_constraints = 1; UPDATE trial SET status = '#omplete' WHERE id = 1" ;;
  view) LC_ALL=C sed -i 's/CREATE VIEW failures AS/CREATE VIEW failuret AS/' whole/results.db ;;
  esac
  if [ $damage != view ]; then # which a run does not use
    expect 74 "$besom" run a.json --out whole
    said '"besom rebuild" makes it anew' err
  fi
  expect 0 "$besom" rebuild --out whole
  dump whole >dump.got
  cmp dump.want dump.got || fail "$damage: the new database differs"
done
(flock 9 && exec sleep 60) 9>>whole/lock &
holder=$!
wait_for 10 sh -c '! flock -n whole/lock true'
expect 75 "$besom" rebuild --force --out whole
kill $holder
wait $holder 2>/dev/null

# ---- damaged so that SQLite finds nothing: a flipped bit in a stored value ----
cat >grows.sh <<'S'
#!/bin/sh
# tells what it has not told yet
first=$(($(cat "$BESOM_CHECKPOINT_DIR/told" 2>/dev/null || echo 0) + 1))
last=$(sed 's/.*"epochs": *\([0-9]*\).*/\1/' "$BESOM_CONFIG")
for epoch in $(seq "$first" "$last"); do echo "{\"epoch\": $epoch, \"val_accuracy\": 0.$1$epoch}"; done
echo "$last" >"$BESOM_CHECKPOINT_DIR/told"
S
chmod +x grows.sh
grows() { # EPOCHS
  echo "{\"name\": \"grows\", \"config\": {\"epochs\": $1}, \"grid\": {\"x\": [1, 2, 3]}, \"retries\": 0, \"trainer\": [\"$work/grows.sh\", \"{x}\"]}"
}
grows 2 >grows2.json
grows 3 >grows3.json
expect 0 "$besom" run grows2.json --out flipped
key=$(sql flipped 'SELECT key FROM trial WHERE id = 2')
cp "flipped/trials/$key/rows.jsonl" rows.want
sqlite3 flipped/results.db 'UPDATE value SET bits = bits + 8, value = 0.25 WHERE trial = 2 AND epoch = 1'
equal "$(sql flipped 'PRAGMA integrity_check')" ok 'integrity_check'
expect 1 "$besom" verify --out flipped
expect 74 "$besom" rebuild --out flipped
said "^trial 2 ($key) differs from its copy: epoch 1, val_accuracy: 0.21 (bits .*) there, 0.25 (bits .*) here$" err
said 'differs from its copies.*--force makes it anew' err
# A run goes on with the trial: its copy is kept, and the user told.
expect 0 "$besom" run grows3.json -j 1 --out flipped
said 'trial 2 differs from its copy .*epoch 1, val_accuracy: 0.21 .* there, 0.25 .* here' err
cmp rows.want "flipped/trials/$key/rows.jsonl" || fail 'a copy was written over from a damaged database'
# So it is met again.
for words in 'run grows2.json' 'run grows3.json'; do
  expect 74 "$besom" $words --out flipped
  said 'results.db: damaged (trial 2 differs from its copy .*epoch 1, val_accuracy: 0.21 .* there, 0.25' err
  said 'besom rebuild --force' err
  cmp rows.want "flipped/trials/$key/rows.jsonl" || fail 'a copy was written over at the start of a run'
done
expect 1 "$besom" verify --out flipped
said "trials/$key/rows.jsonl" out
expect 74 "$besom" rebuild --out flipped
expect 0 "$besom" rebuild --force --out flipped # the third epoch is out of the log
expect 0 "$besom" verify --out flipped
equal "$(sql flipped "SELECT group_concat(value, ' ') FROM (SELECT value FROM curves WHERE trial = 2 ORDER BY epoch)")" '0.21 0.22 0.23' 'values'
expect 0 "$besom" run grows3.json --out flipped
expect 2 "$besom" rebuild --out flipped
said 'is intact' err
# What a log alone has, when the end of the write-ahead log is lost.
rm "flipped/trials/$(sql flipped 'SELECT key FROM trial WHERE id = 3')/rows.jsonl"
expect 2 "$besom" rebuild --out flipped
sqlite3 flipped/results.db 'DELETE FROM attempt WHERE trial = 3 AND attempt = 2'
expect 74 "$besom" rebuild --out flipped
said '^trial 3 .*its log has attempt 2, which results.db lacks$' err

# ---- copies that are damaged themselves ----
metrics whole >metrics.want
victim=$(sql whole "SELECT key FROM trial WHERE epochs_done = 2 ORDER BY id LIMIT 1")
printf x | dd of="whole/trials/$victim/rows.jsonl" bs=1 seek=700 conv=notrunc 2>dd.err
lose whole
expect 1 "$besom" rebuild --out whole
said "^whole/trials/$victim/rows.jsonl: damaged: its checksum does not match$" err
said '^1 file could not be used' out
metrics whole >metrics.got # out of its log
cmp metrics.want metrics.got || fail 'the log did not help'
rm whole/trials/$victim/log
lose whole
expect 1 "$besom" rebuild --out whole
equal "$(sql whole "SELECT status, attempts, epochs_done FROM trial WHERE key = '$victim'")" 'pending|0|0' 'a lost trial'
expect 1 "$besom" run a.json --retries 0 --retry-failed --out whole
expect 0 "$besom" run b.json --out whole
metrics whole >metrics.got
cmp metrics.want metrics.got || fail 'a lost trial did not come back'
# A sweep's: its trials are known from their own copies; its file again gives the rest.
cp shared/sweeps/b.jsonl b.kept
head -c 900 b.kept >shared/sweeps/b.jsonl
lose shared
expect 1 "$besom" rebuild --out shared
said '^shared/sweeps/b.jsonl: damaged' err
expect 0 "$besom" run b.json --out shared
sql shared "SELECT trial, epoch, metric, value FROM curves WHERE sweep = 'b' ORDER BY 1, 2, 3" >curves.got
[ -s curves.got ] || fail 'a sweep whose copy was damaged has no curves'

# ---- a runner that was killed, then the database lost: besom's own trainer, with looks at the layers ----
sed 's/"epochs": 4/"epochs": 6, "inspect": {"every": 2}/; s/"tiny"/"killed"/' "$here/tiny.json" >killed.json
expect 0 "$besom" run killed.json -j 2 --out undisturbed
rebuilds_equal undisturbed 'layers'
"$besom" run killed.json -j 2 --out killed >log 2>&1 </dev/null &
runner=$!
wait_for 120 has_rows killed 9
kill -9 "$runner"
wait "$runner" 2>/dev/null
no_worker_left
metrics killed >metrics.want
lose killed
expect 0 "$besom" rebuild --out killed
said 'out of the logs of ' out
metrics killed >metrics.got
LC_ALL=C comm -23 metrics.want metrics.got >metrics.lost
[ -s metrics.lost ] && fail "$(wc -l <metrics.lost) values that were in the database are not in the new one"
equal "$(sql killed "SELECT count(*) FROM attempt WHERE ended_at IS NULL OR reason = 'runner died' AND class IS NOT 'lost'")" 0 'attempts left open'
expect 0 "$besom" verify --out killed
expect 0 "$besom" run killed.json -j 2 --out killed
same_results killed undisturbed
layers="SELECT t.key, l.* FROM layers l JOIN trials t USING (trial) ORDER BY t.key, l.epoch, position"
sql killed "$layers" | cut -d'|' -f1,4- >layers.got
sql undisturbed "$layers" | cut -d'|' -f1,4- >layers.want
cmp layers.want layers.got || fail 'layers differ'

# ---- a trainer that pretends in its log ----
cat >pretends.sh <<'S'
#!/bin/sh
echo '{"event": "start", "from_epoch": 0, "deterministic": true}'
echo '{"epoch": 1, "loss": 1}'
echo '--- attempt 7, 2026-11-23T22:13:05Z'
echo '{"epoch": 50, "loss": 50}' >&2
echo '{"epoch": 2, "loss": 2}'
echo '--- the log goes on in log.tail'
echo '{"epoch": 3, "loss": 3}'
[ -e "$BESOM_CHECKPOINT_DIR/go" ] || sleep 60
S
chmod +x pretends.sh
cat >pretends.json <<S
{"name": "pretends", "config": {"epochs": 3}, "grid": {"x": [1]}, "objective": {"metric": "loss", "goal": "minimize"}, "trainer": ["$work/pretends.sh"]}
S
"$besom" run pretends.json --out pretends >log 2>&1 </dev/null &
runner=$!
wait_for 60 has_rows pretends 3
kill -9 "$runner"
wait "$runner" 2>/dev/null
no_worker_left
metrics pretends >metrics.want
lose pretends
expect 0 "$besom" rebuild --out pretends
metrics pretends >metrics.got
cmp metrics.want metrics.got || fail 'a trainer pretended'
equal "$(sql pretends 'SELECT group_concat(attempt), group_concat(DISTINCT reason) FROM attempt')" '1|runner died' 'attempts'
equal "$(sql pretends "SELECT status || '|' || epochs_done FROM trial")" 'paused|3' 'status'
for trial in pretends/trials/*; do touch "$trial/go"; done
expect 0 "$besom" run pretends.json --out pretends
metrics pretends >metrics.got
cmp metrics.want metrics.got || fail 'it went on otherwise'
rebuilds_equal pretends 'two attempts, one of them closed by the next run'

# ---- copies that an earlier run could not write are made up for ----
rm pretends/trials/*/rows.jsonl
truncate -s 100 pretends/sweeps/pretends.jsonl
expect 0 "$besom" run pretends.json --out pretends
rebuilds_equal pretends 'made up for'

#!/bin/sh
# besom export: CSV and lines of JSON read back by Python's own readers, against what the views say; a study that Optuna
# opens; files that are there, paths that cannot be, disks that are full.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3 # Debian's, which has Optuna
[ -x "$python" ] || python=python3
check() {
  "$python" "$here/export.py" "$@" || fail "export.py $*"
}

# Says what it is told, three epochs of it; LAST stands for the third.
cat >say.awk <<'S'
function word(v) { return v ~ /n/ ? "\"" v "\"" : v }
BEGIN {
  if (ARGV[1] == "fail") exit 3
  for (e = 1; e <= 3; e++)
    printf "{\"epoch\": %d, \"seconds\": 0.5, \"score\": %s, \"a,\\\"b\\\"\\u00e9 loss\": %.17g}\n", e, word(e == 3 ? ARGV[2] : ARGV[1]), sin(e * 7) / 3
}
S
cat >curve.awk <<'S'
BEGIN {
  srand(ARGV[5])
  for (e = 1; e <= 3; e++)
    printf "{\"epoch\": %d, \"score\": %.17g, \"val_loss\": %.17g}\n", e, log(ARGV[1]) * e / 7 + ARGV[2] / 100 + length(ARGV[3]) + rand() * 1e-3, 1 / 3 / e
}
S
cat >grid.json <<S
{ "name": "main-grid", "description": "\"quotes\" </script>", "config": { "epochs": 3 },
  "grid": { "lr": [0.1, 0.01, 0.001], "units": [32, 16], "bn": [true, false, null], "width": [1.5, 2],
            "opt": [{"name": "sgd", "lr": {"values": [0.3, 0.1]}}, "adam", "sgd lr=0.1"] },
  "exclude": [ {"lr": 0.1, "units": 16, "bn": null}, {"width": 2, "bn": false} ],
  "objective": { "metric": "score", "goal": "maximize" },
  "trainer": ["awk", "-f", "$work/curve.awk", "--", "{lr}", "{units}", "{opt.name}", "{width}", "{seed}"] }
S
cat >reps.json <<S
{ "name": "reps", "config": { "epochs": 3 }, "grid": { "lr": [0.1, 0.1001], "one": [7] }, "replicates": 3,
  "objective": { "metric": "score", "goal": "minimize" },
  "trainer": ["awk", "-f", "$work/curve.awk", "--", "{lr}", "1", "x", "1", "{seed}"] }
S
cat >odd.json <<S
{ "name": "odd", "config": { "epochs": 3 },
  "grid": { "v": ["nan", "inf", "-inf", "-0.0", "1e-320", "1.7976931348623157e308", "0.1", "30000000000000004", "fail"],
            "last": ["0.25", "nan"],
            "Label": ["a,\"b\"\r\n'; DROP TABLE trials; --", "</script>", " ä\u2028\ud83d\ude00\u0001 ", "=1+1"],
            "say \"hi\",\n[x]": [{"name": "nan", "to": [1, {"x": "\""}]}] },
  "objective": { "metric": "score", "goal": "minimize" }, "retries": 0,
  "trainer": ["awk", "-f", "$work/say.awk", "--", "{v}", "{last}"] }
S
cat >none.json <<S
{ "name": "none", "config": { "epochs": 3 }, "grid": { "v": ["fail"], "x": [1, 2] }, "retries": 0,
  "objective": { "metric": "score", "goal": "minimize" }, "trainer": ["awk", "-f", "$work/say.awk", "--", "{v}", "0"] }
S
expect 0 "$besom" run grid.json -j 2 -q
expect 0 "$besom" run reps.json -j 2 -q
expect 1 "$besom" run odd.json -j 2 -q
expect 1 "$besom" run none.json -j 2 -q

# All states, which no run leaves side by side.  Nobody holds this folder: what is said to run does not.
cp -r besom-out states
n=0
for status in pending running paused failed pruned cancelled complete; do
  n=$((n + 1))
  sql states "UPDATE trial SET status = '$status' WHERE id = $n"
done
sql states "DELETE FROM attempt WHERE trial = 7" # nothing is known of its time

# ---- rows ----

expect 0 "$besom" export --help
said '^  besom export quickstart -o study.db ' out
for sweep in main-grid reps odd none; do
  for what in trials curves; do
    for format in csv jsonl; do
      expect 0 "$besom" export $sweep --what $what --format $format
      [ ! -s err ] || fail "export to standard output talks: $(cat err)"
      cp out "$sweep-$what.$format"
      expect 0 "$besom" export $sweep --what $what -o "file.$format"
      said "^file.$format: [0-9]* rows* of $sweep\$" err
      cmp "$sweep-$what.$format" "file.$format" || fail "a file differs from standard output"
      rm "file.$format"
    done
    check rows besom-out $sweep $what "$sweep-$what"
  done
done
expect 0 "$besom" export
cmp out none-trials.csv || fail 'without a name: the sweep that ran last'
expect 0 "$besom" export grid.json -o - --out besom-out
cmp out main-grid-trials.csv || fail 'a sweep by its file'
expect 0 "$besom" export main-grid --out states
check states out
[ -z "$(ls -A | grep '[.]tmp$')" ] || fail 'a temporary is left'

# ---- Optuna ----

export TZ=ODD-5:45 # Optuna knows no time zones
expect 0 "$besom" export main-grid reps odd none -o study.db
said '^study.db: [0-9]* trials of main-grid and others' err
expect 0 "$besom" export main-grid reps odd none --at last --format optuna -o last.study
expect 0 "$besom" export main-grid --out states -o states.db
if "$python" -c 'import optuna' 2>/dev/null; then
  check optuna besom-out study.db best
  check optuna besom-out last.study last
  check optuna_states states.db
  check optuna_goes_on states.db study.db
else
  echo 'no Optuna here (Debian: python3-optuna): that it opens the file was not tested' >&2
fi

# ---- during a run ----

cat >slow.sh <<'S'
#!/bin/sh
for e in 1 2 3; do echo "{\"epoch\": $e, \"score\": 0.$e}"; done
while [ ! -e "$1" ]; do sleep 0.1; done
S
chmod +x slow.sh
cat >slow.json <<S
{ "name": "slow", "config": { "epochs": 3 }, "grid": { "x": [1, 2, 3] }, "objective": { "metric": "score", "goal": "maximize" },
  "trainer": ["$work/slow.sh", "$work/go"] }
S
"$besom" run slow.json -j 1 -q --out slow >/dev/null 2>&1 &
runner=$!
wait_for 60 has_rows slow 3
expect 0 "$besom" export slow --out slow
said '^1,[0-9a-f]*,x=1,running,' out
said '^3,[0-9a-f]*,x=3,pending,' out
expect 0 "$besom" export slow --out slow -o slow.db
: >go
wait $runner || fail 'the run was disturbed'
expect 0 "$besom" export slow --out slow
equal "$(grep -c ',complete,' out)" 3 'complete trials'

# ---- what is refused ----

expect 2 "$besom" export main-gird
said 'did you mean "main-grid"' err
expect 2 "$besom" export main-grid --format optuna
said 'needs a file' err
expect 2 "$besom" export main-grid --format optuna -o /dev/null
said 'regular file' err
expect 2 "$besom" export main-grid reps -o two.csv
said 'one sweep at a time' err
expect 2 "$besom" export main-grid main-grid -o two.db
said 'named twice' err
expect 2 "$besom" export main-grid --format cvs
said 'did you mean "csv"' err
expect 2 "$besom" export main-grid --what curve
said 'did you mean "curves"' err
expect 2 "$besom" export main-grid --ouput x.csv
said 'did you mean "--output"' err
expect 2 "$besom" export main-grid --at last
said 'goes with optuna' err
expect 2 "$besom" export main-grid --what curves -o x.db
said 'goes with csv and jsonl' err
[ ! -e two.csv ] && [ ! -e two.db ] && [ ! -e x.csv ] && [ ! -e x.db ] || fail 'something was written'

# A file that is there stays, unless it is told to go; the results themselves never go.
echo mine >mine.csv
expect 2 "$besom" export main-grid -o mine.csv
said 'mine.csv is there already; --force replaces it' err
equal "$(cat mine.csv)" mine 'a file that was there'
expect 0 "$besom" export main-grid -o mine.csv --force
cmp mine.csv main-grid-trials.csv || fail 'it was not replaced'
: >empty.csv
ln -s empty.csv link.csv
expect 0 "$besom" export main-grid -o link.csv
[ -L link.csv ] && cmp empty.csv main-grid-trials.csv || fail 'a link to an empty file'
sum=$(sha256sum <besom-out/results.db)
for file in besom-out/results.db study-link.db; do
  ln -sf besom-out/results.db study-link.db
  expect 2 "$besom" export main-grid --force -o $file
  said 'the results themselves' err
done
equal "$(sha256sum <besom-out/results.db)" "$sum" 'results.db'
: >study.db-journal
expect 2 "$besom" export main-grid --force -o study.db
said 'study.db-journal is there' err
rm study.db-journal
expect 0 "$besom" export main-grid -o /dev/stdout
cmp out main-grid-trials.csv || fail '/dev/stdout'

# Paths that cannot be, disks that are full.
for end in csv jsonl db; do
  expect 74 "$besom" export main-grid -o nowhere/x.$end
  said 'nowhere/x[.].*: No such file' err
  expect 74 "$besom" export main-grid -o mine.csv/x.$end
  said 'Not a directory' err
  expect 2 "$besom" export main-grid -o ./
  said 'that is a folder' err
done
"$besom" export odd --what curves >/dev/full 2>err
equal $? 74 'status with a full standard output'
equal "$(wc -l <err)" 1 'lines about it'
said 'standard output' err
expect 74 "$besom" export main-grid -o /dev/full
said '/dev/full: No space left on device' err
mkdir disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=32k tmpfs disk 2>/dev/null; then
  for end in csv jsonl db; do
    echo kept >disk/x.$end
    "$besom" export main-grid --force -o disk/x.$end >out 2>err
    status=$?
    kept=$(cat disk/x.$end) left=$(ls -A disk | grep -v "^x[.]")
    [ $status = 74 ] && [ "$kept" = kept ] && [ -z "$left" ] && grep -q 'disk/.*\(full\|No space\)' err || {
      umount disk
      fail "on a full disk: status $status, '$kept', '$left', $(cat err)"
    }
  done
  umount disk
else
  echo 'no tmpfs mounts here: a full disk was not tested' >&2
fi

# A closed pipe ends quietly, and a long sweep takes no more memory than a short one.
"$besom" export odd --what curves 2>err | head -n 1 >/dev/null
[ ! -s err ] || fail "a closed pipe: $(cat err)"
cp -r besom-out long
sql long "WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
          INSERT INTO value SELECT t.id, n.i, m.id, 0, 0.1, 0x3fb999999999999a FROM trial t, n, metric m
          WHERE t.id <= 50 AND m.name IN ('score', 'val_loss')"
ldd "$besom" | grep -q libasan || check memory "$besom" besom-out long # its allocator keeps what was freed

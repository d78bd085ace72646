#!/bin/sh
# Grids of any size, names of any bytes, another locale, a clock that is set, nothing in the environment, closed
# descriptors, or hardly any: each ends as in an ordinary place, or with a message that says why not.
. "$(dirname "$0")/lib.sh"
unset BESOM_KERNELS OPENBLAS_CORETYPE

cat >sweep.json <<'EOF'
{"name": "odd", "config": {"dataset": {"name": "blobs", "train": 300, "std": 1.25}, "model": "logistic", "epochs": 3},
 "grid": {"optimizer": ["sgd", {"name": "adam", "lr": 0.0125}]}}
EOF
expect 0 "$besom" run sweep.json -j 2 --out plain
same() { # DIR WHAT: the sweep in it ended as in an ordinary place
  equal "$(sql "$1" "SELECT count(*) FROM trials WHERE status = 'complete'")" 2 "complete trials: $2"
  same_results plain "$1"
}

# ---- sizes of grids ----
axes() { # COUNT of ten values each
  for i in $(seq "$1"); do printf '"a%s": [0,1,2,3,4,5,6,7,8,9],' "$i"; done | sed 's/,$//'
}
grid() { # PATTERN AXES [MORE]: refused at once
  printf '{"name": "big", "config": {"epochs": 1}, "grid": {%s}, "trainer": ["/bin/true"]%s}\n' "$2" "${3-}" >big.json
  for command in plan run; do
    expect 2 timeout 5 "$besom" $command big.json --out big
    said "$1" err
  done
}
grid '= 1000000000000 trials, at most 10000000' "$(axes 12)"
grid '= about 1.0e+30 trials, at most 10000000' "$(axes 30)"
grid '= 20000000 trials, at most 10000000\|20000000' "$(axes 7)" ', "replicates": 2'
grid 'at most 10000000' "$(axes 7)" ', "replicates": 100000'
grid 'every point is excluded' '"a": [1, 2]' ', "exclude": [{"a": 1}, {"a": 2}]'

# ---- names ----
quote=$(printf 'it'\''s "q" $(x) `y` \\ %%41 ?a#b;*')
newline=$(printf 'one\ntwo')
long=$(printf '%0255d' 7)
half=$(printf '%0150d' 7)
bytes=$(printf 'b\377\200d')
for name in 'two words' "$quote" "$newline" "$half" "$bytes" '-dash' ' '; do
  mkdir "./$name" || fail "mkdir $name"
  (cd "./$name" && cp ../sweep.json "./$name.json" &&
    "$besom" run -j 2 --out "./$name.d" -- "./$name.json" >out 2>err </dev/null &&
    "$besom" status --out "./$name.d" >>out 2>>err &&
    "$besom" show 1 --out "./$name.d" >>out 2>>err) || {
    cat "./$name/out" "./$name/err" >&2
    fail "status $? in a folder named '$name'"
  }
  mv "./$name/$name.d" moved
  rm -rf "./$name"
  same moved "a folder named '$name'"
  expect 0 "$besom" run sweep.json --out moved # a folder can be moved
  said '^2 .*done\|nothing\|2 trials complete' err
  rm -rf moved
done
# what is too long for SQLite or for the file system, and names of data that JSON can say
expect 0 "$besom" run sweep.json -j 2 --out "$long"
same "$long" 'a folder with a name of 255 bytes'
rm -rf "./$long"
expect 74 "$besom" run sweep.json --out "$long/$long"
said 'its path has [56][0-9][0-9] bytes, and SQLite takes 511' err
rm -rf "./$long"
expect 74 "$besom" run sweep.json --out "$long$long"
said 'File name too long' err
python3 "$here/data_formats.py" sets || fail 'no sets'
mkdir "$quote" && mv sets/idx "$quote/$newline"
python3 - "$quote/$newline" >named.json <<'EOF'
import json, sys
print(json.dumps({"dataset": "./" + sys.argv[1], "model": "logistic", "epochs": 1}))
EOF
expect 0 "$trainer" train named.json --checkpoint-dir "$quote/checkpoints"
expect 0 "$trainer" eval "$quote/checkpoints/cp-0001.safetensors"

# ---- decimal commas ----
mkdir locales
if localedef -i de_DE -f UTF-8 "$work/locales/de_DE.UTF-8" >/dev/null 2>&1; then
  german() { env LOCPATH="$work/locales" LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 LANGUAGE=de "$@"; }
  equal "$(german /usr/bin/printf %.1f 0,5)" 0,5 'the locale'
  expect 0 german "$besom" run sweep.json -j 2 --out german
  same german "decimal commas"
  for arguments in 'show 1' 'show --json 1' 'status' 'status odd --json' 'curves odd --json' 'compare odd' 'log 1'; do
    expect 0 "$besom" $arguments --out german
    sed 's/[0-9.]* s\b//g; s/"[a-z_]*at": [^,}]*//g' out >plain.out
    expect 0 german "$besom" $arguments --out german
    sed 's/[0-9.]* s\b//g; s/"[a-z_]*at": [^,}]*//g' out >german.out
    cmp plain.out german.out || fail "$arguments prints other numbers with decimal commas"
  done
  first=$(echo german/trials/*/cp-0003.safetensors | cut -d' ' -f1)
  expect 0 "$trainer" inspect "$first"
  mv out plain.out
  expect 0 german "$trainer" inspect "$first"
  cmp plain.out out || fail 'inspect prints other numbers with decimal commas'
else
  echo 'no localedef: decimal commas were not tried' >&2
fi

# ---- the wall clock is set, an hour back and two forth, while it runs ----
if [ -f "${BESOM_CLOCK_LIBRARY-}" ]; then
  sed 's/"epochs": 3/"epochs": 3000/; s/"train": 300/"train": 3000/' sweep.json >long.json
  shifted() { env LD_PRELOAD="$BESOM_CLOCK_LIBRARY" CLOCK_SHIFT="$work/shift" "$@"; }
  echo 0 >shift
  shifted date >/dev/null || fail 'the library is not loaded'
  before=$(date +%s)
  echo -3600 >shift
  [ "$(shifted date +%s)" -lt $((before - 3000)) ] || fail 'the clock was not shifted'
  echo 0 >shift
  LD_PRELOAD="$BESOM_CLOCK_LIBRARY" CLOCK_SHIFT="$work/shift" "$besom" run long.json -j 2 --out clock \
    >out 2>err </dev/null &
  runner=$!
  seen=0
  for step in -3600 3600 0 -3600 0; do
    wait_for 60 has_rows clock $((seen + 20))
    echo $step >shift
    seen=$(sql clock 'SELECT count(*) FROM epochs')
  done
  kill -TERM $runner
  wait $runner
  status=$?
  [ $status = 143 ] || [ $status = 0 ] || fail "status $status after the clock was set"
  equal "$(sql clock "SELECT count(*) FROM epochs WHERE seconds < 0 OR samples_per_second < 0")" 0 'negative times'
  equal "$(sql clock "SELECT count(*) FROM trials WHERE seconds < 0")" 0 'trials of negative length'
  equal "$(sql clock "SELECT count(*) FROM attempt WHERE seconds < 0")" 0 'attempts of negative length'
  equal "$(sql clock "SELECT count(DISTINCT substr(at, 1, 13)) > 1 FROM epochs")" 1 'hours seen'
  if grep -q -e '-[0-9][0-9.]* *\(s\|min\|h\)\b' out err; then fail "a negative time was shown"; fi
  expect 0 "$besom" status --out clock
  expect 0 "$besom" verify --out clock
  echo 3600 >shift # and a run that begins in the future, then one in the past, on the same folder
  cp sweep.json short.json
  expect 0 shifted "$besom" run short.json -j 2 --out clock2
  echo -3600 >shift
  expect 0 shifted "$besom" run short.json -j 2 --out clock2
  sed -i 's/"epochs": 3/"epochs": 5/' short.json
  expect 0 shifted "$besom" run short.json -j 2 --out clock2
  expect 0 "$besom" verify --out clock2
else
  echo 'no clock library: the clock was not set' >&2
fi

# ---- a bare environment ----
(umask 077 && expect 0 "$besom" run sweep.json -j 2 --out private) || exit 1
same private 'umask 077'
equal "$(find private -perm /077 | wc -l)" 0 'files that others may read, under umask 077'
expect 0 env -u HOME -u XDG_CACHE_HOME -u TERM -u LANG -u PATH "$besom" run "$work/sweep.json" -j 2 --out homeless
same homeless 'without HOME, TERM and PATH'
expect 0 env -i "$besom" run sweep.json -j 2 --out bare
same bare 'without any environment'
expect 0 env -i "$besom" curves odd --out bare
expect 0 env TERM=nonsense COLUMNS=-5 LINES=x "$besom" compare odd --out bare

# ---- closed descriptors: the first files that are opened must not take their places ----
closed() { # DIR, descriptors closed by the caller
  "$besom" run sweep.json -j 2 --out "$1"
  equal "$?" "$2" "status of $1"
}
closed no-stdin 0 <&- >out 2>err
same no-stdin 'stdin closed'
(closed no-stderr 0 2>&- >out </dev/null) || exit 1
same no-stderr 'stderr closed'
"$besom" run sweep.json -j 2 --out no-stdout >&- 2>err </dev/null
same no-stdout 'stdout closed'
"$besom" run sweep.json -j 2 --out nothing <&- >&- 2>&-
same nothing 'all closed'
equal "$(sql nothing 'PRAGMA integrity_check')" ok 'integrity with all closed'

# ---- hardly any descriptors: it is said, or waited for, but nothing aborts ----
# (a sanitizer's search for leaks needs some itself)
for count in 5 6 7 8 9 10 11 12 13 14; do
  for command in 'run sweep.json --out few' 'check --epochs 2 -- /bin/true'; do
    (ulimit -c 0 && ulimit -n "$count" && ASAN_OPTIONS=detect_leaks=0 exec timeout --preserve-status 3 "$besom" $command) >out 2>err </dev/null
    status=$?
    case $status in
    71 | 143) said 'open' err ;; # 143: it waited
    *) fail "status $status with $count descriptors: $command" ;;
    esac
  done
  rm -rf few
done

printf '{"dataset": "blobs", "model": "logistic", "epochs": 2}' >config.json
expect 0 "$trainer" train config.json --checkpoint-dir open
cp open/origin.json .
for closed in '<&- >&- 2>&-' '>&-'; do
  rm -rf shut
  eval "\"$trainer\" train config.json --checkpoint-dir shut $closed" 2>/dev/null
  equal $? 74 "status of a trainer that cannot say anything: $closed"
  cmp shut/origin.json origin.json || fail 'it wrote something else into origin.json'
  equal "$(stat -c %s shut/.lock)" 0 'bytes in the lock file'
done
"$trainer" train config.json --checkpoint-dir mute <&- 2>&- >out
equal $? 0 'status of a trainer without stdin and stderr'
cmp mute/cp-0002.safetensors open/cp-0002.safetensors || fail 'it wrote something else into a checkpoint'
echo "odd_environments: ok"

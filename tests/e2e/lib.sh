# tests/e2e/lib.sh - what the end-to-end tests share.  Sourced, after BESOM_BIN (the folder of the
# built programs) was set by ctest.  Each test runs in a fresh folder that goes away with it.
set -u

: "${BESOM_BIN:?the folder of the built programs}"
besom=$BESOM_BIN/besom
trainer=$BESOM_BIN/besom-trainer
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
export XDG_CACHE_HOME="$work/cache"
unset NO_COLOR CI 2>/dev/null || true

cleanup() {
  # Whatever a failed test left running works below its folder.
  for pid in $(alive); do
    kill -9 "$pid" 2>/dev/null
  done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 1

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

# expect STATUS COMMAND...: runs it, output to files out and err, and compares its exit status
expect() {
  wanted=$1
  shift
  "$@" >out 2>err </dev/null
  got=$?
  if [ "$got" != "$wanted" ]; then
    echo "--- stdout" >&2
    tail -n 40 out >&2
    echo "--- stderr" >&2
    tail -n 40 err >&2
    fail "exit status $got, want $wanted: $*"
  fi
}

# said PATTERN FILE: the file has a line that matches
said() {
  grep -q -e "$1" "$2" || {
    cat "$2" >&2
    fail "no line like '$1' in $2"
  }
}

# Kills one of the trainers that run, if there is one, and counts it in `kills`.
kill_a_trainer() {
  for pid in $(alive); do
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = besom-trainer ]; then
      kill -9 "$pid" && kills=$((kills + 1))
      return
    fi
  done
}

sql() { # DIR QUERY
  sqlite3 -batch "$1/results.db" "$2" || fail "sqlite3: $2"
}

equal() { # GOT WANT WHAT
  [ "$1" = "$2" ] || fail "$3: got '$1', want '$2'"
}

# Every metric of every epoch with its bits, by the trial's key.
metrics() { # DIR
  sql "$1" "SELECT t.key, v.epoch, m.name, v.bits FROM value v JOIN metric m ON m.id = v.metric
            JOIN trial t ON t.id = v.trial ORDER BY 1, 2, 3"
}

# The checkpoints that a sweep ends with, by content.
checkpoints() { # DIR
  (cd "$1/trials" && find . -name 'cp-*' | sort | xargs -r sha256sum)
}

same_results() { # DIR DIR
  metrics "$1" >metrics.1
  metrics "$2" >metrics.2
  [ -s metrics.1 ] || fail "$1 has no metrics"
  cmp metrics.1 metrics.2 || fail "metrics of $1 and $2 differ"
  checkpoints "$1" >checkpoints.1
  checkpoints "$2" >checkpoints.2
  [ -s checkpoints.1 ] || fail "$1 has no checkpoints"
  cmp checkpoints.1 checkpoints.2 || fail "checkpoints of $1 and $2 differ"
}

# Notes the rows of a folder whose runner was killed, and what its trainers had told by then.
note_rows() { # DIR
  sql "$1" "SELECT t.key, v.epoch, v.metric, v.bits FROM value v JOIN trial t ON t.id = v.trial" | sort >rows.before
  rm -rf told
  mkdir told
  for log in "$1"/trials/*/log; do
    cp "$log" "told/$(basename "$(dirname "$log")")"
  done
}

# Those rows are all there as they were, and no other but of epochs that were told and not yet committed.
rows_stayed() { # DIR
  sql "$1" "SELECT t.key, v.epoch, v.metric, v.bits FROM value v JOIN trial t ON t.id = v.trial" | sort >rows.after
  equal "$(comm -23 rows.before rows.after)" '' 'rows that have changed'
  comm -13 rows.before rows.after | cut -d'|' -f1,2 | sort -u | while IFS='|' read -r key epoch; do
    grep -q "\"epoch\": *$epoch[,}]" "told/$key" || fail "epoch $epoch of trial $key is of no log"
  done || exit 1
}

# Processes below our folder that are alive: a dead one can stay a zombie for long.
alive() {
  grep -lsa "BESOM_CHECKPOINT_DIR=$work/" /proc/[0-9]*/environ | while read -r environ; do
    dir=${environ%/environ}
    state=$(sed 's/.*) \(.\).*/\1/' "$dir/stat" 2>/dev/null)
    case "$state" in Z | X | "") ;; *) echo "${dir#/proc/}" ;; esac
  done
}

no_worker_left() { # within a second
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -z "$(alive)" ] && return 0
    sleep 0.1
  done
  fail "workers outlived the runner: $(alive | xargs -r ps -o pid,args -p)"
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
  tries=$(($1 * 20))
  shift
  while [ "$tries" -gt 0 ]; do
    "$@" >/dev/null 2>&1 && return 0
    tries=$((tries - 1))
    sleep 0.05
  done
  fail "timed out waiting for: $*"
}

has_rows() { # DIR COUNT: at least so many epoch rows are committed
  [ -f "$1/results.db" ] &&
    [ "$(sqlite3 -batch "$1/results.db" 'SELECT count(*) FROM epochs' 2>/dev/null || echo 0)" -ge "$2" ]
}

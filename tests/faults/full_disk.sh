#!/bin/sh
# The results' disk is full: the run pauses and says so once, goes on by itself when there is room, and ends as an undisturbed
# run; in mid-sweep, when it starts, when it starts again after a kill, and while it plans.  How much is left decides what
# meets it first: the database, the memory that it shares, its tables, a checkpoint, the decoded images.  Asked to stop in
# mid-sweep it leaves with 74, as it gives up rows; before that with 128 + the signal; and the next run goes on.
# A trainer that dies of it is called again when there is room, and it does not count.  What reads results.db reads
# it on a full disk, too.
#
# Needs root and tmpfs; elsewhere it says that it was skipped and exits 77.
skip() {
  echo "SKIPPED, nothing was tested: $*" >&2
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'mounting a small disk needs root'
. "$(dirname "$0")/../e2e/lib.sh"
sweep=$here/../e2e/many.json
disk=$work/disk
runner=
tidy() {
  [ -z "$runner" ] || kill -9 "$runner" 2>/dev/null
  umount -l "$disk" 2>/dev/null
  cleanup
}
trap tidy EXIT
mkdir "$disk"
plug_in() {
  mount -t tmpfs -o size=100m tmpfs "$disk" || skip 'no tmpfs mounts here'
}
fill_but() { # KB
  available=$(df --output=avail -k "$disk" | tail -n 1)
  head -c $(((available - $1) * 1024)) /dev/zero >"$disk/ballast" 2>/dev/null # others write meanwhile
}
begin() { # SWEEP: in the background, where a shell would have it ignore Ctrl-C
  : >err # what a run before has said is no answer of this one
  env --default-signal=INT "$besom" run "$@" -j 2 --out "$disk/out" >out 2>err </dev/null &
  runner=$!
}
end() { # STATUS
  wait "$runner"
  got=$?
  runner=
  [ "$got" = "$1" ] || {
    cat err >&2
    fail "exit status $got, want $1"
  }
  no_worker_left
}
paused() {
  grep -q "no space left on the disk of $disk/out: paused" err
}
went_on() { # it said so, both once
  said 'there is room again' err
  equal "$(grep -c ': paused' err)" 1 'how often it says that it paused'
}
waits_and_goes_on() { # COMMAND...: what makes room
  wait_for 60 paused
  sleep 1.5
  kill -0 "$runner" 2>/dev/null || fail 'the run did not wait'
  "$@"
  end 0
  went_on
}
make_room() {
  rm "$disk/ballast"
}

# What reads, as programs get it, of a folder.  A run may be going on, of which err and out are.
look() { # DIR FILE
  trial=$(sqlite3 -batch -readonly whole/results.db 'SELECT key FROM trial ORDER BY id LIMIT 1')
  for words in 'status' 'status many' 'compare many' 'curves many' "show $trial"; do
    # shellcheck disable=SC2086 # words
    "$besom" $words --json --out "$1" 2>look.err </dev/null || {
      cat look.err >&2
      fail "besom $words in $1"
    }
  done >"$2"
  "$besom" plan "$sweep" --json --out "$1" >>"$2" 2>look.err </dev/null || fail "besom plan in $1: $(cat look.err)"
  "$besom" log "$trial" --out "$1" >>"$2" 2>look.err </dev/null || fail "besom log in $1: $(cat look.err)"
  "$besom" verify --out "$1" >verified 2>&1 || {
    cat verified >&2
    fail "besom verify in $1"
  }
}
# They say on a full disk what they say of a copy elsewhere.
reads_well() {
  rm -rf copy
  mkdir copy
  cp -r "$disk/out/." copy # the memory that is shared, too, where there is any
  rm -f copy/results.db-shm
  look "$disk/out" seen
  look copy seen.copy
  cmp seen seen.copy || fail 'read on a full disk it is another'
}

expect 0 "$besom" run "$sweep" -j 2 --out whole
for free_kb in 0 100 1500; do
  plug_in
  begin "$sweep"
  wait_for 30 has_rows "$disk/out" 5
  fill_but "$free_kb"
  wait_for 60 paused
  "$besom" compare many --json --out "$disk/out" >seen 2>&1 || fail "compare in mid-sweep: $(cat seen)"
  waits_and_goes_on make_room
  equal "$(sql "$disk/out" "SELECT count(*) FROM trials WHERE status <> 'complete'")" 0 'trials that are not complete'
  equal "$(sql "$disk/out" 'SELECT count(*) FROM failures')" 0 'failures'
  same_results whole "$disk/out"
  umount "$disk"
done

# Asked to stop while it is paused.
for signal in INT TERM; do
  plug_in
  begin "$sweep"
  wait_for 30 has_rows "$disk/out" 5
  fill_but 0
  wait_for 60 paused
  sleep 0.5
  kill -s "$signal" "$runner"
  asked=$(date +%s)
  end 74
  [ $(($(date +%s) - asked)) -le 45 ] || fail "$signal while paused: it took $(($(date +%s) - asked)) s to leave"
  said 'given up' err
  make_room
  expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
  same_results whole "$disk/out"
  umount "$disk"
done

# Started on a full disk, and with room for the first steps alone.  Nobody else comes in while it waits.
for free_kb in 0 8 64 150 800; do
  plug_in
  fill_but "$free_kb"
  begin "$sweep"
  wait_for 60 paused
  "$besom" run "$sweep" --out "$disk/out" >other 2>&1 </dev/null
  equal $? 75 'status of a second run'
  waits_and_goes_on make_room
  same_results whole "$disk/out"
  umount "$disk"
done

# Nor a free inode: for the folders, then the lock, results.db and what SQLite makes beside it, the decoded images.
for free in 0 1 2 3 4 5 6 7 8; do
  mount -t tmpfs -o size=100m,nr_inodes=3000 tmpfs "$disk" || fail 'no tmpfs with few inodes'
  mkdir "$disk/ballast"
  seq $(($(df --output=iavail "$disk" | tail -n 1) - free)) | (cd "$disk/ballast" && xargs touch)
  begin "$sweep"
  wait_for 60 paused
  sleep 0.5
  rm -r "$disk/ballast"
  end 0
  went_on
  same_results whole "$disk/out"
  umount "$disk"
done

# Asked to stop while it waits for its start.  What it has told by then is no lie: the same command goes on.
for signal in INT TERM HUP; do
  plug_in
  fill_but 64
  begin "$sweep"
  wait_for 60 paused
  sleep 0.5
  kill -s "$signal" "$runner"
  asked=$(date +%s)
  end $((128 + $(kill -l "$signal" 2>/dev/null || env kill -l "$signal")))
  [ $(($(date +%s) - asked)) -le 5 ] || fail "$signal before the start: it took $(($(date +%s) - asked)) s to leave"
  said 'the same command goes on' err
  make_room
  expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
  same_results whole "$disk/out"
  umount "$disk"
done

# Killed, and started again on a disk that is full since.  What it left is read meanwhile: with its memory and without,
# which a reader would have to make, before the next run and while that waits.
for left in alone shm; do
  plug_in
  begin "$sweep"
  wait_for 30 has_rows "$disk/out" 20
  kill -9 "$runner"
  wait "$runner" 2>/dev/null
  runner=
  no_worker_left
  [ -s "$disk/out/results.db-wal" ] || fail 'the killed run left no write-ahead log'
  [ $left = shm ] || rm "$disk/out/results.db-shm"
  fill_but 0
  reads_well
  for round in 1 2; do # each time all of them want the lock at one instant
    readers=
    for reader in 1 2 3 4 5 6 7 8; do
      { "$besom" status many --json --out "$disk/out" >"seen.$reader" 2>&1 || echo "status $?" >>"seen.$reader"; } &
      readers="$readers $!"
    done
    for reader in 1 2; do
      { "$besom" verify --out "$disk/out" >"verified.$reader" 2>&1 || echo "status $?" >>"verified.$reader"; } &
      readers="$readers $!"
    done
    # shellcheck disable=SC2086 # numbers
    wait $readers
    said '"complete"' seen.1
    grep '^status' verified.1 verified.2 && fail "verify beside readers (round $round)"
    for reader in 1 2 3 4 5 6 7 8; do
      cmp seen.1 "seen.$reader" || fail "readers at the same time disturb each other (round $round)"
    done
  done
  begin "$sweep"
  wait_for 60 paused
  "$besom" verify --out "$disk/out" >verified 2>&1 || fail "verify while a run waits: $(cat verified)"
  "$besom" compare many --json --out "$disk/out" >seen.1 2>&1 || fail "compare while a run waits: $(cat seen.1)"
  waits_and_goes_on make_room
  same_results whole "$disk/out"
  umount "$disk"
done

# A plan that is larger than the room.  None of it is seen before all of it is there, and the trials are counted once.
cat >short.sh <<'S'
#!/bin/sh
echo "{\"epoch\": 1, \"val_accuracy\": 0.$1}"
S
chmod +x short.sh
seq -s , 1000 1899 >numbers
echo "{\"name\": \"points\", \"config\": {\"epochs\": 1, \"about\": \"$(head -c 4000 /dev/zero | tr '\0' x)\"},
  \"grid\": {\"x\": [$(cat numbers)]}, \"trainer\": [\"$work/short.sh\", \"{x}\"]}" >points.json
expect 0 "$besom" run points.json -j 2 --out wide
grep '^sweep \|new$' err >told
[ -s told ] || fail 'the run does not say what it plans'
plug_in
fill_but 2500
begin points.json
wait_for 60 paused
"$besom" status --json --out "$disk/out" >seen 2>&1 || fail "status of a plan that waits: $(cat seen)"
grep -q points seen && fail 'half of a plan is seen'
waits_and_goes_on make_room
grep '^sweep \|new$' err | cmp - told || fail 'it counted its tries'
metrics wide >metrics.1
metrics "$disk/out" >metrics.2
equal "$(wc -l <metrics.1)" 900 'metrics'
cmp metrics.1 metrics.2 || fail 'metrics differ'
umount "$disk"

# Calls that tell of a full disk or quota where none is.  libinject.so is in release alone.
begin_with() { # CALL PATTERN NTH ERRNO: the sweep, with that call failing
  : >err
  rm -f inject.state
  truncate -s 4096 inject.state
  env --default-signal=INT LD_PRELOAD="$BESOM_INJECT_LIBRARY" BESOM_INJECT_STATE="$work/inject.state" \
    BESOM_INJECT="$(printf 'besom\t%s\t%s\tbefore\t%s\t%s' "$@")" \
    "$besom" run "$sweep" -j 2 --out "$disk/out" >out 2>err </dev/null &
  runner=$!
}
if [ -e "${BESOM_INJECT_LIBRARY:-}" ]; then
  plug_in
  for nth in 1 40 400; do # the tables, the plan, rows
    rm -rf "$disk/out"
    begin_with write '*/out/results.db-wal' $nth EDQUOT
    end 0
    went_on
    same_results whole "$disk/out"
  done
  # After the last trial, when the rows of the log are moved into results.db.
  begin_with write '*/out/results.db' 1 ENOSPC
  end 0
  went_on
  [ ! -e "$disk/out/results.db-wal" ] || fail 'the write-ahead log was left behind'
  begin_with write '*/out/results.db' 1+ ENOSPC
  wait_for 60 paused
  sleep 0.5
  kill -s TERM "$runner"
  end 143
  expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
  same_results whole "$disk/out"
  # A failed sync is no full disk, whatever it says.
  for nth in 1 3 20; do
    rm -rf "$disk/out"
    begin_with fdatasync '*/out/results.db-wal' $nth ENOSPC
    end 74
    paused && fail 'a failed sync is taken for a full disk'
    expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
    same_results whole "$disk/out"
  done
  # Nor is one of the copies that besom rebuild needs.
  for call in 'fdatasync */out/sweeps/*' 'fsync */out/sweeps'; do
    rm -rf "$disk/out"
    begin_with "${call% *}" "${call#* }" 1 ENOSPC
    end 0
    paused && fail 'a failed sync of a copy is taken for a full disk'
    said 'the copies of the results for besom rebuild are not up to date' err
    same_results whole "$disk/out"
  done
  umount "$disk"
fi

# A trainer that knows nothing of this.
cat >writer.sh <<'S'
#!/bin/sh
for e in 1 2 3 4 5 6; do
  while [ $e = 3 ] && [ ! -e "$FULL" ]; do sleep 0.1; done
  head -c 200000 /dev/zero >"$BESOM_CHECKPOINT_DIR/state.$e" || exit 1
  echo "{\"epoch\": $e, \"val_accuracy\": 0.$e}"
  sleep 0.3
done
S
chmod +x writer.sh
echo "{\"name\": \"writer\", \"config\": {\"epochs\": 6}, \"grid\": {\"x\": [1, 2]}, \"retries\": 0,
  \"trainer\": [\"$work/writer.sh\"]}" >writer.json
export FULL="$work/full"
plug_in
begin writer.json
wait_for 30 has_rows "$disk/out" 2
fill_but 100
touch "$FULL"
wait_for 60 paused
sleep 3 # in which a trainer dies; what came of it cannot be stored yet
make_room
end 0
said 'died: no space left on the disk' err
[ "$(sql "$disk/out" "SELECT count(*) FROM failures WHERE reason = 'disk full'")" -ge 1 ] || fail 'no failure has that reason'
equal "$(sql "$disk/out" "SELECT count(*) FROM trials WHERE status = 'complete'")" 2 'complete trials'
umount "$disk"

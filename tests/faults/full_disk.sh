#!/bin/sh
# The results' disk fills up in mid-sweep: the run pauses and says so, goes on by itself when there is room, and ends as an
# undisturbed run.  How much is left decides whether the database or a checkpoint meets it first.  Asked to stop
# while it is paused it leaves, with 74, and the next run goes on.  A trainer that dies of it is called again when
# there is room, and it does not count.
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

expect 0 "$besom" run "$sweep" -j 2 --out whole
for free_kb in 0 100 1500; do
  plug_in
  begin "$sweep"
  wait_for 30 has_rows "$disk/out" 5
  fill_but "$free_kb"
  wait_for 60 paused
  sleep 1.5
  kill -0 "$runner" 2>/dev/null || fail 'the run did not wait'
  rm "$disk/ballast"
  end 0
  said 'there is room again' err
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
  rm "$disk/ballast"
  expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
  same_results whole "$disk/out"
  umount "$disk"
done

# Started on a full disk: nothing is under way that could wait.
plug_in
fill_but 0
expect 74 "$besom" run "$sweep" -j 2 --out "$disk/out"
said 'No space left\|full' err
umount "$disk"

# A trainer that knows nothing of this.
cat >writer.sh <<'S'
#!/bin/sh
for e in 1 2 3 4 5 6; do
  head -c 200000 /dev/zero >"$BESOM_CHECKPOINT_DIR/state.$e" || exit 1
  echo "{\"epoch\": $e, \"val_accuracy\": 0.$e}"
  sleep 0.3
done
S
chmod +x writer.sh
echo "{\"name\": \"writer\", \"config\": {\"epochs\": 6}, \"grid\": {\"x\": [1, 2]}, \"retries\": 0,
  \"trainer\": [\"$work/writer.sh\"]}" >writer.json
plug_in
begin writer.json
wait_for 30 has_rows "$disk/out" 2
fill_but 100
wait_for 60 paused
sleep 3 # in which a trainer dies; what came of it cannot be stored yet
rm "$disk/ballast"
end 0
said 'died: no space left on the disk' err
[ "$(sql "$disk/out" "SELECT count(*) FROM failures WHERE reason = 'disk full'")" -ge 1 ] || fail 'no failure has that reason'
equal "$(sql "$disk/out" "SELECT count(*) FROM trials WHERE status = 'complete'")" 2 'complete trials'
umount "$disk"

#!/bin/sh
# The file system of a sweep becomes read-only in mid-run, as ext4's do that meet damage (here: remount,abort).  The run
# ends with 74 and says why; status, compare and plan go on working there; writable again, the same command goes on and
# ends as an undisturbed run.
#
# Needs root, loop devices and ext4; elsewhere it says that it was skipped and exits 77.
skip() {
  echo "SKIPPED, nothing was tested: $*" >&2
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'remounting needs root'
. "$(dirname "$0")/../e2e/lib.sh"
sweep=$here/../e2e/many.json
disk=$work/disk
tidy() {
  umount -l "$disk" 2>/dev/null
  cleanup
}
trap tidy EXIT
mkdir "$disk"
truncate -s 300M image
mkfs.ext4 -q -F image || skip 'no mkfs.ext4'
mount -o loop image "$disk" || skip 'no loop mounts here'

expect 0 "$besom" run "$sweep" -j 2 --out whole
"$besom" run "$sweep" -j 2 --out "$disk/out" >out 2>err </dev/null &
runner=$!
wait_for 30 has_rows "$disk/out" 10
mount -o remount,abort "$disk" || skip 'this kernel does not abort a file system on request'
wait "$runner"
status=$?
[ "$status" = 0 ] && skip 'the sweep was over before'
[ "$status" = 74 ] || {
  cat err >&2
  fail "exit status $status, want 74"
}
said 'results.db: disk I/O error (\(Read-only file system\|Input/output error\))' err
grep -q 'going on' err && fail 'it says that it goes on'
no_worker_left

expect 74 "$besom" run "$sweep" -j 2 --out "$disk/out"
said 'Read-only file system' err
expect 0 "$besom" status many --out "$disk/out"
said complete out
grep -q ' running ' out && fail 'status says that something is running'
expect 0 "$besom" compare many --out "$disk/out"
expect 0 "$besom" plan "$sweep" --out "$disk/out"
said 'done' out
# Without the memory that the run had shared, as when the disk is mounted for reading later: what the log holds cannot be
# read there, which is said; a copy can.
cp -r "$disk/out" copy
expect 0 "$besom" status many --out copy

wait_for 10 umount "$disk"
mount -o loop,ro image "$disk" 2>/dev/null && { # refused where the journal has to be replayed first
  "$besom" status many --out "$disk/out" >out 2>err
  status=$?
  [ "$status" = 0 ] || { [ "$status" = 74 ] && said 'copy both to another folder' err; } || fail "status $status"
  wait_for 10 umount "$disk"
}
mount -o loop image "$disk" || fail 'the image does not mount any more'
expect 0 "$besom" run "$sweep" -j 2 --out "$disk/out"
same_results whole "$disk/out"

# After a clean end nothing is in the log: readable, however it is mounted.
mount -o remount,ro "$disk" || skip 'cannot be remounted read-only'
expect 0 "$besom" status many --out "$disk/out"
expect 0 "$besom" compare many --out "$disk/out"
expect 74 "$besom" run "$sweep" --out "$disk/out"
said 'Read-only file system' err

#!/bin/sh
# Power cuts at random moments of a sweep.  Its folder is on an ext4 image of its own, which is shut down
# without flushing its journal, again and again.  After each cut
#   - every epoch that `besom run --json` had shown before it is in the database, with the same values,
#   - the database is whole,
# and in the end metrics and checkpoints equal those of an undisturbed run, bit for bit.
#
# Needs root, loop devices and ext4; elsewhere it says that it was skipped and exits 77.
# BESOM_CUTS: how many cuts (12).  BESOM_SHUTDOWN: the built shutdown_fs, or it is compiled with cc.
skip() {
  echo "SKIPPED, nothing was tested: $*" >&2
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'power cuts need root'
. "$(dirname "$0")/../e2e/lib.sh"
sweeps=$here/../e2e
cut=$work/disk
mounted=
tidy() {
  [ -z "$mounted" ] || umount -l "$cut"
  cleanup
}
trap tidy EXIT

shutdown_fs=${BESOM_SHUTDOWN:-$work/shutdown_fs}
[ -x "$shutdown_fs" ] || cc -o "$shutdown_fs" "$here/shutdown_fs.c" || skip 'no compiler for shutdown_fs.c'
mkdir "$cut"
truncate -s 256M image
mkfs.ext4 -q -F image || skip 'no mkfs.ext4'
plug_in() {
  mount -o loop image "$cut" || return 1
  mounted=yes
}
pull_out() {
  wait_for 10 umount "$cut"
  mounted=
}
plug_in || skip 'no loop mounts here'

# Every epoch shown, read from stdin, as in the database: trial, epoch, value.
shown() {
  # A line that was cut short was not shown.
  sed -n '/}$/s/.*"event": "epoch".*"trial": \([0-9]*\),.*"epoch": \([0-9]*\),.*"val_accuracy": \([-0-9.e]*\).*/\1|\2|\3/p'
}

# Three times as many: enough for a dozen cuts also where nothing else runs.
sed 's/"replicates": 12/"replicates": 36/' "$sweeps/many.json" >many.json
expect 0 "$besom" run many.json -j 2 --out whole

cuts=0
: >all
while [ "$cuts" -lt "${BESOM_CUTS:-12}" ]; do
  "$besom" run many.json --json -j 2 --out "$cut/out" >lines 2>log </dev/null &
  runner=$!
  [ "$cuts" -gt 0 ] || wait_for 20 has_rows "$cut/out" 1 # the first time takes longer to begin
  sleep "0.$(printf %03d $((100 + $(od -An -N2 -tu2 /dev/urandom) % 300)))"
  before=$("$shutdown_fs" "$cut" lines) || skip 'this file system cannot be shut down'
  wait "$runner"
  status=$?
  [ "$status" = 74 ] || [ "$status" = 0 ] || {
    cat log >&2
    fail "status $status after a power cut"
  }
  no_worker_left
  head -c "$before" lines | shown >>all
  pull_out
  plug_in || fail 'the image does not mount any more'
  [ "$status" = 0 ] && break
  cuts=$((cuts + 1))
  cp -r "$cut/out" look # a reader would recover the write-ahead log in place
  equal "$(sql look 'PRAGMA integrity_check')" ok "the database after cut $cuts"
  sql look "SELECT trial, epoch, value FROM curves WHERE metric = 'val_accuracy'" | sort >stored
  sort -u all >promised
  lost=$(comm -23 promised stored | wc -l)
  [ "$lost" = 0 ] || fail "cut $cuts: $lost epochs that were shown are lost: $(comm -23 promised stored | head -n 3)"
  rm -rf look
done
[ "$cuts" -ge 2 ] || fail "only $cuts cuts: the sweep is too short for this test"
[ -s promised ] || fail 'no epoch was shown'

expect 0 "$besom" run many.json -j 2 --out "$cut/out"
same_results whole "$cut/out"
echo "$cuts cuts, $(wc -l <promised) epochs shown before them, none lost"

#!/bin/sh
# The results' disk fills up in mid-sweep: the run ends with 74 and says why; with space again the same
# command goes on, and the end is that of an undisturbed run.  How much is free decides whether the
# database or a checkpoint meets it first.
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
tidy() {
  umount -l "$disk" 2>/dev/null
  cleanup
}
trap tidy EXIT

expect 0 "$besom" run "$sweep" -j 2 --out whole
mkdir "$disk"
for free_kb in 40 800 4000; do
  mount -t tmpfs -o size=100m tmpfs "$disk" || skip 'no tmpfs mounts here'
  mkdir "$disk/out"
  cp -r whole/cache "$disk/out/" # decoding the images is not what should meet the end
  available=$(df --output=avail -k "$disk" | tail -n 1)
  head -c $(((available - free_kb) * 1024)) /dev/zero >"$disk/ballast"
  expect 74 "$besom" run "$sweep" -j 2 --out "$disk/out"
  said 'full\|No space left' err
  no_worker_left
  rm "$disk/ballast"
  expect 0 "$besom" run "$sweep" -j 2 --retry-failed --out "$disk/out"
  same_results whole "$disk/out"
  umount "$disk"
done

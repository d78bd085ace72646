#!/bin/sh
# valgrind finds nothing in a sweep from its plan to its tables: no read of what was not written, no block
# that is lost, in runner and trainers, interrupted and resumed, nor in the commands that read.  The shim between
# them is linked statically and lives for one trainer: valgrind cannot watch its memory, nor what comes after it, so
# the sweep's trainer is a valgrind of its own.
. "$(dirname "$0")/../e2e/lib.sh"
command -v valgrind >/dev/null || {
  echo 'SKIPPED, nothing was tested: there is no valgrind' >&2
  exit 77
}

valgrind="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,possible
  --trace-children=yes --trace-children-skip=*besom-shim --log-file=$work/valgrind.%p"
set -f # the star is valgrind's

nothing_found() {
  found=$(find "$work" -maxdepth 1 -name 'valgrind.*' -size +0 -exec head -n 60 {} +)
  [ -z "$found" ] || fail "valgrind found something: $found"
}

# valgrind computes each multiply-add of AVX2 by a function of its own, twenty times as slow as all else.
export BESOM_KERNELS=v2 OPENBLAS_CORETYPE=Nehalem
quoted=$(printf '"%s", ' $valgrind)
sed "s#\"config\": {#\"trainer\": [$quoted\"$trainer\", \"train\", \"{config}\"],\n  &#
  s/3000/128/; s/500/64/" "$here/../e2e/tiny.json" >tiny.json
said valgrind.%p tiny.json

# shellcheck disable=SC2086 # words are words, here and below
# The checker answers, two trainers run and are asked to save, and go on.
$valgrind "$besom" run tiny.json -j 2 --out results >log 2>&1 </dev/null &
runner=$!
wait_for 300 has_rows results 3
kill -TERM "$runner"
wait "$runner"
equal "$?" 143 'status of a run that was asked to stop'
nothing_found
expect 0 $valgrind "$besom" run tiny.json -j 2 --out results
equal "$(sql results "SELECT count(*) FROM trials WHERE status = 'complete'")" 6 'complete trials'
nothing_found

for words in 'status' 'plan tiny.json' 'compare tiny' 'curves tiny' 'show 1' 'log 1' 'show 2 --json' \
  'export tiny -o tiny.csv' 'export tiny --what curves --format jsonl' 'export tiny -o tiny.db'; do
  expect 0 $valgrind "$besom" $words --out results
done
checkpoint=$(find results/trials -name 'cp-0004*' | head -n 1)
for words in "inspect $checkpoint" "list $(dirname "$checkpoint")" "export $checkpoint -o weights"; do
  expect 0 $valgrind "$trainer" $words
done
nothing_found
echo "$(find . -name 'valgrind.*' | wc -l) processes watched, nothing found"

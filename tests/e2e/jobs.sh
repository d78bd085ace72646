#!/bin/sh
# The metrics do not depend on the number of workers, nor on the order of trials.
. "$(dirname "$0")/lib.sh"

expect 0 "$besom" run "$here/tiny.json" -j 1 --out one
expect 0 "$besom" run "$here/tiny.json" -j 2 --out two
same_results one two

sed 's/"grid"/"order": {"name": "shuffled", "seed": 7}, "grid"/' "$here/tiny.json" >shuffled.json
expect 0 "$besom" run shuffled.json -j 3 --out three
same_results one three

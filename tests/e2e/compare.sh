#!/bin/sh
# besom compare on two sweeps whose answer is planted: its numbers (compare_check.py), and what it says to people.
. "$(dirname "$0")/lib.sh"

python3 "$here/planted.py" . || fail 'planted.py'
expect 0 "$besom" run quickstart.json --quiet
expect 1 "$besom" run holes.json --quiet --retries 0 # one fails, as it is to

python3 "$here/compare_check.py" "$besom" besom-out "$here/../../docs/schema.md" || fail 'compare_check.py'

# For people: within 80 columns, with a word for all that colour says.
for args in '' '--by optimizer' '--by init' '--by optimizer --given activation' '--by activation --given optimizer' '--a 1 --b 2' \
  '--a optimizer=adam --b optimizer=sgd' '--reach 0.75' '--reach 0.75 --unit seconds' '--at last' '--at auc' '--metric val_loss'; do
  # shellcheck disable=SC2086 # words
  expect 0 "$besom" compare holes $args
  awk 'length > 80 { exit 1 }' out || fail "compare $args is wider than 80 columns: $(awk 'length > 80' out)"
done
expect 0 "$besom" compare holes
said 'group' out
said '^  optimizer  *6[0-9]\.[0-9]%  *##*' out
said 'seeds (noise)' out
said 'over unequal sets of trials' out
expect 0 "$besom" compare quickstart --by optimizer
said '^Each against ' out
said '^  sgd .* worse ' out
said 'p Holm .* all 6 pairs' out
expect 0 "$besom" compare quickstart --by optimizer --given activation --color always
said "$(printf '\033')\[48;5;" out
expect 0 "$besom" compare quickstart --by optimizer --given activation
! grep -q "$(printf '\033')" out || fail 'colour without a terminal'
said '^  adagrad .*\*' out
said '^  tanh  *adagrad .*nothing: all others are worse' out
expect 0 "$besom" compare quickstart --a optimizer=adam --b optimizer=sgd
said '^a is better than b' out
expect 0 "$besom" compare quickstart --reach 0.75
said ' of the 96 complete ones get there' out
said ' of 6$' out
expect 0 "$besom" compare quickstart --reach 0.99
said '^0 of the 96' out
said ' 0 of 6' out

# Epochs that a trial has not are no value, and said to be none.
expect 0 "$besom" compare quickstart --at 6
said '^quickstart: 96 of 96 trials complete' out
said '^96 trials are complete, but without a value' out
said '^No trial has a value there' out

# One seed: nothing is tested, and it says what to do.
sed 's/"name": "quickstart"/"name": "one"/; s/"replicates": 6/"replicates": 1/' quickstart.json >one.json
expect 0 "$besom" run one.json --quiet
expect 0 "$besom" compare one
said '^With one seed a point no difference can be tested' out
said '"replicates": 5' out
said 'these shares include noise' out
expect 0 "$besom" compare one --by optimizer
said '^With one seed' out
expect 0 "$besom" compare one --json
python3 -c 'import json; d = json.load(open("out")); assert d["importance"]["noise"] is None and d["effects"]["init"]["best"] is None, d' ||
  fail 'compare --json with one seed'

# With three the exact test can say nothing, and says that.
sed 's/"name": "quickstart"/"name": "three"/; s/"replicates": 6/"replicates": 3/' quickstart.json >three.json
expect 0 "$besom" run three.json --quiet
expect 0 "$besom" compare three --by optimizer
said 'with 3 seeds never below 0.25' out

# Slips.
refused() { # PATTERN ARGS...: exit status 2 and a message
  pattern=$1
  shift
  expect 2 "$besom" compare quickstart "$@"
  said "$pattern" err
  [ ! -s out ] || fail "compare $* printed something"
}
refused 'did you mean "optimizer"' --by optimiser
refused 'did you mean "activation"' --by optimizer --given activatoin
refused 'did you mean "adam"' --a optimizer=adma --b 1
refused 'did you mean "optimizer"' --a optimzer=adam --b 1
refused 'the leaderboard has 16 points' --a 17 --b 1
refused 'same points' --a 1 --b 1
refused 'go together' --a 1
refused 'goes with --by' --given init
refused 'is the axis of --by' --by init --given init
refused 'not one of best, last, auc' --at first
refused 'not one of best, last, auc' --at 0
refused 'not a number' --reach high
refused 'not one of epochs, seconds' --reach 0.5 --unit hours
refused 'goes with --reach' --unit seconds
refused 'one at a time' --at last --reach 0.5

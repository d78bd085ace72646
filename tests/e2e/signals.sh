#!/bin/sh
# SIGINT and SIGTERM: workers save and leave, exit 130 or 143, the same command goes on, and the end is
# that of an undisturbed run.
. "$(dirname "$0")/lib.sh"

expect 0 "$besom" run "$here/tiny.json" -j 2 --out whole

stop_with() { # SIGNAL STATUS ROWS
  # A shell's background job ignores SIGINT; env --default-signal undoes that.
  env --default-signal=INT "$besom" run "$here/tiny.json" -j 2 --out cut >log 2>&1 </dev/null &
  runner=$!
  wait_for 60 has_rows cut "$3"
  kill "-$1" "$runner"
  wait "$runner"
  equal "$?" "$2" "exit status after SIG$1"
  said 'goes on' log
  no_worker_left
}
stop_with INT 130 1
[ "$(sql cut "SELECT count(*) FROM trials WHERE status = 'paused'")" -ge 1 ] || fail 'no trial is paused'
ls cut/trials/*/cp-*+* >/dev/null 2>&1 || echo 'note: no checkpoint from the middle of an epoch this time'
stop_with TERM 143 8
stop_with HUP 129 14

expect 0 "$besom" run "$here/tiny.json" -j 2 --out cut
same_results whole cut
equal "$(sql cut "SELECT count(*) FROM trials WHERE status <> 'complete'")" 0 'trials not complete'

# A trainer that will not stop: the second of SIGINT and SIGTERM kills it at once; SIGTERM twice does not.
cat >stubborn.sh <<'S'
#!/bin/sh
trap '' TERM INT
echo '{"epoch": 1, "val_accuracy": 0.5}'
while :; do sleep 0.2; done
S
chmod +x stubborn.sh
cat >stubborn.json <<S
{"name": "stubborn", "config": {"epochs": 9}, "trainer": ["$work/stubborn.sh"]}
S
stop_stubborn() { # STATUS SIGNAL... KILLING-SIGNAL
  want=$1
  shift
  rm -rf stubborn
  env --default-signal=INT "$besom" run stubborn.json --out stubborn >log 2>&1 </dev/null &
  runner=$!
  wait_for 20 has_rows stubborn 1
  words=$*
  while [ $# -gt 1 ]; do
    kill "-$1" "$runner"
    sleep 0.5
    kill -0 "$runner" || fail "SIG$1 of $words did not wait for the worker"
    shift
  done
  kill "-$1" "$runner"
  begin=$(date +%s)
  wait "$runner"
  equal "$?" "$want" "exit status after $words"
  [ $(($(date +%s) - begin)) -le 3 ] || fail "the last of $words took too long"
  no_worker_left
}
stop_stubborn 130 INT INT
stop_stubborn 130 INT TERM
stop_stubborn 143 TERM INT
stop_stubborn 143 TERM TERM INT

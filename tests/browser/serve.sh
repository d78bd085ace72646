#!/bin/sh
# A run that goes on when serve.mjs says so, and besom serve beside it.  An epoch is told when the file go.EPOCH is there.
# Every name and every word of the trainer wants to be more than text; one trial fails.
. "$(dirname "$0")/lib.sh"
cat >live.json <<EOF
{
  "name": "live",
  "description": "</script><img src=x onerror=alert(1)>",
  "config": {"epochs": 6},
  "grid": {"<b>axis</b>": ["</script><script>window.hacked = 1</script>", "<img src=x onerror='window.hacked = 2'>", "\u2028data: x"],
    "optimizer": ["sgd", "adam"]},
  "replicates": 2,
  "objective": {"metric": "<img src=x onerror=window.hacked=3>", "goal": "maximize"},
  "trainer": ["sh", "$work/trainer.sh", "{seed}"]
}
EOF
cat >trainer.sh <<EOF
echo "</script><img src=x onerror='window.hacked = 4'>"
for e in 1 2 3 4 5 6; do
  until [ -e $work/go.\$e ]; do sleep 0.1; done
  echo "{\"epoch\": \$e, \"<img src=x onerror=window.hacked=3>\": 0.\$e\$1, \"loss\": \$((9 - e)).\$1}"
  ! grep -q '<img.*sgd.*"seed":1' "\$BESOM_CONFIG" || exit 3
done
EOF
"$besom" run live.json -j 12 -q --out out --retries 0 >/dev/null 2>run.err &
wait_for 60 sh -c '[ "$(sqlite3 -batch out/results.db "SELECT count(*) FROM sweep" 2>/dev/null)" = 1 ]'
"$besom" serve live --out out --port 0 >url 2>served.err &
server=$!
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; cleanup' EXIT
wait_for 60 sh -c "grep -q '^http' url || ! kill -0 $server 2>/dev/null"
if ! grep -q '^http' url; then
  grep -q 'built without' served.err && skip 'besom was built without what besom serve takes'
  fail "$(cat served.err run.err)"
fi
node "$tests/serve.mjs" "$work" "$(cat url)" "$server" || fail 'the page'
server=

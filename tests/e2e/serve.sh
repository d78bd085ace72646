#!/bin/sh
# besom serve: when it refuses to begin, whom it answers, that a run beside it ends as one without, that it survives
# its clients and the loss of its database.  The page itself is looked at by tests/browser.
. "$(dirname "$0")/lib.sh"
expect 0 "$besom" serve --help
said '^  besom serve quickstart ' out
"$besom" serve none >/dev/null 2>err
if grep -Eq 'built (without|where)' err; then
  echo 'SKIPPED: besom was built without what besom serve takes' >&2
  exit 77
fi

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; cleanup' EXIT # its followers end with it

cat >small.json <<'EOS'
{
  "name": "small",
  "config": { "dataset": {"name": "fashion-mnist", "train": 4000, "test": 500}, "epochs": 8, "batch_size": 50,
    "model": {"layers": ["flatten", {"type": "dense", "units": 16}, "activation", {"type": "dense", "units": 10}]} },
  "grid": { "activation": ["tanh", "relu"], "optimizer": [{"name": "sgd", "lr": {"values": [0.01, 0.1]}}, "adam"] },
  "replicates": 1
}
EOS

start() { # OUT ARGUMENT...: serves it; $url, $server
  folder=$1
  shift
  : >url
  "$besom" serve --out "$folder" --port 0 "$@" >url 2>served.err &
  server=$!
  wait_for 60 grep -q '^http' url
  url=$(cat url)
}

stop() {
  kill -TERM "$server"
  wait "$server"
  equal $? 0 'the exit status after SIGTERM'
  server=
}

# It does not begin.
expect 2 "$besom" serve small
said 'no such file' err
[ ! -e besom-out ] || fail 'a folder was made'
expect 0 "$besom" run small.json -j 2 -q --out alone
expect 2 "$besom" serve smal --out alone
said 'did you mean "small"' err
[ ! -s out ] || fail 'an address was printed'
expect 2 "$besom" serve small --out alone --port 65536
said '"65536" is not a number from 0 to 65535' err
expect 2 "$besom" serve small other --out alone
mkdir damaged newer
head -c 30000 alone/results.db >damaged/results.db
expect 74 "$besom" serve --out damaged
said 'besom rebuild' err
cp alone/results.db newer/
sqlite3 newer/results.db 'PRAGMA user_version = 99'
expect 2 "$besom" serve --out newer
said 'a newer besom' err
start alone small
said 'serving small of alone; Ctrl-C ends this, not the run' served.err
port=${url#http://127.0.0.1:}
expect 2 "$besom" serve --out alone --port "${port%%/*}"
said "port ${port%%/*} of 127.0.0.1 is in use.*--port 0" err
expect 2 "$BESOM_BIN/../tests/besom-serve_without_page" --out alone
said 'built without the report' err
mkdir lone
cp "$besom" lone/
expect 2 env PATH=/usr/bin:/bin lone/besom serve --out alone
said 'besom-serve: no such program in .*lone nor in the folders of PATH' err
said 'libmicrohttpd' err

# Whom it answers.
python3 "$here/serve.py" rules "$url" || fail 'the rules'
stop
equal "$(cat served.err)" 'besom: serving small of alone; Ctrl-C ends this, not the run' 'what it says of all that'
start alone
first=$url
stop
start alone
[ "$first" != "$url" ] || fail 'the same token twice'
stop

# Ctrl-C.  The shell has its background jobs ignore it.
: >url # it has an address from before
python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
  "$besom" serve --out alone --port 0 >url 2>served.err &
server=$!
wait_for 60 grep -q '^http' url
kill -INT "$server"
wait "$server"
equal $? 0 'the exit status after Ctrl-C'

# A run beside it: followed to its end by several, and the same as one that was alone.  It stands while they come.
"$besom" run small.json -j 1 -q --out watched >/dev/null 2>run.err &
run=$!
wait_for 60 has_rows watched 1
kill -STOP "$run"
start watched small
for i in 1 2 3; do
  python3 "$here/serve.py" follow "$url" "events.$i" 2>follow.err &
done
for i in 1 2 3; do
  wait_for 60 grep -q '^document' "events.$i"
done
kill -CONT "$run"
wait "$run"
equal "$?" 0 "the run: $(cat run.err)"
[ ! -s watched/results.db-wal ] || fail 'the last checkpoint was held back: results.db cannot be copied alone'
for i in 1 2 3; do
  wait_for 60 grep -q '"active": false' "events.$i"
done
stop
python3 - <<'EOS' || fail 'the documents do not lead from the beginning of the run to its end'
import json
for i in (1, 2, 3):
    docs = [json.loads(line.split(' ', 1)[1]) for line in open(f'events.{i}') if line.startswith('document ')]
    done = [sum(d['trials']['epochs_done']) for d in docs]
    assert len(docs) > 1 and done == sorted(done) and docs[0]['run']['active'] and len(set(done)) > 1, done
    assert done[-1] == 6 * 8 and set(docs[-1]['trials']['status']) == {'complete'}, docs[-1]['trials']
    assert any(0 < d < 48 for d in done), done
EOS
same_results alone watched
expect 0 "$besom" verify --out watched
"$besom" report small --json --out watched | python3 -c '
import json, sys
drop = lambda d: {k: v for k, v in d.items() if k != "made_at"}
served = [l for l in open("events.1") if l.startswith("document ")][-1].split(" ", 1)[1]
assert drop(json.load(sys.stdin)) == drop(json.loads(served))' || fail 'the last document is not that of besom report'

# The database goes, another comes, and it comes back.
start watched small
python3 "$here/serve.py" follow "$url" events 2>follow.err &
wait_for 60 grep -q '^status {"trouble": null}' events
mv watched/results.db kept.db
wait_for 60 grep -q '^status {"trouble": "watched/results.db: ' events
wait_for 60 grep -q '^besom: watched/results.db: missing, but the copies of its rows are there' served.err
head -c 30000 kept.db >watched/results.db
wait_for 60 grep -q '^status.*besom rebuild' events
cp kept.db watched/results.db
wait_for 60 sh -c 'grep "^status" events | tail -n 1 | grep -q null'
wait_for 60 grep -q 'the database can be read again' served.err
sqlite3 watched/results.db "UPDATE sweep SET name = 'renamed'"
wait_for 60 grep -q '^status {"trouble": "no sweep' events
sqlite3 watched/results.db "UPDATE sweep SET name = 'small', description = 'back again'"
wait_for 60 grep -q '^document.*back again' events

# Another program has it locked: that is told when it lasts, what was shown stays, and it goes on.
python3 - <<'EOS' >lock.out 2>&1 &
import os, sqlite3, time
db = sqlite3.connect("watched/results.db", isolation_level=None, timeout=60)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
db.execute("UPDATE sweep SET description = 'behind the lock'")
open("locked", "w").close()
deadline = time.monotonic() + 120
while not os.path.exists("unlock") and time.monotonic() < deadline:
    time.sleep(0.05)
db.execute("COMMIT")
db.close()
EOS
locker=$!
wait_for 60 [ -e locked ]
touch watched/results.db # something to look at
wait_for 60 sh -c 'grep "^status" events | tail -n 1 | grep -q "locked"'
said 'results.db.*locked' served.err
! grep -q 'behind the lock' events || fail 'a document of what is not committed'
python3 "$here/serve.py" follow "$url" newcomer 2>follow.err & # is given the last document, and the status
wait_for 60 grep -q '^status.*locked' newcomer
said '^document.*back again' newcomer
: >unlock
wait "$locker"
equal $? 0 "the lock: $(cat lock.out)"
for file in events newcomer; do
  wait_for 60 grep -q '^document.*behind the lock' $file
  wait_for 60 sh -c "grep '^status' $file | tail -n 1 | grep -q null"
done
kill -0 "$server" || fail 'it has ended'

# Bad clients.
asan=
[ -z "${BESOM_SANITIZED:-}" ] || asan=asan
python3 "$here/serve.py" crowd "$url" "$server" watched/results.db $asan || fail 'the crowd'
stop

"""Whatever a trainer prints: what becomes of it in the database, the log and the warnings.

    malformed.py BESOM      in an empty folder

A case is the bytes that one trial's trainer prints.  All trials of the table are one sweep, so that each
is the others' neighbour, and one of them prints nothing odd.  The wanted rows are written out by hand;
doubles are compared by their bits.
"""
import json
import math
import os
import pty
import re
import select
import sqlite3
import struct
import subprocess
import sys

BESOM = sys.argv[1]
MIB = 1 << 20
failures = []


def check(good, what):
    if not good:
        failures.append(what)
        print("FAIL: " + what, file=sys.stderr)


def bits(value):
    return struct.unpack("<q", struct.pack("<d", value))[0]


def nested(depth):
    return b'{"epoch": 1, "deep": ' + b"[" * depth + b"]" * depth + b"}\n"


def metrics(count):
    return json.dumps({"epoch": 1, **{"m%d" % i: i for i in range(count)}}).encode() + b"\n"


FIRST = b'{"epoch": 1, "a": 0.5}\n'
ROW = {1: {"a": 0.5}}
EMPTY = {}
GOOD = b"".join(b'{"epoch": %d, "a": 0.%d}\n' % (e, e) for e in range(1, 10))
GOOD_ROWS = {e: {"a": float("0.%d" % e)} for e in range(1, 10)}

# name: (what is printed, rows, status, words of the one warning or None)
COMPLETE, FAILED = "complete", "failed"
CASES = {
    "nothing": (b"", EMPTY, COMPLETE, None),
    "neighbour": (GOOD, GOOD_ROWS, COMPLETE, None),
    # text
    "text": (b"loading\n\n  \n[1, 2]\n\"x\"\nnull\n" + FIRST, ROW, COMPLETE, None),
    "text_not_utf8": (b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5\n" + FIRST, ROW, COMPLETE, None),
    "text_nul": (b"a\0b\n\0\n\0{}\n" + FIRST, ROW, COMPLETE, None),
    "text_escapes": (b"\x1b]0;title\x07\x1b[2J\x1b[31mred\xc2\x9b1m\x7f\x08\n" + FIRST, ROW, COMPLETE, None),
    "text_carriage": (b"10%\r20%\r{\"epoch\": 9}\n" + FIRST, ROW, COMPLETE, None),
    "text_space_before": (b' {"epoch": 9, "a": 1}\n\t{\n' + FIRST, ROW, COMPLETE, None),
    "text_bom": (b'\xef\xbb\xbf{"epoch": 9, "a": 1}\n' + FIRST, ROW, COMPLETE, None),
    "text_long": (b"x" * (10 * MIB) + b"\n" + FIRST, ROW, COMPLETE, None),
    "text_two_million_brackets": (b"[" * 2000000 + b"\n" + FIRST, ROW, COMPLETE, None),
    # line ends
    "no_newline_at_end": (FIRST.rstrip(), ROW, COMPLETE, None),
    "crlf": (FIRST.replace(b"\n", b"\r\n") + b"text\r\n", ROW, COMPLETE, None),
    "only_newlines": (b"\n" * 100000 + FIRST, ROW, COMPLETE, None),
    "two_in_a_line": (b'{"epoch": 1, "a": 1}{"epoch": 2, "a": 1}\n' + FIRST, ROW, COMPLETE, "no records"),
    "words_behind": (b'{"epoch": 1, "a": 1} ok\n' + FIRST, ROW, COMPLETE, "no records"),
    "half_at_end": (FIRST + b'{"epoch": 2, "a": 0.', ROW, COMPLETE, "no records"),
    "nul_in_record": (b'{"epoch": 1, "a": 1\0}\n' + FIRST, ROW, COMPLETE, "no records"),
    # long and deep
    "record_long": (b'{"epoch": 1, "a": "' + b"x" * (10 * MIB) + b'"}\n' + FIRST, ROW, COMPLETE, "longer than"),
    "record_at_limit": (b'{"epoch": 1, "a": 0.5, "t": "' + b"x" * (65536 - 31) + b'"}\n', ROW, COMPLETE, None),
    "record_over_limit": (b'{"epoch": 1, "a": 0.7, "t": "' + b"x" * (65536 - 30) + b'"}\n' + FIRST, ROW, COMPLETE, "longer than"),
    "deep": (nested(30000) + FIRST, ROW, COMPLETE, "no records"),
    "deep_and_long": (b'{"a": ' + b"[" * 2000000 + b"\n" + FIRST, ROW, COMPLETE, "longer than"),
    "not_too_deep": (nested(60), {1: {}}, COMPLETE, None),
    "metrics_256": (metrics(256), {1: {"m%d" % i: float(i) for i in range(256)}}, COMPLETE, None),
    "metrics_257": (metrics(257) + FIRST, ROW, COMPLETE, "256"),
    # numbers
    "nan_word": (b'{"epoch": 1, "a": NaN}\n' + FIRST, ROW, COMPLETE, "no records"),
    "infinity_word": (b'{"epoch": 1, "a": Infinity}\n{"epoch": 1, "a": -inf}\n' + FIRST, ROW, COMPLETE, "no records"),
    "nan": (b'{"epoch": 1, "a": "nan", "b": "inf", "c": "-inf", "d": "NaN"}\n',
            {1: {"a": math.nan, "b": math.inf, "c": -math.inf}}, COMPLETE, None),
    "too_large": (b'{"epoch": 1, "a": 1e999}\n{"epoch": 1, "a": -1e999}\n' + FIRST, ROW, COMPLETE, "too large"),
    "too_small": (b'{"epoch": 1, "a": 1e-999, "b": 5e-324}\n', {1: {"a": 0.0, "b": 5e-324}}, COMPLETE, None),
    "minus_zero": (b'{"epoch": 1, "a": -0.0, "b": -0, "c": 0}\n', {1: {"a": -0.0, "b": -0.0, "c": 0.0}}, COMPLETE, None),
    "digits_30": (b'{"epoch": 1, "a": 123456789012345678901234567890, "b": 0.%s1}\n' % (b"0" * 3000),
                  {1: {"a": 123456789012345678901234567890.0, "b": 0.0}}, COMPLETE, None),
    "leading_zero": (b'{"epoch": 01, "a": 1}\n{"epoch": 1, "a": +1}\n{"epoch": 1, "a": .5}\n{"epoch": 1, "a": 1.}\n'
                     b'{"epoch": 1, "a": 0x1}\n' + FIRST, ROW, COMPLETE, "no records"),
    # names
    "twice": (b'{"epoch": 1, "epoch": 2, "a": 1}\n{"epoch": 1, "a": 1, "a": 2}\n'
              b'{"epoch": 1, "t": {"x": 1, "x": 2}}\n' + FIRST, ROW, COMPLETE, "no records"),
    "twice_spelt_differently": (b'{"epoch": 1, "a": 1, "\\u0061": 2}\n' + FIRST, ROW, COMPLETE, "no records"),
    "name_not_utf8": (b'{"epoch": 1, "\xff": 1}\n{"epoch": 1, "\\ud800": 1}\n' + FIRST, ROW, COMPLETE, "no records"),
    "name_nul": (b'{"epoch": 1, "a\\u0000b": 1}\n' + FIRST, ROW, COMPLETE, "no records"),
    "name_escapes": (b'{"epoch": 1, "\\u001b[31m": 1}\n{"epoch": 1, "\\u009b31m": 1}\n' + FIRST, ROW, COMPLETE, "control characters"),
    "name_empty": (b'{"epoch": 1, "": 1}\n' + FIRST, ROW, COMPLETE, "empty"),
    "name_63": (b'{"epoch": 1, "%s": 1}\n' % (b"n" * 63), {1: {"n" * 63: 1.0}}, COMPLETE, None),
    "name_64": (b'{"epoch": 1, "%s": 1}\n' % (b"n" * 64) + FIRST, ROW, COMPLETE, "63"),
    "name_quotes": (b'{"epoch": 1, "a\'; DROP TABLE trial; --\\"": 1}\n',
                    {1: {"a'; DROP TABLE trial; --\"": 1.0}}, COMPLETE, None),
    # epochs
    "epoch_0": (b'{"epoch": 0, "a": 1}\n{"epoch": -1, "a": 1}\n' + FIRST, ROW, COMPLETE, '"epoch"'),
    "epoch_kinds": (b'{"epoch": 1.5}\n{"epoch": "1"}\n{"epoch": true}\n{"epoch": null}\n{"epoch": [1]}\n{}\n' + FIRST,
                    ROW, COMPLETE, '"epoch"'),
    "epoch_huge": (b'{"epoch": 1000000001}\n{"epoch": 1e30}\n{"epoch": 123456789012345678901234567890}\n' + FIRST,
                   ROW, COMPLETE, '"epoch"'),
    "epoch_1.0": (b'{"epoch": 1.0, "a": 0.5}\n{"epoch": 2e0, "a": 0.25}\n', {1: {"a": 0.5}, 2: {"a": 0.25}}, COMPLETE, None),
    "epoch_backwards": (GOOD + GOOD[:23] + GOOD, GOOD_ROWS, COMPLETE, None),
    "epoch_backwards_other_bits": (GOOD + b'{"epoch": 2, "a": 7}\n', {1: {"a": 0.1}, 2: {"a": 7.0}}, COMPLETE, None),
    "epoch_other_bits_after_promise": (b'{"event": "start", "deterministic": true}\n' + GOOD + b'{"epoch": 2, "a": 7}\n'
                                       + b'{"epoch": 10, "a": 1}\n', GOOD_ROWS, FAILED, None),
    "epoch_repeated": (FIRST * 1000, ROW, COMPLETE, None),
    "epoch_skipped": (FIRST + b'{"epoch": 3, "a": 1}\n', {1: {"a": 0.5}, 3: {"a": 1.0}}, FAILED, None),
    "epoch_last": (b'{"epoch": 1000000000, "a": 1}\n', {1000000000: {"a": 1.0}}, FAILED, None),
    # events
    "event_unknown": (b'{"event": "\\u001b[2J", "x": [1]}\n' + FIRST, ROW, COMPLETE, None),
    "event_kinds": (b'{"event": 1}\n{"event": null}\n{"event": ["start"]}\n' + FIRST, ROW, COMPLETE, '"event"'),
    "event_and_epoch": (b'{"event": "failed", "epoch": 1, "a": 0.5}\n', ROW, COMPLETE, None),
    "event_odd_members": (b'{"event": "start", "from_epoch": -3, "deterministic": 1, "numerics": [1]}\n'
                          b'{"event": "layers", "at_epoch": -1, "layer": 3}\n' + FIRST
                          + b'{"event": "done", "stopped": 5}\n{"event": "done"}\n', ROW, COMPLETE, "layers"),
    "event_failed_escapes": (FIRST + b'{"event": "failed", "reason": "\\u001b]0;a\\u0007", "message": "b\\u001b[2J\\u009b31mc"}\n',
                             ROW, FAILED, None),
    # many
    "many_bad": (b'{"epoch": -1}\n' * 50000 + FIRST, ROW, COMPLETE, '"epoch"'),
    "random": (bytes(i * i * 7919 % 251 for i in range(300000)) + b"\n" + FIRST, ROW, COMPLETE, None),
}


def expected_log(printed):
    """What the log keeps of a case, without the header: whole lines, over-long ones cut."""
    text, dropped = b"", 0
    lines = printed.split(b"\n")
    for i, line in enumerate(lines):
        if i == len(lines) - 1 and not line:
            break  # behind the last newline
        if len(line) > 65536:
            text += line[:65536] + b" [the line goes on]\n"
            dropped += len(line) - 65536
        else:
            text += (line[:-1] if line.endswith(b"\r") else line) + b"\n"
    if dropped:
        text += b"--- of lines longer than 65536 bytes, %d bytes are left out\n" % dropped
    return text


def write_sweep():
    os.mkdir("printed")
    for name, case in CASES.items():
        with open(os.path.join("printed", name), "wb") as file:
            file.write(case[0])
    sweep = {"name": "malformed", "config": {}, "grid": {"case": list(CASES)}, "retries": 0,
             "objective": {"metric": "a", "goal": "maximize"},
             "trainer": ["cat", os.path.abspath("printed") + "/{case}"]}
    with open("malformed.json", "w") as file:
        json.dump(sweep, file)


def run_json():
    """Runs the sweep; the warnings by trial.  What it prints is JSON, without a control character."""
    run = subprocess.run([BESOM, "run", "malformed.json", "-j", "3", "--json", "--out", "out"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(run.returncode == 1, "besom run exits %d, want 1: %r" % (run.returncode, run.stderr[-500:]))
    check(run.stderr == b"", "with --json nothing is on stderr: %r" % run.stderr[-500:])
    check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", run.stdout), "control characters in --json")
    warnings = {}
    for line in run.stdout.decode().splitlines():
        event = json.loads(line)
        if event["event"] == "warning":
            warnings.setdefault(event["trial"], []).append(event["message"])
    return warnings


def check_case(name, db, trial, status, key, warnings):
    printed, rows, wanted_status, words = CASES[name]
    check(status == wanted_status, "%s is %s, want %s" % (name, status, wanted_status))
    got = {e: {} for e, in db.execute("SELECT epoch FROM epoch WHERE trial = ?", (trial,))}
    for epoch, metric, value in db.execute("SELECT v.epoch, m.name, v.bits FROM value v JOIN metric m ON m.id = v.metric"
                                           " WHERE v.trial = ?", (trial,)):
        got[epoch][metric] = value
    # One NaN is as good as another.
    nan = {bits(math.nan), bits(-math.nan)}
    want = {e: {m: bits(v) for m, v in values.items()} for e, values in rows.items()}
    same = got.keys() == want.keys() and all(
        got[e].keys() == want[e].keys() and all(
            got[e][m] == want[e][m] or (got[e][m] in nan and want[e][m] in nan) for m in want[e]) for e in want)
    check(same, "%s has the rows %.300r, want %.300r" % (name, got, want))
    told = warnings.get(trial, [])
    check(len(told) == (words is not None), "%s: %d warnings %.300r" % (name, len(told), told))
    check(words is None or words in told[0], "%s: the warning is %.300r, want %r in it" % (name, told, words))
    with open(os.path.join("out", "trials", key, "log"), "rb") as file:
        log = file.read()
    header, _, text = log.partition(b"\n")
    check(re.fullmatch(rb"--- attempt 1, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", header) is not None, "%s: header %r" % (name, header))
    if name != "epoch_other_bits_after_promise":  # that one is killed in the middle of its words
        check(text == expected_log(printed), "%s: the log is %.200r..., want %.200r..." % (name, text, expected_log(printed)))


def check_database(warnings):
    db = sqlite3.connect("file:out/results.db?mode=ro", uri=True)
    check(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "integrity_check")
    trials = db.execute("SELECT t.id, json_extract(t.config, '$.case'), t.status, t.key FROM trial t").fetchall()
    check({t[1] for t in trials} == set(CASES), "the trials are those of the table")
    for trial, name, status, key in trials:
        check_case(name, db, trial, status, key, warnings)
    told = {n: r for n, r in db.execute(
        "SELECT json_extract(t.config, '$.case'), f.reason || ' ' || t.error FROM failures f JOIN trials t USING (trial)")}
    check(told.get("epoch_skipped", "").startswith("missing epochs"), "a skipped epoch: %r" % told.get("epoch_skipped"))
    check(told.get("epoch_other_bits_after_promise", "").startswith("nondeterministic"), "other bits: %r" % told)
    for reason, error, tail in db.execute("SELECT f.reason, t.error, f.log_tail FROM failures f JOIN trials t USING (trial)"):
        for text in (reason, error, tail):
            check(not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text or ""), "control characters in %.100r" % text)
    check(db.execute("SELECT count(*) FROM superseded").fetchone()[0] > 0, "rows that were replaced are kept")
    db.close()


def on_terminal(command):
    """What a command prints to a terminal."""
    master, slave = pty.openpty()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                             env={**os.environ, "TERM": "xterm", "CI": ""})
    os.close(slave)
    out = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            break
        if not chunk:
            break
        out += chunk
    os.close(master)
    child.wait()
    return out


OURS = rb"\x1b\[(?:\d+A|J|\d*m)"  # up, clear to the end, colours


def check_terminal():
    out = on_terminal([BESOM, "run", "malformed.json", "-j", "3", "--out", "terminal"])
    check(b"complete" in out, "the run on a terminal says how it ended: %r" % out[-300:])
    rest = re.sub(OURS, b"", out)
    bad = re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", rest)
    check(bad is None, "the live view sends control characters: %r" % (bad and rest[bad.start() - 50:bad.end() + 50]))
    rest.decode()  # is UTF-8
    for command in ("status", "show", "log"):
        db = sqlite3.connect("file:out/results.db?mode=ro", uri=True)
        for name in ("text_escapes", "event_failed_escapes", "text_not_utf8", "random", "name_escapes"):
            trial = db.execute("SELECT id FROM trial WHERE json_extract(config, '$.case') = ?", (name,)).fetchone()[0]
            words = {"status": ["malformed"], "show": [str(trial)], "log": [str(trial)]}[command]
            out = on_terminal([BESOM, command, *words, "--out", "out"])
            bad = re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", re.sub(OURS, b"", out))
            check(len(out) > 20 and bad is None, "besom %s of %s sends control characters: %r" % (command, name, bad))
            out.decode()
        db.close()


def besom_log(*words):
    return subprocess.run([BESOM, "log", "--out", "out", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          check=True).stdout


def check_log_command():
    db = sqlite3.connect("file:out/results.db?mode=ro", uri=True)
    trial = str(db.execute("SELECT id FROM trial WHERE json_extract(config, '$.case') = 'text_escapes'").fetchone()[0])
    db.close()
    whole = besom_log(trial)
    check(b"\x1b]0;title\x07\x1b[2J" in whole, "to a pipe besom log writes the trainer's own bytes")
    lines = whole.splitlines(keepends=True)
    check(besom_log("--head", "2", trial) == b"".join(lines[:2]), "--head 2")
    check(besom_log("--tail", "1", trial) == lines[-1], "--tail 1")
    check(besom_log("--tail", "0", trial) == b"", "--tail 0")
    check(besom_log("-n", "99", trial) == whole, "-n 99")
    shown = on_terminal([BESOM, "log", "--out", "out", trial])
    check(b"^[]0;title^G^[[2J^[[31mred\xef\xbf\xbd1m^?^H\r\n" in shown, "on a terminal they are shown: %r" % shown)
    shown = on_terminal([BESOM, "log", "--raw", "--out", "out", trial])
    check(b"\x1b]0;title\x07\x1b[2J" in shown, "but not with --raw")
    for words in (["--head", "1", "--tail", "1"], ["--head", "1", "-f"], ["--tail", "-1"], ["--tail", "x"]):
        run = subprocess.run([BESOM, "log", "--out", "out", *words, trial], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(run.returncode == 2, "misuse of log %r exits %d" % (words, run.returncode))


LONG = """#!/bin/sh
# 40 MB in two attempts, each line with its number
[ -e "$BESOM_CHECKPOINT_DIR/twice" ] && from=1500001 || from=1
seq -f 'line %.0f ' $from $((from + 1499999))
echo "standard error of $from" >&2
[ $from != 1 ] || { : >"$BESOM_CHECKPOINT_DIR/twice"; exit 85; }
"""


def check_long_log():
    """Head, note and tail; --follow sees it grow over all files."""
    with open("long.sh", "w") as file:
        file.write(LONG)
    os.chmod("long.sh", 0o755)
    with open("long.json", "w") as file:
        json.dump({"name": "long", "config": {}, "trainer": [os.path.abspath("long.sh")]}, file)
    run = subprocess.Popen([BESOM, "run", "long.json", "--out", "out", "--quiet"], stdin=subprocess.DEVNULL)
    check(run.wait() == 0, "the long trial is complete")
    db = sqlite3.connect("file:out/results.db?mode=ro", uri=True)
    trial, key = db.execute("SELECT trial, key FROM trials WHERE sweep = 'long'").fetchone()
    db.close()
    paths = besom_log("--path", str(trial)).decode().split()
    check([os.path.basename(p) for p in paths] == ["log", "log.tail.1", "log.tail"], "--path: %r" % paths)
    size = sum(os.path.getsize(p) for p in paths)
    check(12 * MIB < size < 16 * MIB + 70000, "the files have %d bytes" % size)
    text = besom_log(str(trial))
    lines = text.splitlines()
    note = [i for i, line in enumerate(lines) if line.startswith(b"--- left out here: ")]
    check(len(note) == 1, "%d notes" % len(note))
    left_lines, left_bytes = (int(n) for n in re.findall(rb"\d+", lines[note[0]]))
    numbers = [int(line.split()[1]) for line in lines if line.startswith(b"line ")]
    gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]
    check(numbers[0] == 1 and numbers[-1] == 3000000 and len(gaps) == 1, "first, last, gaps: %r" % gaps)
    (before, after), = gaps
    missing = after - before - 1
    # In the gap are also the words on standard error and a header, if they are not shown.
    check(0 <= left_lines - missing <= 2, "%d lines left out, said %d" % (missing, left_lines))
    width = sum(len("line %d \n" % n) for n in range(before + 1, after))
    check(0 <= left_bytes - width <= 100, "%d bytes left out, said %d" % (width, left_bytes))
    headers = [line for line in lines if re.match(rb"--- attempt \d+, 20", line)]
    check(len(headers) == 2, "headers: %r" % headers)
    check(lines[-2:] == [b"line 3000000 ", b"standard error of 1500001"] or lines[-1] == b"line 3000000 ",
          "the end: %r" % lines[-2:])
    check(besom_log("--tail", "1000", str(trial)).splitlines() == lines[-1000:], "--tail over a long log")
    check(besom_log("--head", "1000", str(trial)).splitlines() == lines[:1000], "--head over a long log")


FOLLOWED = """#!/bin/sh
echo begin
while [ ! -e "$0.go" ]; do sleep 0.05; done
seq -f 'line %.0f ' 1 {count}
echo end
while [ ! -e "$0.end" ]; do sleep 0.05; done
"""


def check_follow(count):
    """What a follower prints are the lines in order; what it could not see in time it says."""
    name = "followed%d" % count
    with open(name + ".sh", "w") as file:
        file.write(FOLLOWED.replace("{count}", str(count)))
    os.chmod(name + ".sh", 0o755)
    with open(name + ".json", "w") as file:
        json.dump({"name": name, "config": {}, "trainer": [os.path.abspath(name + ".sh")]}, file)
    run = subprocess.Popen([BESOM, "run", name + ".json", "--out", "followed", "--json"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE)
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "trial_started":
            break
    follower = subprocess.Popen([BESOM, "log", "-f", str(event["trial"]), "--out", "followed"], stdout=subprocess.PIPE)
    out = b""
    while not out.endswith(b"end\n"):
        ready, _, _ = select.select([follower.stdout], [], [], 60)
        if not ready:
            break
        out += os.read(follower.stdout.fileno(), 1 << 20)
        if len(out) < 200 and out.count(b"\n") == 2:
            open(name + ".sh.go", "w").close()
    open(name + ".sh.end", "w").close()
    follower.terminate()
    follower.wait()
    run.stdout.read()
    check(run.wait() == 0, "the followed trial is complete")
    lines = out.splitlines()
    check(lines[1] == b"begin" and lines[-1] == b"end", "a follower sees begin and end: %r %r" % (lines[:3], lines[-3:]))
    numbers = [int(line.split()[1]) for line in lines if line.startswith(b"line ")]
    check(all(a < b for a, b in zip(numbers, numbers[1:])), "a follower sees lines in order, each once")
    notes = sum(int(re.findall(rb"(\d+) bytes", line)[0]) for line in lines if line.startswith(b"--- left out here"))
    seen = set(numbers)
    missing = sum(len("line %d \n" % n) for n in range(1, count + 1) if n not in seen)
    check(missing == notes, "a follower missed %d bytes and says %d" % (missing, notes))


write_sweep()
check_database(run_json())
check_terminal()
check_log_command()
check_long_log()
for lines_followed in (1000, 700000, 3000000):
    check_follow(lines_followed)
print("%d cases, %d failures" % (len(CASES), len(failures)))
sys.exit(1 if failures else 0)

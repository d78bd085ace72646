#!/usr/bin/env python3
"""`besom verify` finds what is damaged, and nothing where nothing is.

A folder of five sweeps that has all kinds of rows in it is copied and damaged in one way of verify_damage.py at a time:
verify has to end with 1 and to name the invariant and the place.  The good folder, the same on a read-only file
system, and folders whose runner was killed or is working have no violation, and no file of theirs is changed.

A damage is a case; what is left of the count are kills at random moments, verified before, at and after the
resumption."""
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

from campaign import Campaign, Failed, kill_all, orphans, run_besom, start_besom, wait_for, write_sweep
from sweeps import NAMES, make_sweeps
from verify_damage import DAMAGES, Folder

# Rows that the other sweeps do not have: values that are no numbers, values set aside, a trial that failed.
ODD = """#!/bin/sh
[ "$1" = 0.3 ] && exit 3
for n in 1 2 3; do
  case $n in 1) strange='"nan"' ;; 2) strange='"inf"' ;; *) strange=-0.0 ;; esac
  echo "{\\"epoch\\": $n, \\"val_accuracy\\": 0.$n$BESOM_ATTEMPT, \\"strange\\": $strange}"
  [ "$1$n$BESOM_ATTEMPT" = 0.121 ] && exit 1
done
exit 0
"""


def make_good(folder, sweeps):
    script = folder / "odd.sh"
    script.write_text(ODD)
    script.chmod(0o755)
    odd = write_sweep(folder / "odd.json", {
        "name": "odd", "config": {"epochs": 3}, "grid": {"rate": [0.1, 0.2, 0.3]}, "retries": 1,
        "trainer": [str(script), "{rate}"]})
    out = folder / "good"
    for name in NAMES:
        run_besom("run", sweeps[name], "--out", out, check=0)
    run_besom("run", odd, "--out", out, check=1)
    return out


def verify(out):
    """The exit status and the report."""
    done = run_besom("verify", "--out", out, "--json", "--show", "1000")
    return done.status, json.loads(done.out) if done.out else {}, done


def told(report, invariant, wanted):
    """Whether a violation of this invariant has all that is wanted."""
    for found in report.get("invariants", []):
        for bad in found["shown"] if found["name"] == invariant else []:
            if all(str(value) in str(bad.get(key, "")) if key == "text" else
                   str(bad.get(key, "")).endswith(value) if key == "file" else
                   bad.get(key) == value for key, value in wanted.items()):
                return True
    return False


def contents(out):
    """Every file by its content; -shm is SQLite's scratch."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(out).rglob("*")
            if path.is_file() and not path.name.endswith("-shm")}


def shown_violations(report):
    return [f"{found['name']}: {bad}" for found in report.get("invariants", []) for bad in found["shown"]][:5]


def try_damages(c, good):
    for name, invariant, function in DAMAGES:
        out = c.folder / "damaged"
        shutil.copytree(good, out, ignore=shutil.ignore_patterns("cache"), symlinks=True)
        wanted = function(Folder(out))
        status, report, done = verify(out)
        c.require(status == 1 and told(report, invariant, wanted),
                  f"{name}: no violation of {invariant} with {wanted}, status {status}: "
                  f"{shown_violations(report) or done}")
        shutil.rmtree(out)


def require_clean(c, out, what):
    before = contents(out)
    status, report, done = verify(out)
    c.require(status == 0, f"{what}: status {status}: {shown_violations(report) or done}")
    after = contents(out)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    c.require(not changed, f"{what}: verify has changed {sorted(changed)[:3]}")
    return report


def try_notes(c, good):
    """What is worth a word and no violation."""
    out = c.folder / "noted"
    shutil.copytree(good, out, ignore=shutil.ignore_patterns("cache"))
    trial = next((out / "trials").iterdir())
    (trial / ".cp-0009.safetensors.tmp").write_bytes(b"half")
    (out / "trials" / "somebody").mkdir()
    report = require_clean(c, out, "a temporary and a stranger's folder")
    notes = " ".join(note["file"] for note in report["notes_shown"] if "file" in note)
    c.require(".cp-0009.safetensors.tmp" in notes and "trials/somebody" in notes, f"not both in the notes: {notes}")
    shutil.rmtree(out)


def try_unreadable(c, good):
    out = c.folder / "unreadable"
    out.mkdir()
    (out / "results.db").write_bytes(b"this is no database, and long enough to be read as one\n" * 100)
    other = c.folder / "other"
    other.mkdir()
    with sqlite3.connect(other / "results.db") as db:
        db.execute("CREATE TABLE t (a)")
    newer = c.folder / "newer"
    shutil.copytree(good, newer, ignore=shutil.ignore_patterns("cache"))
    Folder(newer).sql("PRAGMA user_version = 1000")
    empty = c.folder / "empty"
    empty.mkdir()
    for folder, status, word in ((out, 74, "rebuild"), (other, 74, "no database of besom"), (newer, 74, "newer"),
                                 (empty, 74, "results.db"), (c.folder / "none", 2, "No such file")):
        done = run_besom("verify", "--out", folder)
        c.require(done.status == status and word in done.err, f"want {status} and \"{word}\": {done}")
    c.require(run_besom("verify", "--frob").status == 2, "an unknown option is misuse")


def try_read_only(c, folder, what):
    """A read-only file system, where root can make one; the folder has an unfinished write-ahead log, or none."""
    command = ["unshare", "-m", "sh", "-c", 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" verify -o "$1"',
               "sh", str(folder), os.path.join(os.environ["BESOM_BIN"], "besom")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        c.say(f"SKIPPED, {what} on a read-only file system: {done.stderr.strip()}")
        return
    c.require(done.returncode == 0 and "invariants hold" in done.stdout,
              f"{what}, read-only: {done.returncode} {done.stdout} {done.stderr}")


def try_kill(c, sweep, number):
    """A run is verified while it works, after its runner was killed, and after the next has finished it."""
    out = c.folder / "cut"
    shutil.rmtree(out, ignore_errors=True)
    runner = start_besom("run", sweep, "-j", "3", "--out", out)
    try:
        if not wait_for(lambda: (out / "trials").is_dir() and any((out / "trials").iterdir()), 30):
            raise Failed("a run that begins no trial")
        time.sleep(c.random.uniform(0, 0.3))
        status, report, done = verify(out)
        busy = runner.poll() is None
        c.detail(f"run {number}: " + ("at work" if busy else "had ended"))
        c.busy += busy
        c.require(status == 0, f"run {number}, at work ({busy}): {shown_violations(report) or done}")
        time.sleep(c.random.uniform(0, 0.1))
    finally:
        runner.kill()
        runner.wait()
    orphans(out, 10)
    require_clean(c, out, f"run {number}, killed")
    if number == 0:
        try_read_only(c, out, "a killed run")
    run_besom("run", sweep, "-j", "3", "--out", out, check=0)
    require_clean(c, out, f"run {number}, resumed")
    kill_all(out)


def main():
    c = Campaign("verify", default_count=len(DAMAGES) + 40, about=__doc__)
    sweeps = make_sweeps(c.folder / "sweeps", replicates=2)
    good = make_good(c.folder, sweeps)
    require_clean(c, good, "the good folder")
    try_read_only(c, good, "the good folder")
    try_notes(c, good)
    try_unreadable(c, good)
    try_damages(c, good)
    number = c.busy = 0
    while c.more():
        try_kill(c, sweeps[NAMES[number % len(NAMES)]], number)
        number += 1
    if number >= len(NAMES):
        c.require(c.busy > 0, f"none of {number} runs was still at work when it was verified")
    c.finish()


main()

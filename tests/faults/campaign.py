"""What the fault campaigns share.

A campaign runs `count` cases, each drawn from `random.Random(seed)`, and says of each whether a promise
held.  Its command line is

    tests/faults/NAME.py [--count N] [--seed S] [--keep] [--verbose]

It prints its seed first, progress on stderr, and at the end one line,

    NAME: N passed, N failed (seed S)

and leaves with 0, with 1 when a case failed, or with 77 when it could not run here (then it says so).

    c = Campaign("kills", default_count=200, about="...")
    whole = c.folder / "whole"
    run_besom("run", sweep, "--out", whole, check=0)
    while c.more():                             # until `count` cases were decided
        ...
        c.passed() or c.failed("kill 17: trial 3 lost epoch 2")
    c.finish()

BESOM_BIN is the folder of the built programs.  Everything that run_besom() and start_besom() start carries
a mark in its environment, by which alive() finds it, and all that it started, however it went away from
its parents.  Only the standard library is used."""
import argparse
import atexit
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MARK = "BESOM_CAMPAIGN"  # in the environment of all that a campaign starts: its folder

SKIPPED = 77

# In the background of a script SIGINT is ignored, and under nohup SIGHUP.  What a campaign starts would inherit that, and besom
# keeps to it; a handler is not inherited.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


def skip(why):
    """This machine cannot run the campaign: says so loudly and leaves with the status for it."""
    print(f"SKIPPED, nothing was tested: {why}", file=sys.stderr, flush=True)
    sys.exit(SKIPPED)


def program(name):
    """The path of a built program: besom, besom-trainer, besom-shim."""
    folder = os.environ.get("BESOM_BIN")
    if not folder:
        sys.exit("BESOM_BIN is not set: the folder of the built programs, as build/release/bin")
    path = pathlib.Path(folder).resolve() / name
    if not path.exists():
        sys.exit(f"{path} does not exist; build it first")
    return str(path)


def tool(name):
    """The path of a program that is built for these campaigns alone: flooder, breeder."""
    path = pathlib.Path(program("besom")).parent.parent / "tests" / name
    if not path.exists():
        sys.exit(f"{path} does not exist; build it first")
    return str(path)


class Campaign:
    """`count`, `seed`, `random`, `args` (the command line), `folder` (a fresh one, gone at the end).  A default_count of
    None is a campaign over a list of cases: it has no --count.  What is in `cleanups` is called at the end."""

    def __init__(self, name, default_count, about="", add_arguments=None):
        parser = argparse.ArgumentParser(description=about)
        if default_count is not None:
            parser.add_argument("--count", type=int, default=default_count, metavar="N",
                                help=f"how many cases (default: {default_count}, the short form)")
        parser.add_argument("--seed", type=int, metavar="S",
                            help="repeats an earlier campaign (default: from the clock)")
        parser.add_argument("--keep", action="store_true", help="leave the work folder behind")
        parser.add_argument("--verbose", action="store_true", help="say more of each case")
        parser.add_argument("--fail-fast", action="store_true", help="leave at the first failure")
        if add_arguments is not None:
            add_arguments(parser)
        self.args = parser.parse_args()
        self.name = name
        self.count = self.args.count if default_count is not None else None
        self.seed = self.args.seed if self.args.seed is not None else time.time_ns() % 1_000_000_000
        self.random = random.Random(self.seed)
        self.passes = self.failures = 0
        self.cleanups = []
        self._told = time.monotonic()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"besom-{name}-"))
        atexit.register(self._tidy)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that _tidy is called
        _environment_of_tests(self.folder)
        cases = "all" if self.count is None else self.count
        print(f"{name}: {cases} cases, seed {self.seed}", flush=True)

    def more(self):
        """Whether there are cases left."""
        return self.passes + self.failures < self.count

    def passed(self, cases=1):
        self.passes += cases
        now = time.monotonic()
        if now - self._told >= 5:
            self._told = now
            of = "" if self.count is None else f" of {self.count}"
            self.say(f"{self.passes + self.failures}{of}, {self.failures} failed")

    def failed(self, text):
        """`text` says what to do to see it again."""
        self.failures += 1
        self.say(f"FAILED: {text}")
        if self.args.fail_fast:
            self.finish()

    def decided(self, cases, wrong):
        """So many cases at once: all have passed when `wrong` is "", else all have failed, and it says why."""
        if wrong:
            self.failed(wrong)
            self.failures += max(cases, 1) - 1
        else:
            self.passed(cases)

    def require(self, condition, text):
        """A case that passes when the condition holds; returns it."""
        if condition:
            self.passed()
        else:
            self.failed(text)
        return condition

    def say(self, text):
        print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def detail(self, text):
        if self.args.verbose:
            self.say(text)

    def finish(self):
        """The last line, and the exit status."""
        print(f"{self.name}: {self.passes} passed, {self.failures} failed (seed {self.seed})",
              flush=True)
        sys.exit(1 if self.failures or not self.passes else 0)

    def _tidy(self):
        kill_all(self.folder)
        for cleanup in self.cleanups:
            cleanup()
        if self.args.keep:
            self.say(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def _environment_of_tests(folder):
    os.environ[MARK] = str(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    for name in ("NO_COLOR", "CI", "LD_PRELOAD"):
        os.environ.pop(name, None)


# ---- running besom ----


class Finished:
    """How a command ended: `status` (negative: the signal), `out`, `err` as text."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def __str__(self):
        return (f"{' '.join(self.command)}: status {self.status}\n"
                f"--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-4000:]}")


class Failed(Exception):
    """A command that a campaign relies on did not do what it should."""


def start_besom(*words, env=None, cwd=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                **more):
    """Starts `besom WORDS...` and returns its Popen.  `env` is added to the environment."""
    command = [program("besom"), *map(str, words)]
    return subprocess.Popen(command, env={**os.environ, **(env or {})}, cwd=cwd, stdout=stdout,
                            stderr=stderr, stdin=subprocess.DEVNULL, **more)


def run_besom(*words, check=None, timeout=600, stdout=subprocess.PIPE, **more):
    """Runs `besom WORDS...` to its end.  `check` is the status that it must end with (or several), else
    Failed is raised; past `timeout` seconds it is killed, and Failed raised."""
    process = start_besom(*words, stdout=stdout, stderr=subprocess.PIPE, **more)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise Failed(f"still running after {timeout} s: "
                     f"{Finished(process.args, None, _text(out), _text(err))}") from None
    done = Finished(process.args, process.returncode, _text(out), _text(err))
    wanted = () if check is None else check if isinstance(check, (tuple, list)) else (check,)
    if wanted and done.status not in wanted:
        raise Failed(f"status {done.status}, want {' or '.join(map(str, wanted))}: {done}")
    return done


def _text(data):
    return (data or b"").decode("utf-8", "replace")


def write_sweep(path, sweep):
    """Writes a sweep file, given as a dict; returns the path."""
    pathlib.Path(path).write_text(json.dumps(sweep, indent=1))
    return path


# ---- what a results folder holds ----


def query(out, sql, *values):
    """Rows of results.db, read as any reader would, beside a writer or after it died."""
    connection = sqlite3.connect(f"file:{out}/results.db?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def canonical(out):
    """All that must not depend on interruptions, as sorted lines of text: each metric of each epoch with its
    kind and bits, each look at a layer, and each trial's status, epochs and end; by the trial's key."""
    lines = [f"value {key} {epoch} {metric} {kind} {bits & 0xFFFFFFFFFFFFFFFF:016x}"
             for key, epoch, metric, kind, bits in query(
                 out, "SELECT t.key, v.epoch, m.name, v.kind, v.bits FROM value v"
                      " JOIN metric m ON m.id = v.metric JOIN trial t ON t.id = v.trial")]
    lines += [f"epoch {key} {epoch}" for key, epoch in query(
        out, "SELECT t.key, e.epoch FROM epoch e JOIN trial t ON t.id = e.trial")]
    lines += ["layer " + " ".join(map(repr, row)) for row in query(
        out, "SELECT t.key, l.epoch, l.layer, l.mean, l.std, l.min, l.max, l.dead, l.saturated, l.histogram,"
             " l.histogram_low, l.histogram_high, l.position, l.gradient_mean, l.gradient_std,"
             " l.gradient_histogram, l.gradient_low, l.gradient_high, l.update_ratio"
             " FROM layer l JOIN trial t ON t.id = l.trial")]
    lines += [f"trial {key} {status} {done} of {epochs} {stopped}" for key, status, done, epochs, stopped in query(
        out, "SELECT key, status, epochs_done, epochs, stopped FROM trial")]
    lines += ["summary " + " ".join(map(repr, row)) for row in query(
        out, "SELECT t.key, m.name, s.low, s.low_epoch, s.high, s.high_epoch, s.last, s.last_epoch"
             " FROM summary s JOIN metric m ON m.id = s.metric JOIN trial t ON t.id = s.trial")]
    lines += [f"superseded {key} {epoch} {bits}" for key, epoch, bits in query(
        out, "SELECT t.key, s.epoch, s.bits FROM superseded s JOIN trial t ON t.id = s.trial")]
    # A trainer that tells again what its state has loses no epoch, so that its trial never begins again.
    lines += [f"begun again {key}" for key, in query(
        out, "SELECT t.key FROM attempt a JOIN trial t ON t.id = a.trial WHERE a.reason = 'missing epochs'"
             " AND json_extract(t.config, '$.tell_first') IS NULL")]
    return sorted(lines)


# What a trainer leaves in a trial's folder and what depends on the trial alone begins with one of these: our
# checkpoints and their temporaries, so that one that was forgotten is a difference; a foreign trainer's.
STATE_NAMES = ("cp-", ".cp-", "state")


def checkpoint_hashes(out):
    """The trainers' files by content: "KEY/cp-0003.safetensors" -> SHA-256."""
    hashes = {}
    for path in sorted(pathlib.Path(out, "trials").glob("*/*")):
        if path.name.startswith(STATE_NAMES):
            hashes[f"{path.parent.name}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def results(out):
    """canonical() and checkpoint_hashes() as one comparable list of lines."""
    return canonical(out) + [f"file {name} {digest}" for name, digest in
                             sorted(checkpoint_hashes(out).items())]


def differences(got, want, most=6):
    """What differs between two results(); "" when nothing does."""
    got, want = set(got), set(want)
    lines = [f"- {line}" for line in sorted(want - got)] + [f"+ {line}" for line in sorted(got - want)]
    rest = f"\n... and {len(lines) - most} more" if len(lines) > most else ""
    return "\n".join(lines[:most]) + rest


def integrity(out):
    """"ok", or what SQLite finds wrong with results.db."""
    return "\n".join(row[0] for row in query(out, "PRAGMA integrity_check"))


# ---- processes ----


def alive(folder, but=()):
    """pid -> command of the processes that belong to `folder` (a results folder, or a campaign's own): runner,
    shims, trainers, and whatever those started, in whatever session it is.  Zombies are not alive."""
    folder = str(pathlib.Path(folder).resolve())
    marks = (f"BESOM_CHECKPOINT_DIR={folder}/".encode(), f"{MARK}={folder}\0".encode())
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid() or int(name) in but:
            continue
        try:
            environment = pathlib.Path("/proc", name, "environ").read_bytes() + b"\0"
            if any(mark in environment for mark in marks) and _state(name) not in "ZX":
                words = pathlib.Path("/proc", name, "cmdline").read_bytes().split(b"\0")
                found[int(name)] = b" ".join(words).decode("utf-8", "replace").strip()
        except (OSError, IndexError):
            pass  # it ended meanwhile, or is another user's
    return found


def _state(pid):
    stat = pathlib.Path("/proc", str(pid), "stat").read_text("utf-8", "replace")
    return stat.rpartition(")")[2].split()[0]


def trainers(folder):
    """The pids of the processes of `folder` whose program is besom-trainer."""
    return [pid for pid in alive(folder) if _program(pid) == "besom-trainer"]


def _program(pid):
    try:
        return pathlib.Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return ""


def wait_for(condition, seconds, pause=0.02):
    """Whether condition() became true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True


def orphans(folder, seconds=1.0):
    """What of `folder` is alive still so many seconds after its runner ended: {} as soon as nothing is."""
    wait_for(lambda: not alive(folder), seconds)
    return alive(folder)


def kill_all(folder):
    """Ends whatever of `folder` is alive, and waits until it is gone."""
    def kill_once():
        left = alive(folder)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not left
    wait_for(kill_once, 10)


# ---- what was shown ----


def shown(lines):
    """(trial, epoch, metric, value's bits) of every epoch in the output of `besom run --json`, given as bytes.  A last
    line that was cut short was not shown."""
    found = set()
    for line in lines.split(b"\n")[:-1]:
        event = json.loads(line)
        if event["event"] == "epoch":
            found |= {(event["trial"], event["epoch"], metric, _bits(value))
                      for metric, value in event["metrics"].items()}
    return found


def stored(out):
    """The same of results.db."""
    return {(trial, epoch, metric, bits & 0xFFFFFFFFFFFFFFFF) for trial, epoch, metric, bits in query(
        out, "SELECT v.trial, v.epoch, m.name, v.bits FROM value v JOIN metric m ON m.id = v.metric")}


def lost(promised, out):
    """What results.db lacks of `promised`, the union of what was shown(); "" when it has all."""
    missing = promised - stored(out) if promised else set()  # before anything was shown there may be no database
    return f"{len(missing)} values that were shown are lost: {sorted(missing)[:3]}" if missing else ""


def _bits(value):
    """Of a number as besom prints it, where what JSON cannot say is a string."""
    return int.from_bytes(struct.pack(">d", float(value)), "big")

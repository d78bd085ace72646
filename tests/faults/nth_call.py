#!/usr/bin/env python3
"""The n-th call of a kind fails: of malloc, open, read, write, close, fsync, fdatasync, ftruncate, rename, unlink, mkdir, flock,
mmap, pipe, fork, pthread_create, in besom or in besom-trainer, once or from then on, with the errors that the kernel gives
for it.  Each case is a run of a small sweep, drawn at random, and asserts that
  - the run ends, within a bound, with a documented status: 0, 1, 2, 71, 74, 75; and when it is not 0, says why;
    where it pauses until there is room, it says so, and ends with 143 when it is asked to,
  - no trainer died by a signal that nobody sent,
  - nothing of it is left running,
  - the same command without the fault then ends as an undisturbed sweep does: metrics, statuses, checkpoints.
`--asan DIR` names a build with the address sanitizer, on whose programs the cases are run instead: then a leak or an error
that it finds is a failed case, too (status 99 of the sanitizer)."""
import concurrent.futures
import os
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

from campaign import (Campaign, Failed, Finished, differences, orphans, query, results, run_besom, start_besom,
                      write_sweep)
from inject import Injection, Rule

BOUND_S = 60  # the waits of a full disk and of a lock are shorter
DOCUMENTED = {0, 1, 2, 71, 74, 75}
SANITIZER_STATUS = 99

FILE = "/*"  # pipes, sockets and event descriptors do not fail so
OUT = "*/out*"
# call -> pattern, errors
FAULTS = {
    "malloc": ("*", ["ENOMEM"]),
    "open": (FILE, ["EMFILE", "EIO", "ENOMEM", "ENOSPC", "EACCES"]),
    "read": (OUT, ["EIO"]),
    "write": (OUT, ["ENOSPC", "EIO", "EDQUOT"]),
    "close": (OUT, ["EIO", "ENOSPC"]),
    "fsync": (OUT, ["EIO", "ENOSPC"]),
    "fdatasync": (OUT, ["EIO", "ENOSPC"]),
    "ftruncate": (OUT, ["EIO", "ENOSPC"]),
    "rename": (OUT, ["EIO", "ENOSPC", "EACCES"]),
    "unlink": (OUT, ["EIO", "EACCES"]),
    "mkdir": (OUT, ["ENOSPC", "EACCES"]),
    "flock": (OUT, ["ENOMEM"]),
    "mmap": ("*", ["ENOMEM"]),
    "pipe": ("*", ["EMFILE", "ENFILE"]),
    "fork": ("*", ["EAGAIN", "ENOMEM"]),
    "thread": ("*", ["EAGAIN"]),
}
PROGRAMS = ("besom", "besom-trainer")

SWEEP = {
    "name": "calls", "retries": 2,
    "config": {
        "dataset": {"name": "blobs", "train": 48, "test": 16}, "epochs": 3, "batch_size": 16, "ema": 0.9,
        "model": {"layers": ["batch_norm", {"type": "dense", "units": 3}]},
        "checkpoint": {"every_batches": 2, "keep": 1}, "inspect": {"every": 2},
    },
    "grid": {"optimizer": ["momentum", "adam"]},
}


class Calls:
    def __init__(self):
        def more_arguments(parser):
            parser.add_argument("--asan", metavar="DIR", help="build folder with sanitizers to take the programs from")
            parser.add_argument("--jobs", type=int, default=3, metavar="N",
                                help="cases at a time (3): most of a case is waiting, and three keep one core busy")
            parser.add_argument("--rule", metavar="TEXT", help="one case: program,call,nth,errno as a failure printed it")
        self.c = Campaign("nth_call", default_count=250, about=__doc__, add_arguments=more_arguments)
        self.sanitized = {}
        if self.c.args.asan:
            os.environ["BESOM_INJECT_LIBRARY"] = str(pathlib.Path(os.environ["BESOM_BIN"], "../tests/libinject.so").resolve())
            os.environ["BESOM_BIN"] = str(pathlib.Path(self.c.args.asan, "bin").resolve())
            self.sanitized = {
                "ASAN_OPTIONS": f"verify_asan_link_order=0:allocator_may_return_null=1:exitcode={SANITIZER_STATUS}",
                "LSAN_OPTIONS": f"exitcode={SANITIZER_STATUS}"}
        self.sweep = write_sweep(self.c.folder / "sweep.json", SWEEP)
        run_besom("run", self.sweep, "-j", "2", "--out", self.c.folder / "whole", check=0)
        self.whole = results(self.c.folder / "whole")
        self.counts = self.count_calls()

    def count_calls(self):
        """How often each call is met in an undisturbed run: up to there n is drawn."""
        rules = [Rule(program, call, FAULTS[call][0], "before", 10**9, FAULTS[call][1][0])
                 for program in PROGRAMS for call in FAULTS]
        fault = Injection(self.c.folder, rules)
        run_besom("run", self.sweep, "-j", "2", "--out", self.c.folder / "out", check=0, env={**fault.env, **self.sanitized})
        return {(rule.program, rule.call): fault.met(i) for i, rule in enumerate(rules) if fault.met(i) > 0}

    def draw(self):
        program, call = self.c.random.choice(sorted(self.counts))
        # Small numbers, where things are set up, as often as all others.
        most = self.counts[program, call]
        nth = self.c.random.randint(1, most if self.c.random.random() < 0.5 else min(most, 40))
        on = "+" if self.c.random.random() < 0.4 else ""
        return Rule(program, call, FAULTS[call][0], "before", f"{nth}{on}", self.c.random.choice(FAULTS[call][1]))

    def case(self, rule):
        folder = self.c.folder / threading.current_thread().name
        folder.mkdir(exist_ok=True)
        out, log = folder / "out", folder / "log"
        shutil.rmtree(out, ignore_errors=True)
        done, paused = self.run_with(Injection(folder, [rule]), out, log)
        if done is None:
            return f"still running after {BOUND_S} s, its words:\n{log.read_text()[-1500:]}"
        self.statuses[done.status] = self.statuses.get(done.status, 0) + 1
        if done.status == -6 and rule.program == "besom" and rule.call == "pipe":
            pass  # uv_loop_init() aborts without one, in the moment after besom saw that there are some
        elif done.status not in (DOCUMENTED | {143} if paused else DOCUMENTED):
            return f"status {done.status}: {done}"
        if done.status > 0 and not done.err.strip():
            return f"status {done.status} without a word"
        left = orphans(out, 3)
        if left:
            return f"left running: {left}"
        wrong = self.wrong_ends(out)
        if wrong:
            return wrong
        return self.go_on(out)

    def run_with(self, fault, out, log):
        """(how it ended or None, whether it was asked to stop).  Where the disk is full or no process can be had, besom says
        so and waits for better times; as those never come when all calls fail from then on, it is asked to stop."""
        with open(log, "wb") as words:
            runner = start_besom("run", self.sweep, "-j", "2", "--retries", "0", "--out", out, stderr=words,
                                 env={**fault.env, **self.sanitized})
        end, paused = time.monotonic() + BOUND_S, False
        while runner.poll() is None and time.monotonic() < end:
            if not paused and b"paused" in log.read_bytes():
                paused = True
                try:
                    runner.wait(1)  # if it was for once, it goes on by now
                except subprocess.TimeoutExpired:
                    runner.terminate()
            time.sleep(0.02)
        if runner.poll() is None:
            runner.kill()
            runner.wait()
            return None, paused
        return Finished(runner.args, runner.returncode, "", log.read_text(errors="replace")), paused

    @staticmethod
    def wrong_ends(out):
        """Attempts that ended by a signal or a status that is not documented.  SIGTERM ends a trainer that was asked to leave before
        it could catch it."""
        if not (out / "results.db").exists() or (out / "results.db").stat().st_size == 0:
            return ""
        try:
            rows = query(out, "SELECT attempt, exit_status, signal, message, log_tail FROM attempt"
                              " WHERE signal <> 9 AND NOT (signal = 15 AND reason = 'interrupted') OR exit_status NOT IN (0, 1, 2, 71, 74, 85, 125, 126)")
        except sqlite3.OperationalError:  # no tables yet, or a journal of making them that a reader may not roll back
            return ""
        return f"a trainer's end: {rows[0]}" if rows else ""

    def go_on(self, out):
        try:
            run_besom("run", self.sweep, "-j", "2", "--retry-failed", "--out", out, check=0, timeout=BOUND_S)
        except Failed as failure:
            return f"afterwards: {failure}"
        return differences(results(out), self.whole)

    def run(self):
        self.statuses = {}
        if self.c.args.rule:
            program, call, nth, error = self.c.args.rule.split(",")
            rule = Rule(program, call, FAULTS[call][0], "before", nth, error)
            wrong = self.case(rule)
            self.c.require(not wrong, f"{rule}: {wrong}")
            self.c.finish()
        rules = [self.draw() for _ in range(self.c.count)]
        with concurrent.futures.ThreadPoolExecutor(self.c.args.jobs, "worker") as workers:
            for rule, wrong in zip(rules, workers.map(self.case, rules)):
                self.c.require(not wrong, f"--rule {rule.program},{rule.call},{rule.nth},{rule.action}: {wrong}")
        self.c.say("statuses: " + ", ".join(f"{n} x {status}" for status, n in sorted(self.statuses.items())))
        self.c.finish()


Calls().run()

#!/usr/bin/env python3
"""Random SIGKILLs of the runner, of workers, of a shim, or of several at once, now and then right after a SIGTERM that
made everybody save.  Sweeps of sweeps.py are killed again and again until they are done, each with another number
of workers.  Then
  - every epoch that `besom run --json` had shown before a kill is in the database, with its bits,
  - nothing outlives a killed runner,
  - metrics, statuses and checkpoints equal those of the sweep that nobody disturbed, bit for bit.

A kill is a case.  The kills of a sweep whose end is another than it should be have all failed."""
import os
import shutil
import signal
import subprocess
import sys
import time

from campaign import (Campaign, Failed, alive, differences, integrity, orphans, results, run_besom, shown, skip,
                      start_besom, stored, trainers)
from sweeps import NAMES, make_sweeps

# The promise is a second.  A machine that is loaded beyond measure gets more before it counts as broken; faults.orphans
# measures the second itself.
ORPHAN_S = 3.0

# From one blow to the next at most so much of what the undisturbed sweep took here and now.
SHARE = 0.2

WAYS = ("runner", "worker", "worker", "shim", "both", "all", "term")


class Storm:
    """One sweep, killed until it is done or the campaign has its count."""

    def __init__(self, campaign, name, sweep, whole, longest_s):
        self.longest_s = longest_s
        self.c, self.name, self.sweep, self.whole = campaign, name, sweep, whole
        self.out = campaign.folder / "cut"
        self.kills = 0
        self.promised = set()
        self.wrong = []

    def run(self, most):
        shutil.rmtree(self.out, ignore_errors=True)
        done = False
        while self.kills < most and not done and not self.wrong:
            done = self.life(most)
        if not self.wrong:
            self.finish()

    def life(self, most):
        """Starts a runner and kills until it is dead; True when it came to its end instead."""
        path = self.c.folder / "lines"
        with open(path, "wb") as lines, open(self.c.folder / "log", "wb") as log:
            runner = start_besom("run", self.sweep, "--json", "-j", str(self.c.random.randint(1, 4)),
                                 "--out", self.out, stdout=lines, stderr=log)
            while runner.poll() is None and self.kills < most:
                try:
                    runner.wait(self.c.random.uniform(0.003, self.longest_s))
                except subprocess.TimeoutExpired:
                    if self.strike(runner):
                        break
            if runner.poll() is None:
                runner.kill()  # the campaign has its count
            status = runner.wait()
        if status not in (0, -signal.SIGKILL, -signal.SIGTERM, 143):  # -15: before it caught any
            self.wrong.append(f"status {status} of a runner: {log_of(self.c.folder / 'log')}")
        left = orphans(self.out, ORPHAN_S)
        if left:
            self.wrong.append(f"outlived the runner by {ORPHAN_S} s: {left}")
        self.promised |= shown(path.read_bytes())
        lost = self.promised - stored(self.out) if self.promised else set()
        if lost:
            self.wrong.append(f"{len(lost)} shown values are lost: {sorted(lost)[:3]}")
        return status == 0

    def strike(self, runner):
        """Kills in one way; True when the runner is dead."""
        way = self.c.random.choice(WAYS)
        family = sorted(alive(self.out)) if way in ("shim", "all") else []
        workers = trainers(self.out) if way in ("worker", "both") else []
        if way == "term":
            kill(runner.pid, signal.SIGTERM)
            time.sleep(self.c.random.uniform(0, 0.02))
        if way in ("runner", "both", "all", "term"):
            self.kills += kill(runner.pid)
        if way in ("worker", "both") and workers:
            self.kills += kill(self.c.random.choice(workers))
        if way == "shim" and family:
            self.kills += kill(self.c.random.choice(family))  # a shim or a trainer
        if way == "all":
            for pid in family:
                kill(pid)  # one blow
        return way in ("runner", "both", "all", "term")

    def finish(self):
        try:
            run_besom("run", self.sweep, "-j", "2", "--out", self.out, check=0)
            run_besom("verify", "--out", self.out, check=0)
        except Failed as failure:
            self.wrong.append(str(failure))
            return
        found = differences(results(self.out), self.whole)
        if found:
            self.wrong.append(f"ended otherwise than undisturbed:\n{found}")
        if integrity(self.out) != "ok":
            self.wrong.append(integrity(self.out))
        lost = self.promised - stored(self.out)
        if lost:
            self.wrong.append(f"{len(lost)} shown values are lost in the end: {sorted(lost)[:3]}")


def kill(pid, number=signal.SIGKILL):
    """1 when there was something to kill."""
    try:
        os.kill(pid, number)
        return 1
    except ProcessLookupError:
        return 0


def log_of(path):
    return path.read_text(errors="replace")[-1500:]


def main():
    c = Campaign("kills", default_count=200, about=__doc__)
    sweeps = make_sweeps(c.folder / "sweeps", replicates=8)
    whole, longest_s = {}, {}
    for name in NAMES:
        started = time.monotonic()
        run_besom("run", sweeps[name], "-j", "2", "--out", c.folder / name, check=0)
        longest_s[name] = SHARE * (time.monotonic() - started)
        whole[name] = results(c.folder / name)
        if not any(line.startswith("file ") for line in whole[name]):
            skip(f"{name} left no checkpoints")
    storms = idle = 0
    while c.more():
        name = NAMES[storms % len(NAMES)]
        storm = Storm(c, name, sweeps[name], whole[name], longest_s[name])
        storm.run(c.count - c.passes - c.failures)
        storms += 1
        idle = idle + 1 if storm.kills == 0 else 0
        if storm.wrong:
            text = "\n".join(storm.wrong)
            c.failed(f"sweep {storms} ({name}) after {storm.kills} kills, {storm.out}: {text}")
            c.failures += max(storm.kills, 1) - 1
            if c.args.keep:
                sys.exit(1)  # as it is, to be looked at
        else:
            c.passed(storm.kills)
        c.detail(f"sweep {storms} ({name}): {storm.kills} kills, {len(storm.promised)} values shown before them")
        if idle > 40:
            c.failed("no sweep lives long enough to be killed")
            break
    c.say(f"{storms} sweeps")
    c.finish()


main()

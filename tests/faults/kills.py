#!/usr/bin/env python3
"""Random SIGKILLs of the runner, of workers, of a shim, or of several at once, now and then right after a SIGTERM that
made everybody save.  Sweeps of sweeps.py are killed again and again until they are done, each with another number
of workers.  Then
  - every epoch that `besom run --json` had shown before a kill is in the database, with its bits,
  - nothing outlives a killed runner,
  - metrics, statuses and checkpoints equal those of the sweep that nobody disturbed, bit for bit, also of a trainer
    that tells each epoch once ("told").  What it told and saved is taken from its log; what was still in its pipe
    is not: then its trial begins again, and how often that was is told at the end.

A kill is a case.  The kills of a sweep whose end is another than it should be have all failed."""
import os
import shutil
import signal
import subprocess
import sys
import time

from campaign import Campaign, alive, lost, orphans, query, shown, start_besom, trainers
from sweeps import NAMES, make_sweeps, run_to_its_end, run_undisturbed

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
        self.wrong = ""

    def run(self, most):
        shutil.rmtree(self.out, ignore_errors=True)
        done = False
        while self.kills < most and not done and not self.wrong:
            done = self.life(most)
        if not self.wrong:
            self.wrong = run_to_its_end(self.sweep, self.out, self.whole, self.promised)

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
            self.wrong += f"\nstatus {status} of a runner: {log_of(self.c.folder / 'log')}"
        left = orphans(self.out, ORPHAN_S)
        if left:
            self.wrong += f"\noutlived the runner by {ORPHAN_S} s: {left}"
        self.promised |= shown(path.read_bytes())
        self.wrong += lost(self.promised, self.out)
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


def kill(pid, number=signal.SIGKILL):
    """1 when there was something to kill."""
    try:
        os.kill(pid, number)
        return 1
    except ProcessLookupError:
        return 0


def log_of(path):
    return path.read_text(errors="replace")[-1500:]


def begun_again(out):
    """Trials of this sweep that had to, as an epoch was missing."""
    return query(out, "SELECT count(*) FROM attempt WHERE reason = 'missing epochs'")[0][0]


def only(parser):
    parser.add_argument("--only", metavar="NAME", choices=NAMES, help="the sweeps of this name alone")


def main():
    c = Campaign("kills", 100, __doc__, only)
    names = [c.args.only] if c.args.only else NAMES
    sweeps = make_sweeps(c.folder / "sweeps", replicates=8)
    whole, seconds = run_undisturbed(c.folder, {name: sweeps[name] for name in names})
    storms = idle = again = 0
    while c.more():
        name = names[storms % len(names)]
        storm = Storm(c, name, sweeps[name], whole[name], SHARE * seconds[name])
        storm.run(c.count - c.passes - c.failures)
        storms += 1
        again += begun_again(storm.out)
        idle = idle + 1 if storm.kills == 0 else 0
        c.decided(storm.kills, storm.wrong and
                  f"sweep {storms} ({name}) after {storm.kills} kills, {storm.out}: {storm.wrong}")
        if storm.wrong and c.args.keep:
            sys.exit(1)  # as it is, to be looked at
        c.detail(f"sweep {storms} ({name}): {storm.kills} kills, {len(storm.promised)} values shown before them")
        if idle > 40:
            c.failed("no sweep lives long enough to be killed")
            break
    c.say(f"{storms} sweeps, {again} trials begun again")
    c.finish()


main()

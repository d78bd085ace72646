#!/usr/bin/env python3
"""Power cuts at random moments of a sweep.  Its folder is on an ext4 image of its own, which is shut down without its
journal being flushed, again and again.  After each cut
  - every epoch that `besom run --json` had shown before it is in the database, with the same bits,
  - the database is whole,
and when a sweep of sweeps.py is done, its metrics, statuses and checkpoints equal those of an undisturbed one.

A cut is a case.  Needs root, loop devices and ext4; elsewhere it says that it was skipped and exits 77."""
import os
import shutil
import signal
import subprocess

from campaign import Campaign, integrity, lost, orphans, shown, skip, start_besom
from loop_disk import LoopDisk
from sweeps import NAMES, make_sweeps, run_to_its_end, run_undisturbed

# From a start to the cut at most so much of what the undisturbed sweep took here and now, so that a machine that is busy is
# not cut off before anything has happened.
SHARE = 0.5


class Cuts:
    """One sweep, whose disk loses its power until it is done."""

    def __init__(self, campaign, disk, name, sweep, whole, longest_s):
        self.longest_s = longest_s
        self.c, self.disk, self.name, self.sweep, self.whole = campaign, disk, name, sweep, whole
        self.out = disk.folder / "out"
        self.cuts = self.shown_before = 0
        self.promised = set()

    def run(self, most):
        """What is wrong, or ""."""
        shutil.rmtree(self.out, ignore_errors=True)
        os.sync()  # or a cut brings back what was here before
        wrong, done = "", False
        while not wrong and not done and self.cuts < most:
            wrong, done = self.round()
        return wrong or run_to_its_end(self.sweep, self.out, self.whole, self.promised)

    def round(self):
        path = self.c.folder / "lines"
        with open(path, "wb") as lines, open(self.c.folder / "log", "wb") as log:
            runner = start_besom("run", self.sweep, "--json", "-j", str(self.c.random.randint(1, 3)),
                                 "--out", self.out, stdout=lines, stderr=log)
            try:
                runner.wait(self.c.random.uniform(0.01, self.longest_s))
                return self.ended(runner.returncode)
            except subprocess.TimeoutExpired:
                pass
            said = self.disk.cut(path)
            self.cuts += 1
            if self.c.random.random() < 0.5:
                runner.kill()  # else it meets a disk that answers nothing but errors
            status = runner.wait()
        if status not in (0, 74, -signal.SIGKILL):
            return f"status {status} after the cut: {self.log()}", False
        left = orphans(self.disk.folder, 3)
        self.disk.reconnect()
        if left:
            return f"outlived the runner: {left}", False
        self.promised |= shown(path.read_bytes()[:said])
        return self.look(), False

    def ended(self, status):
        return ("", True) if status == 0 else (f"status {status} without a cut: {self.log()}", True)

    def log(self):
        return (self.c.folder / "log").read_text(errors="replace")[-1500:]

    def look(self):
        """What the cut did to the database; in a copy, since a reader might recover it in place."""
        copy = self.c.folder / "look"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in self.out.glob("results.db*"):
            shutil.copy(path, copy)
        if not self.promised:
            return ""
        return lost(self.promised, copy) or ("" if integrity(copy) == "ok" else integrity(copy))


def main():
    c = Campaign("power_cut", default_count=30, about=__doc__)
    disk = LoopDisk.make(c)
    if disk is None:
        skip("power cuts need root, loop devices and ext4")
    sweeps = make_sweeps(c.folder / "sweeps", replicates=8)
    whole, seconds = run_undisturbed(c.folder, sweeps)
    sweeps_done = values = 0
    while c.more():
        name = NAMES[sweeps_done % len(NAMES)]
        cuts = Cuts(c, disk, name, sweeps[name], whole[name], SHARE * seconds[name])
        wrong = cuts.run(c.count - c.passes - c.failures)
        sweeps_done += 1
        values += len(cuts.promised)
        c.decided(cuts.cuts, wrong and f"sweep {sweeps_done} ({name}) after {cuts.cuts} cuts: {wrong}")
        c.detail(f"sweep {sweeps_done} ({name}): {cuts.cuts} cuts, {len(cuts.promised)} values shown before them")
    c.say(f"{sweeps_done} sweeps, {values} values shown before a cut")
    if values == 0:
        c.failed("nothing was shown before any cut")
    c.finish()


main()

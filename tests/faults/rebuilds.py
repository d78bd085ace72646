#!/usr/bin/env python3
"""`besom rebuild` meets its end, or an error, at each of its system calls.  The folder is one that a killed runner left, with a
results.db that is damaged and has its write-ahead log beside it.  In turn
    kill     before the call, and after it
    cut      of the power, before and after the calls that order what is on the disk (a loop-mounted ext4, as root; else these
             are left out, loudly)
    EIO      it fails, once
Then results.db is the old one, or missing, and refused by its name, or it is the new one; a failure was told; and another rebuild
makes what one that nobody disturbs does: all rows of all tables, and nothing is left in its work folder.

`--only TEXT` takes the cases with this in their names."""
import os
import shutil

from campaign import Campaign, Failed, run_besom
from damaged_db import Damage, differences, everything, rows
from inject import Injection, Rule
from loop_disk import LoopDisk

CALLS = ("open", "write", "fdatasync", "fsync", "rename", "unlink", "mkdir", "ftruncate")
CUT = ("fdatasync", "fsync", "rename")  # of the others it would be as at the next of these
MOST = 6  # of a kind: the first and the last ones
B, OUT = "besom", "*/out*"


class Rebuilds:
    def __init__(self):
        def more_arguments(parser):
            parser.add_argument("--only", default="", metavar="TEXT", help="the cases with this in their names")
        self.c = Campaign("rebuilds", default_count=None, about=__doc__, add_arguments=more_arguments)
        self.disk = LoopDisk.make(self.c)
        if self.disk is None:
            self.c.say("POWER CUTS ARE LEFT OUT: they need root, loop devices and ext4")
        damage = Damage(self.c)
        self.wanted = damage.rebuilt[True]
        self.begun = self.c.folder / "killed"
        with open(self.begun / "results.db", "r+b") as file:
            file.write(b"damaged" * 100)
        self.damaged = (self.begun / "results.db").read_bytes()

    def fresh(self, on_disk):
        base = self.disk.folder if on_disk else self.c.folder / "plain"
        base.mkdir(exist_ok=True)
        shutil.rmtree(base / "out", ignore_errors=True)
        shutil.copytree(self.begun, base / "out")
        return base / "out"

    def disturb(self, rule):
        """The folder, and how the rebuild ended."""
        on_disk = rule.action == "cut"
        out = self.fresh(on_disk)
        if on_disk:
            os.sync()  # what was there before has to be there after the cut
        fault = Injection(self.c.folder, [rule], fs=self.disk.folder if on_disk else None)
        done = run_besom("rebuild", "--out", out, env=fault.env, timeout=60)
        if on_disk:
            self.disk.reconnect()
        if fault.fired() == 0:
            raise Failed(f"was not met: {fault.met()} times, {done}")
        return out, done

    def counts(self):
        """How often each call is met when nothing happens, by (call, before or after): a call that fails has no after."""
        out = self.fresh(False)
        sites = [(call, when) for call in CALLS for when in ("before", "after")]
        fault = Injection(self.c.folder, [Rule(B, call, OUT, when, 10**9, "kill") for call, when in sites])
        run_besom("rebuild", "--out", out, check=0, env=fault.env)
        return {site: fault.met(i) for i, site in enumerate(sites)}

    def state(self, out):
        """What is wrong with results.db as it is now."""
        path = out / "results.db"
        if path.exists() and path.read_bytes() != self.damaged:
            return differences(rows(out, everything), self.wanted)
        told = run_besom("status", "--out", out)
        good = told.status == 74 and "results.db" in told.err and "rebuild" in told.err
        return "" if good else f"an old one is not refused: {told}"

    def again(self, out):
        done = run_besom("rebuild", "--out", out)
        if done.status == 2 and "is intact" in done.err:
            done = run_besom("rebuild", "--force", "--out", out)
        if done.status != 0:
            return f"no way out: {done}"
        if (out / "rebuild.tmp").exists():
            return "rebuild.tmp is left"
        return differences(rows(out, everything), self.wanted)

    def case(self, rule):
        out, done = self.disturb(rule)
        if rule.action == "EIO" and done.status not in (0, 74):
            return f"after EIO: {done}"
        if done.status > 0 and not done.err.strip():
            return f"status {done.status} without a word"
        wrong = self.state(out)
        if not wrong and done.status == 0 and (out / "results.db").read_bytes() == self.damaged:
            wrong = f"said to be made anew, and is not: {done}"
        return wrong or self.again(out)

    def rules(self):
        for (call, when), count in self.counts().items():
            if count == 0:
                self.c.failed(f"{call}: never met {when}")
            numbers = range(1, count + 1)
            for nth in sorted({*numbers[:MOST // 2], *numbers[-MOST // 2:]}):
                yield Rule(B, call, OUT, when, nth, "kill")
                if self.disk is not None and call in CUT:
                    yield Rule(B, call, OUT, when, nth, "cut")
                if when == "before":
                    yield Rule(B, call, OUT, when, nth, "EIO")

    def run(self):
        for rule in self.rules():
            name = f"{rule.call}-{rule.nth}-{rule.when}-{rule.action}"
            if self.c.args.only in name:
                try:
                    wrong = self.case(rule)
                except Failed as failure:
                    wrong = str(failure)
                self.c.require(not wrong, f"{name}: {wrong}")
        self.c.finish()


Rebuilds().run()

#!/usr/bin/python3
"""A runner that is killed leaves nothing behind: one second later no process of its trials is alive, whatever they
have done to get away.

A case is one runner with three trials at once, each of which breeds processes in two ways of breeder.c: children,
daemons in sessions of their own, ones that ignore every signal or have thrown their environment away, ones that fork
without end.  The runner gets SIGKILL at a random moment, before, while or after they breed; a second later everything is
counted whose program is this campaign's copy of the breeder, and whatever carries the folder's mark.  Zombies are
dead: their state is read in /proc.
"""
import os
import pathlib
import shutil
import signal
import sys
import time

from campaign import Campaign, Failed, alive, start_besom, tool, write_sweep

TAME = ["child", "daemon", "stubborn", "nameless", "stopped"]
WILD = ["chain", "race", "fan"]  # fork without end: where the shim does not take in their dead, nobody soon does
PROMISE_S = 1.0
BATCH = 3  # runners at once
LOOKS = 10


def of_program(program):
    """pid -> state of the living processes whose program is that file; they need no environment to be found."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/exe") == program:
                    stat = pathlib.Path("/proc", name, "stat").read_text("utf-8", "replace")
                    state = stat.rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        found[int(name)] = state
            except OSError:
                pass  # it ended meanwhile
    return found


class Case:
    """One runner in a folder of its own."""

    def __init__(self, campaign, number):
        self.folder = campaign.folder / f"case{number}"
        self.folder.mkdir()
        self.program = str(self.folder / "breeder")
        shutil.copy(tool("breeder"), self.program)
        ways = TAME if campaign.args.tame else TAME + WILD
        pairs = [(a, b) for a in ways for b in ways if a != b]
        self.ways = campaign.random.sample(pairs, 3)
        # From its begin, or from that of its first trial: then some breed while others are being started.
        self.from_trial = campaign.random.random() < 0.85
        self.delay_s = campaign.random.choice([0.02, 0.2, 0.6]) * campaign.random.random()
        script = self.folder / "trainer.sh"
        script.write_text("#!/bin/sh\nexec " + self.program + " $1\n")
        script.chmod(0o755)
        sweep = write_sweep(self.folder / "sweep.json", {
            "name": "orphans", "config": {}, "grid": {"ways": [" ".join(w) for w in self.ways]},
            "trainer": [str(script), "{ways}"]})
        self.runner = start_besom("run", sweep, "-j", 3, "--out", self.folder / "out", "--json",
                                  stdout=open(self.folder / "events", "wb"))
        self.kill_at = None if self.from_trial else time.monotonic() + self.delay_s
        self.bred = self.killed_at = self.gone_at = None
        self.left = {}

    def is_due(self):
        if self.kill_at is None and b"trial_started" in (self.folder / "events").read_bytes():
            self.kill_at = time.monotonic() + self.delay_s
        if self.runner.poll() is not None:
            raise Failed(f"the runner ended by itself, with {self.runner.returncode}: {self.words()}")
        return self.kill_at is not None and time.monotonic() >= self.kill_at

    def look(self):
        """What is alive of it: those of the program, and those with the folder's mark.  Several looks: one that
        forks without end has another pid by the time that /proc is read to its end."""
        found = {}
        for _ in range(LOOKS):
            found.update(of_program(self.program))
        return {**found, **alive(self.folder / "out")}

    def words(self):
        return f"ways {' | '.join(' '.join(w) for w in self.ways)}, killed {self.delay_s:.3f} s after {'a trial' if self.from_trial else 'it'} began"


def run_batch(cases):
    """Kills each runner at its time and looks at what is left a second later."""
    waiting = list(cases)
    while waiting:
        for case in list(waiting):
            if case.killed_at is None and case.is_due():
                case.bred = len(of_program(case.program))
                os.kill(case.runner.pid, signal.SIGKILL)
                case.killed_at = time.monotonic()
                case.runner.wait()
            elif case.killed_at is not None and time.monotonic() >= case.killed_at + PROMISE_S:
                case.left = case.look()
                if case.left:  # for the report: how long it takes
                    while case.look() and time.monotonic() < case.killed_at + 10:
                        time.sleep(0.05)
                    case.gone_at = time.monotonic() - case.killed_at
                waiting.remove(case)
        time.sleep(0.002)


def main():
    campaign = Campaign("orphans", 50, about=__doc__, add_arguments=lambda parser: parser.add_argument(
        "--tame", action="store_true",
        help="nothing that forks without end: for a shim that is broken on purpose, so that its dead do not fill the machine"))
    number = bred = 0
    while campaign.more():
        size = min(BATCH, campaign.count - campaign.passes - campaign.failures)
        cases = [Case(campaign, number + i) for i in range(size)]
        run_batch(cases)
        for case in cases:
            number += 1
            bred += case.bred
            left = ", ".join(f"{pid} {state}" for pid, state in case.left.items())
            campaign.require(not case.left, f"case {number}, {case.words()}: alive a second later: {left}"
                                            f" (gone after {case.gone_at or 0:.2f} s)")
            campaign.detail(f"case {number}: {case.bred} processes, {case.words()}")
            shutil.rmtree(case.folder, ignore_errors=True)
    campaign.say(f"{bred} processes were alive when their runners were killed")
    if bred < campaign.count:
        campaign.failed("the breeders have bred next to nothing: this was no test")
    campaign.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""A runner that is killed leaves nothing behind: one second later no process of its trials is alive, whatever they
have done to get away.

A case is one runner with three trials at once, each of which breeds processes in two ways of breeder.c: children,
daemons in sessions of their own, ones that ignore every signal or have thrown their environment away, ones that fork
without end.  SIGKILL comes at a random moment, before, while or after they breed; a second later everything is
counted whose program is this campaign's copy of the breeder, and whatever carries the folder's mark.  Zombies are
dead: their state is read in /proc.

SIGKILL goes to the runner; to its shims; to all that is called besom, as of "pkill -9 besom"; or to runner and shims by number: then
only the trainers have to be dead, and the rest after the next run in the folder, where it has control groups.  Half of the
cases with shims are without control groups, where root can hide them.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import sys
import time

from campaign import Campaign, Failed, alive, run_besom, start_besom, tool, write_sweep

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


def groups_mount():
    for line in pathlib.Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        if " - cgroup2 " in line:
            return line.split()[4]
    return None


def hide_groups():
    """In a child: a mount namespace of its own, without the control groups."""
    new_namespace, private, detach = 0x20000, 0x44000, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_namespace) or libc.mount(None, b"/", None, private, None) or libc.umount2(groups_mount().encode(), detach):
        raise OSError(ctypes.get_errno(), "hide the control groups")


def children(pid):
    found = []
    for path in pathlib.Path("/proc", str(pid), "task").glob("*/children"):
        try:
            found += map(int, path.read_text().split())
        except OSError:
            pass  # it ended meanwhile
    return found


def leads_in_session_of(pid, shim):
    """A trainer, and none of those that the shim has taken in."""
    try:
        return os.getpgid(pid) == pid and os.getsid(pid) == os.getsid(shim)
    except ProcessLookupError:
        return False


def name_of(pid):
    try:
        return pathlib.Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return ""


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Case:
    """One runner in a folder of its own."""

    def __init__(self, campaign, number):
        self.folder = campaign.folder / f"case{number}"
        self.folder.mkdir()
        self.program = str(self.folder / "breeder")
        shutil.copy(tool("breeder"), self.program)
        self.victim = campaign.random.choice(["runner", "runner", "shims", "named", "both"])
        with_shims = self.victim in ("shims", "both")
        # What is left of both is left for a while.
        ways = TAME if campaign.args.tame or self.victim == "both" else TAME + WILD
        self.hidden = (with_shims and os.geteuid() == 0 and groups_mount() is not None
                       and campaign.random.random() < 0.5)
        pairs = [(a, b) for a in ways for b in ways if a != b]
        self.ways = campaign.random.sample(pairs, 3)
        # From its begin, or from that of its first trial: then some breed while others are being started.
        self.from_trial = with_shims or campaign.random.random() < 0.85
        self.trials = 3 if with_shims else 1
        self.delay_s = campaign.random.choice([0.02, 0.2, 0.6]) * campaign.random.random()
        script = self.folder / "trainer.sh"
        # A trial whose shim was killed is tried again: that is no part of the case.
        script.write_text('#!/bin/sh\n[ "$BESOM_ATTEMPT" = 1 ] || exit 0\nexec ' + self.program + " $1\n")
        script.chmod(0o755)
        sweep = write_sweep(self.folder / "sweep.json", {
            "name": "orphans", "config": {}, "grid": {"ways": [" ".join(w) for w in self.ways]},
            "trainer": [str(script), "{ways}"]})
        self.runner = start_besom("run", sweep, "-j", 3, "--retries", 0, "--out", self.folder / "out", "--json",
                                  preexec_fn=hide_groups if self.hidden else None,
                                  stdout=open(self.folder / "events", "wb"))
        self.kill_at = None if self.from_trial else time.monotonic() + self.delay_s
        self.bred = self.killed_at = self.gone_at = None
        self.trainers = []
        self.left = {}

    def is_due(self):
        if self.kill_at is None and (self.folder / "events").read_bytes().count(b"trial_started") >= self.trials:
            self.kill_at = time.monotonic() + self.delay_s
        if self.runner.poll() is not None:
            raise Failed(f"the runner ended by itself, with {self.runner.returncode}: {self.words()}")
        return self.kill_at is not None and time.monotonic() >= self.kill_at

    def kill(self):
        shims = children(self.runner.pid)
        if self.victim == "runner":
            kill([self.runner.pid])
        elif self.victim == "shims":
            kill(shims)
        elif self.victim == "named":
            kill(pid for pid in sorted({self.runner.pid, *alive(self.folder / "out")}) if name_of(pid).startswith("besom"))
        else:
            self.trainers = [pid for shim in shims for pid in children(shim) if leads_in_session_of(pid, shim)]
            os.kill(self.runner.pid, signal.SIGSTOP)  # or it would kill what they leave
            kill(shims + [self.runner.pid])

    def after_both(self):
        """What is left that should not be: the trainers at once, all after the next run."""
        left = {pid: state for pid, state in self.look().items() if pid in self.trainers}
        if not self.hidden and groups_mount() is not None and os.geteuid() == 0:
            after = write_sweep(self.folder / "after.json", {"name": "after", "config": {}, "grid": {"x": [1]}, "trainer": ["true"]})
            run_besom("run", after, "--out", self.folder / "out", check=0)
            left.update(self.look())
        kill(self.look())
        return left

    def look(self):
        """What is alive of it: those of the program, and those with the folder's mark.  Several looks: one that
        forks without end has another pid by the time that /proc is read to its end."""
        found = {}
        for _ in range(LOOKS):
            found.update(of_program(self.program))
        return {**found, **alive(self.folder / "out")}

    def words(self):
        return f"SIGKILL to {self.victim}{' without groups' if self.hidden else ''}, ways {' | '.join(' '.join(w) for w in self.ways)}, killed {self.delay_s:.3f} s after {'a trial' if self.from_trial else 'it'} began"


def run_batch(cases):
    """Kills each runner at its time and looks at what is left a second later."""
    waiting = list(cases)
    while waiting:
        for case in list(waiting):
            if case.killed_at is None and case.is_due():
                case.bred = len(of_program(case.program))
                case.kill()
                case.killed_at = time.monotonic()
                if case.victim != "shims":
                    case.runner.wait()
            elif case.killed_at is not None and time.monotonic() >= case.killed_at + PROMISE_S:
                case.left = case.after_both() if case.victim == "both" else case.look()
                kill([case.runner.pid] if case.runner.poll() is None else [])  # shims: as a rule it has ended
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

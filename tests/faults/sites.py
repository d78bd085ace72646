#!/usr/bin/env python3
"""Every named kill site: before and after each system call on which an order of commits rests, a sweep meets its end.

At the first occurrence of a site, or as many as --occurrences says, in turn
    kill         the process that is there gets SIGKILL; a dead trainer is started again by its runner
    kill-runner  so does the runner, at the same moment (where the site is in a trainer)
    cut          so do both, and the power of the file system goes (a loop-mounted ext4, as root; else these are left out,
                 loudly)
Then the same command is run again.  Each case asserts that it was at its site, that no epoch is lost that
`besom run --json` had shown before, that nothing outlived the runner, and that the end equals that of a sweep that nobody
disturbed: metrics, statuses, checkpoints.  A site that is never met fails the campaign: it is a name for nothing.

`--list` prints the sites, `--only NAME` takes those whose names contain it."""
import collections
import os
import shutil
import sys

from campaign import Campaign, Failed, differences, integrity, lost, orphans, results, run_besom, shown, write_sweep
from inject import Injection, Rule
from loop_disk import LoopDisk
from sweeps import RETRIES


# `begin`: fresh; resumed: a folder in which a trainer and its runner were killed while a checkpoint was half done;
# stopped: one whose runner was asked to stop, so that it has checkpoints that are to go.
Site = collections.namedtuple("Site", "name program call pattern when begin tells", defaults=("fresh", ""))

T, B = "besom-trainer", "besom"


def around(name, program, call, pattern, begin="fresh", tells=""):
    """The site before a call and the one after it."""
    return [Site(f"{name}:{when}", program, call, pattern, when, begin, tells) for when in ("before", "after")]


SITES = [
    # the results folder and the database
    *around("folder-made", B, "mkdir", "*/out"),
    *around("folder-lock", B, "flock", "*/out/lock"),
    *around("db-open", B, "open", "*/results.db"),
    *around("db-write", B, "write", "*/results.db"),
    *around("db-sync", B, "fdatasync", "*/results.db"),
    *around("wal-open", B, "open", "*/results.db-wal"),
    *around("wal-write", B, "write", "*/results.db-wal"),
    Site("wal-write:torn", B, "write", "*/results.db-wal", "torn"),
    *around("wal-sync", B, "fdatasync", "*/results.db-wal"),
    *around("journal-unlink", B, "unlink", "*/results.db-journal"),
    *around("wal-truncate", B, "ftruncate", "*/results.db-wal"),
    # an attempt, from its row to its process
    *around("trial-folder", B, "mkdir", "*/out/trials/*"),
    *around("trial-folder-sync", B, "fsync", "*/out/trials"),
    *around("config-open", B, "open", "*/.config.json.tmp"),
    *around("config-write", B, "write", "*/.config.json.tmp"),
    Site("config-write:torn", B, "write", "*/.config.json.tmp", "torn"),
    *around("config-sync", B, "fdatasync", "*/.config.json.tmp"),
    *around("config-rename", B, "rename", "*/config.json"),
    *around("config-folder-sync", B, "fsync", "*/out/trials/*"),
    *around("sweep-copy-rename", B, "rename", "*/out/sweeps/*"),
    *around("rows-copy-open", B, "open", "*/.rows.jsonl.tmp"),
    *around("rows-copy-write", B, "write", "*/.rows.jsonl.tmp"),
    Site("rows-copy-write:torn", B, "write", "*/.rows.jsonl.tmp", "torn"),
    *around("rows-copy-rename", B, "rename", "*/rows.jsonl"),
    *around("log-open", B, "open", "*/log"),
    *around("log-write", B, "write", "*/log"),
    *around("pipes", B, "pipe", "*"),
    *around("spawn", B, "fork", "*"),
    # what is shown
    *around("epoch-shown", B, "say", '{"event": "epoch"*'),
    *around("trial-ended-shown", B, "say", '{"event": "trial_ended"*'),
    # a training
    *around("trial-lock", T, "flock", "*/.lock"),
    *around("origin-rename", T, "rename", "*/origin.json"),
    *around("start-said", T, "say", '{"event": "start"*'),
    *around("checkpoint-open", T, "open", "*/.cp-*.tmp"),
    *around("checkpoint-write", T, "write", "*/.cp-*.tmp"),
    Site("checkpoint-write:torn", T, "write", "*/.cp-*.tmp", "torn"),
    *around("checkpoint-sync", T, "fdatasync", "*/.cp-*.tmp"),
    *around("checkpoint-close", T, "close", "*/.cp-*.tmp"),
    *around("checkpoint-rename", T, "rename", "*/cp-*"),
    *around("checkpoint-folder-sync", T, "fsync", "*/out/trials/*"),
    *around("checkpoint-said", T, "say", '{"event": "checkpoint"*'),
    *around("layers-said", T, "say", '{"event": "layers"*'),
    *around("epoch-said", T, "say", '{"epoch"*'),
    Site("epoch-said:torn", T, "say", '{"epoch"*', "torn"),
    *around("surplus-unlink", T, "unlink", "*/out/trials/*/cp-*"),
    *around("done-said", T, "say", '{"event": "done"*'),
    # going on
    *around("stale-unlink", T, "unlink", "*/.cp-*.tmp", "resumed"),
    *around("repeated-start-said", T, "say", '{"event": "start"*', "resumed"),
    *around("repeated-epoch-said", T, "say", '{"epoch"*', "resumed"),
    *around("resumed-spawn", B, "fork", "*", "resumed"),
    *around("resumed-wal-sync", B, "fdatasync", "*/results.db-wal", "resumed"),
    *around("stopped-surplus-unlink", T, "unlink", "*/out/trials/*/cp-*", "stopped"),
    *around("stopped-checkpoint-rename", T, "rename", "*/cp-*", "stopped"),
]


def rule_of(site, nth, action):
    if site.when == "torn":  # the half that is written is the fault; what happens then is what the action says
        return Rule(site.program, site.call, site.pattern, "before", nth, "tear")
    return Rule(site.program, site.call, site.pattern, site.when, nth, action)


def actions_of(site, disk):
    if site.when == "torn":
        return ["kill"]
    return ["kill", *(["kill-runner"] if site.program == T else []), *(["cut"] if disk else [])]


SWEEP = {
    "name": "sites", "retries": RETRIES,
    "config": {
        "dataset": {"name": "blobs", "train": 64, "test": 16}, "epochs": 3, "batch_size": 16, "ema": 0.9,
        "model": {"layers": [{"type": "dense", "units": 4}, "batch_norm", "activation",
                             {"type": "dense", "units": 3}]},
        "checkpoint": {"every_batches": 3, "keep": 1}, "inspect": {"every": 2},
    },
    "grid": {"optimizer": ["momentum", "adam"]},
}


class Sites:
    def __init__(self):
        def more_arguments(parser):
            parser.add_argument("--only", default="", metavar="TEXT", help="the sites with this in their names")
            parser.add_argument("--occurrences", type=int, default=1, metavar="N", help="of each site the first N (default: 1, the short form)")
        self.c = Campaign("sites", default_count=None, about=__doc__, add_arguments=more_arguments)
        self.sweep = write_sweep(self.c.folder / "sweep.json", SWEEP)
        self.lines = self.c.folder / "lines"
        self.disk = LoopDisk.make(self.c)
        if self.disk is None:
            self.c.say("POWER CUTS ARE LEFT OUT: they need root, loop devices and ext4")
        run_besom("run", self.sweep, "-j", "2", "--out", self.c.folder / "whole", check=0)
        self.whole = results(self.c.folder / "whole")
        self.begun = {"resumed": self.begin_resumed(), "stopped": self.begin_stopped()}

    # ---- folders to begin with ----

    def begin_resumed(self):
        out = self.c.folder / "resumed" / "out"
        fault = Injection(self.c.folder, [Rule(T, "rename", "*/cp-0003*", "before", 1, "kill-runner")])
        run_besom("run", self.sweep, "-j", "1", "--out", out, check=-9, env=fault.env)
        assert list(out.glob("trials/*/.cp-*.tmp")), "no half-made checkpoint"
        return out

    def begin_stopped(self):
        out = self.c.folder / "stopped" / "out"
        fault = Injection(self.c.folder, [Rule(T, "rename", "*/cp-0002+*", "after", 1, "kill-runner")])
        run_besom("run", self.sweep, "-j", "1", "--out", out, check=-9, env=fault.env)
        return out

    def fresh_folder(self, site, on_disk):
        folder = self.disk.folder if on_disk else self.c.folder / "plain"
        shutil.rmtree(folder / "out", ignore_errors=True)
        folder.mkdir(exist_ok=True)
        if site.begin != "fresh":
            shutil.copytree(self.begun[site.begin], folder / "out", symlinks=True)
        if on_disk:
            os.sync()  # what was there before has to be there after the cut
        return folder / "out"

    # ---- cases ----

    def occurrences(self, sites, begin):
        """How often each site is met in a whole run; all of them are counted in one."""
        out = self.fresh_folder(sites[0], False)
        fault = Injection(self.c.folder, [rule_of(site, 10**9, "kill") for site in sites])
        run_besom("run", self.sweep, "--json", "-j", "2", "--out", out, check=0, env=fault.env)
        return {site.name: fault.met(i) for i, site in enumerate(sites)}

    def case(self, site, nth, action):
        on_disk = action == "cut"
        out = self.fresh_folder(site, on_disk)
        rule = rule_of(site, nth, action)
        fault = Injection(self.c.folder, [rule], fs=self.disk.folder if on_disk else None, lines=self.lines)
        with open(self.lines, "wb") as lines:
            first = run_besom_into(lines, self.sweep, out, fault.env)
        left = orphans(out, 3)
        said = self.lines.read_bytes()
        if on_disk:
            said = said[:fault.lines_len()]
            self.disk.reconnect()
        if left:
            return f"outlived the runner: {left}"
        if fault.fired() == 0:
            return f"was not met: {fault.met()} times, status {first}"
        if first not in ((-9, 74) if on_disk else (0, -9)):  # 74: it met the dead disk before its end
            return f"status {first} of the run that was disturbed"
        wrong = lost(shown(said), out)
        if wrong:
            return wrong
        try:
            run_besom("run", self.sweep, "-j", "2", "--out", out, check=0)
        except Failed as failure:
            return str(failure)
        if integrity(out) != "ok":
            return integrity(out)
        return differences(results(out), self.whole)

    def run(self):
        sites = [site for site in SITES if self.c.args.only in site.name]
        met = {}
        for begin in ("fresh", "resumed", "stopped"):
            some = [site for site in sites if site.begin == begin]
            if some:
                met.update(self.occurrences(some, begin))
        per_action = collections.Counter()
        for site in sites:
            if met[site.name] == 0:
                self.c.failed(f"{site.name}: never met")
            for nth in range(1, min(met[site.name], self.c.args.occurrences) + 1):
                for action in actions_of(site, self.disk):
                    self.try_case(site, nth, action)
                    per_action[action] += 1
        self.c.say(f"{len(sites)} sites; " + ", ".join(f"{n} {action}" for action, n in per_action.items()))
        self.c.finish()

    def try_case(self, site, nth, action):
        # Which of two workers is first varies: a site that is met now and then is given another try.
        for _ in range(3):
            wrong = self.case(site, nth, action)
            if not wrong.startswith("was not met"):
                break
        self.c.require(not wrong, f"{site.name} {nth} {action}: {wrong}")


def run_besom_into(lines, sweep, out, env):
    return run_besom("run", sweep, "--json", "-j", "2", "--out", out, env=env, stdout=lines).status


if "--list" in sys.argv:
    for each in SITES:
        print(f"{each.name:34} {each.program:14} {each.call:10} {each.pattern:32} {each.begin}")
else:
    Sites().run()

#!/usr/bin/python3
"""Two or three `besom run` of one sweep, started at the same instant on one folder: one of them runs it, the others
say that the folder is held, and leave with 75.

The trials wait for a file that this script makes only when all but one runner have left, so that none can come too
late to lose.  In some cases the folder is there already; is spelt in another way for each; or the winner is killed
and another run has to be able to go on at once.  In the end every trial was tried as often as it should, and has the rows
that its trainer prints.
"""
import os
import shutil
import signal
import sys
import time

from campaign import Campaign, differences, program, query, results, run_besom, tool, wait_for, write_sweep

AT_ONCE_S = 5.0  # for a loser, on a machine that does other things too
TRIALS = 3
HELD = 75


class Gate:
    """Processes that wait, forked and ready, until it opens for all of them."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self.pids = []

    def add(self, command, cwd, log):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(self.write_end)
                os.chdir(cwd)
                null, file = os.open("/dev/null", os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                os.dup2(null, 0), os.dup2(file, 1), os.dup2(file, 2)
                os.read(self.read_end, 1)  # until the other end is closed
                os.execv(command[0], command)
            finally:
                os._exit(127)
        self.pids.append(pid)

    def open(self):
        time.sleep(0.01)  # until they have come to their read()
        os.close(self.write_end)
        os.close(self.read_end)


def ended(pid):
    """A child's exit status (negative: the signal), or None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return None if done == 0 else os.waitstatus_to_exitcode(status)


def spellings(folder, count, random):
    """Folders to start in, and what the results folder is called there."""
    (folder / "inner").mkdir(exist_ok=True)
    if not (folder / "link").is_symlink():
        (folder / "link").symlink_to(folder, target_is_directory=True)
    ways = [(folder, "out"), (folder, str(folder / "out")), (folder, "link/out"), (folder / "inner", "../out"),
            (folder, "./out/")]
    return random.sample(ways, count) if random.random() < 0.5 else [ways[0]] * count


def race(folder, sweep, count, random):
    """Starts them; (winners, losers, others) as pid -> (status, log), once all but one have left or time is up."""
    gate = Gate()
    logs = {}
    for i, (cwd, out) in enumerate(spellings(folder, count, random)):
        log = folder / f"log{i}"
        gate.add([program("besom"), "run", str(sweep), "-j", "2", "--out", out], cwd, log)
        logs[gate.pids[-1]] = log
    gate.open()
    status = dict.fromkeys(gate.pids)

    def look():
        for pid in gate.pids:
            status[pid] = ended(pid) if status[pid] is None else status[pid]
        return sum(s is None for s in status.values()) <= 1
    started = time.monotonic()
    wait_for(look, AT_ONCE_S, pause=0.002)
    return status, logs, time.monotonic() - started


def one_case(campaign, number, expected):
    """What is wrong with a case; "" when nothing is."""
    random = campaign.random
    folder = campaign.folder / f"case{number}"
    folder.mkdir()
    sweep = folder / "sweep.json"
    shutil.copy(campaign.folder / "sweep.json", sweep)
    if random.random() < 0.5:
        (folder / "out").mkdir()
    count = random.choice([2, 2, 3])
    killed = random.random() < 0.25
    status, logs, took = race(folder, sweep, count, random)
    running = [pid for pid in status if status[pid] is None]
    text = {pid: logs[pid].read_text("utf-8", "replace") for pid in status}
    told = f"{count} runners, statuses {list(status.values())} after {took:.2f} s"
    try:
        if len(running) != 1 or any(s != HELD for pid, s in status.items() if pid not in running):
            return f"{told}: {[t[-300:] for t in text.values()]}"
        if any("out" not in text[pid] or "another" not in text[pid] for pid in status if pid not in running):
            return f"{told}: a loser does not name the folder: {[text[p] for p in status if p not in running]}"
        campaign.slowest = max(campaign.slowest, took)
        if killed:
            # The trials may have begun or not; either way the next run goes on with what there is.
            time.sleep(random.uniform(0, 0.1))
            os.kill(running[0], signal.SIGKILL)
            os.waitpid(running[0], 0)
            (campaign.folder / "go").touch()
            run = run_besom("run", sweep, "-j", 2, "--out", folder / "out", timeout=60)
            if run.status != 0:
                return f"{told}, one killed: the next run fails: {run}"
        else:
            (campaign.folder / "go").touch()
            if not wait_for(lambda: ended_into(status, running[0]), 60) or status[running[0]] != 0:
                return f"{told}: the winner ends with {status[running[0]]}: {logs[running[0]].read_text()[-500:]}"
            running = []
        got = results(folder / "out")
        if got != expected:
            return f"{told}, killed {killed}: {differences(got, expected)}"
        most = query(folder / "out", "SELECT max(attempts), count(*) FROM trials")[0]
        if most[0] > (2 if killed else 1) or most[1] != TRIALS:
            return f"{told}, killed {killed}: attempts and trials are {most}"
        return ""
    finally:
        for pid in running:
            if status[pid] is None and not killed:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        (campaign.folder / "go").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def ended_into(status, pid):
    status[pid] = ended(pid)
    return status[pid] is not None


def main():
    campaign = Campaign("two_runners", 50, about=__doc__)
    campaign.slowest = 0.0
    script = campaign.folder / "trainer.sh"
    script.write_text(f"#!/bin/sh\nwhile [ ! -e {campaign.folder}/go ]; do sleep 0.02; done\n"
                      f"exec {tool('flooder')} done 3\n")
    script.chmod(0o755)
    sweep = write_sweep(campaign.folder / "sweep.json", {
        "name": "two", "config": {"epochs": 3}, "grid": {"x": list(range(TRIALS))}, "trainer": [str(script)]})
    (campaign.folder / "go").touch()
    run_besom("run", sweep, "-j", 1, "--out", campaign.folder / "alone", check=0)
    (campaign.folder / "go").unlink()
    expected = results(campaign.folder / "alone")
    number = 0
    while campaign.more():
        number += 1
        wrong = one_case(campaign, number, expected)
        campaign.require(not wrong, f"case {number}: {wrong}")
    campaign.say(f"all but one had left after {1000 * campaign.slowest:.0f} ms at the latest")
    campaign.finish()


if __name__ == "__main__":
    sys.exit(main())

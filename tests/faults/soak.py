#!/usr/bin/python3
"""Trials at full rate for a while: nothing of the runner grows with the number of trials that it has run.

Each trial is a program that prints ten epoch records and ends; two workers run one after the other for --seconds
(default: 120; the campaign proper: 7200).  Each second the runner's memory, descriptors, threads and dead children, the
processes below it and the size of the write-ahead log are looked at.  The first quarter is for warming up; then the
median of the last quarter may not be above the highest median of the two before it, of counts the lowest, but for what
is allowed:

    memory         ALLOWED_KB; and, per thousand trials of the time between, ALLOWED_PER_THOUSAND_KB
    the WAL        never more than WAL_MAX, or than the plan, one transaction, has left
    descriptors, threads, dead children: nothing
"""
import os
import pathlib
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

from campaign import Campaign, alive, query, start_besom, tool, write_sweep

ALLOWED_KB = 256
ALLOWED_PER_THOUSAND_KB = 4
WAL_MAX = 16 << 20
LOG_MAX = 8192  # of a trial that prints ten lines
RECORDS = 10


def arguments(parser):
    parser.add_argument("--seconds", type=int, default=120, help="how long (120)")
    parser.add_argument("--trials", type=int, help="of the sweep: more than can be run in that time (1000 a second)")


def children(pid):
    """State by pid of the processes whose parent it is."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = pathlib.Path("/proc", name, "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if int(stat[1]) == pid:
                    found[int(name)] = stat[0]
            except OSError:
                pass  # it ended meanwhile
    return found


class Sample:
    """The runner at one moment."""

    def __init__(self, pid, out, trials):
        status = dict(line.split(":", 1) for line in pathlib.Path("/proc", str(pid), "status").read_text().splitlines())
        self.rss_kb = int(status["VmRSS"].split()[0])
        self.threads = int(status["Threads"])
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        states = children(pid)
        self.zombies = sum(state == "Z" for state in states.values())
        self.children = len(states)
        wal = out / "results.db-wal"
        self.wal = wal.stat().st_size if wal.exists() else 0
        self.trials = trials
        self.at = time.monotonic()


def median(samples, name):
    return statistics.median(getattr(s, name) for s in samples)


def quarters(samples):
    n = len(samples) // 4
    return [samples[i * n:(i + 1) * n] for i in range(4)]


def check_flat(campaign, samples, workers):
    first, second, third, last = quarters(samples)
    grown = median(last, "rss_kb") - max(median(second, "rss_kb"), median(third, "rss_kb"))
    trials = median(last, "trials") - median(third, "trials")
    allowed = ALLOWED_KB + ALLOWED_PER_THOUSAND_KB * trials / 1000
    campaign.say("memory by quarters: " + ", ".join(f"{median(q, 'rss_kb'):.0f}" for q in (first, second, third, last))
                 + f" KB, peak {max(s.rss_kb for s in samples)} KB")
    campaign.require(grown <= allowed, f"memory has grown by {grown} KB, allowed are {allowed:.0f} KB")
    for name in ("descriptors", "threads", "zombies"):
        values = [min(getattr(s, name) for s in q) for q in (second, third, last)]  # what leaks is there at every moment
        campaign.say(f"{name}: {values}, at most {max(getattr(s, name) for s in samples)}")
        campaign.require(values[2] <= max(values[:2]), f"{name} have grown: {values}")
    campaign.require(max(s.descriptors for s in samples) <= 40 + 10 * workers, "too many descriptors at a moment")
    campaign.require(max(s.zombies for s in samples) <= 2 * workers, "too many dead children at a moment")
    campaign.require(max(s.children for s in samples) <= 2 * workers + 1, "too many children at a moment")
    wal = max(s.wal for s in samples)
    campaign.say(f"the WAL had {wal / 1024:.0f} KB at most")
    campaign.require(wal <= max(WAL_MAX, samples[0].wal), f"the WAL had {wal} bytes, {samples[0].wal} after the plan")
    rates = [(q[-1].trials - q[0].trials) / (q[-1].at - q[0].at) for q in (first, second, third, last)]
    campaign.say("trials a second, by quarters: " + ", ".join(f"{r:.0f}" for r in rates))


def check_results(campaign, out, trials):
    bad = query(out, "SELECT count(*) FROM trials WHERE status = 'complete' AND (epochs_done != ? OR attempts != 1)", RECORDS)
    campaign.require(bad == [(0,)], f"{bad} complete trials lack epochs or were tried twice")
    campaign.require(query(out, "SELECT count(*) FROM trials WHERE status = 'failed'") == [(0,)], "trials have failed")
    left = alive(out)
    campaign.require(not left, f"alive after the end: {left}")
    sizes = [path.stat().st_size for path in out.glob("trials/*/log*")]
    campaign.require(len(sizes) >= trials and max(sizes) <= LOG_MAX, f"{len(sizes)} logs, the largest of {max(sizes)} bytes")


def ends(campaign, process):
    """Within a minute after SIGINT; otherwise it is told what each thread of the runner is at."""
    process.send_signal(signal.SIGINT)
    try:
        status = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        for task in pathlib.Path("/proc", str(process.pid), "task").iterdir():
            campaign.say(" ".join((task / name).read_text().strip() for name in ("comm", "wchan", "syscall", "stat")))
        campaign.say((campaign.folder / "err").read_text()[-2000:])
        process.kill()
        return campaign.require(False, "60 s after SIGINT it had not ended")
    return campaign.require(status == 130, f"after SIGINT it ended with {status}")


def soak(campaign, seconds, trials, workers):
    out = campaign.folder / "out"
    sweep = write_sweep(campaign.folder / "sweep.json", {
        "name": "soak", "config": {"epochs": RECORDS}, "grid": {"x": list(range((trials + 99) // 100)), "y": list(range(100))},
        "trainer": [tool("flooder"), "done", str(RECORDS)]})
    process = start_besom("run", sweep, "-j", workers, "--out", out, "--quiet", stderr=open(campaign.folder / "err", "wb"))
    samples, reader = [], None
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        time.sleep(1)
        if process.poll() is not None:
            campaign.failed(f"the run ended with {process.returncode} before its time: "
                            f"{(campaign.folder / 'err').read_text()[-500:]}")
            return
        if reader is None and (out / "results.db").exists():
            reader = sqlite3.connect(f"file:{out}/results.db?mode=ro", uri=True, timeout=30)
        done = count(reader)
        if done == 0:
            continue  # the plan is being made
        deadline = deadline or time.monotonic() + seconds
        samples.append(Sample(process.pid, out, done))
        if len(samples) % 60 == 0:
            campaign.say(f"{samples[-1].trials} trials, {samples[-1].rss_kb} KB")
    reader.close()
    if not ends(campaign, process):
        return
    campaign.say(f"{samples[-1].trials} trials in {seconds} s")
    check_flat(campaign, samples, workers)
    check_results(campaign, out, samples[-1].trials)


def count(reader):
    """Trials that are done: the attempts' table grows by one each, so its last rowid will do."""
    if reader is None:
        return 0
    try:
        return reader.execute("SELECT coalesce(max(rowid), 0) FROM attempt").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # the tables are being made


def main():
    campaign = Campaign("soak", 1, about=__doc__, add_arguments=arguments)
    seconds = max(campaign.args.seconds, 8)  # two samples a quarter
    soak(campaign, seconds, campaign.args.trials or 1000 * seconds, 2)
    campaign.finish()


if __name__ == "__main__":
    sys.exit(main())

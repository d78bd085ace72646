#!/usr/bin/python3
"""Trials that print without end beside one that trains: the runner stays small, the logs stay bounded, and the
one that trains is heard in time.

A round runs trials side by side, as many as there are workers:

    bytes     bytes without a newline
    lines     short lines of text
    records   epoch records, which all have to be stored: reading waits for the disk
    paced     an epoch record each 20 ms, with the time at which it was printed

A flood that a fast machine is done with within two seconds shows little: it is made anew, twice as large.

What is measured: the runner's peak memory (VmHWM), how late the paced trial's records arrive, committed, on the
runner's --json, and the size of the files.  The delay that counts is the runner's: where the machine itself
is late is told by the same flooder printing to a pipe of this script, at the same time.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from campaign import Campaign, query, start_besom, tool, write_sweep

PACE_MS = 20
LATE_S = 0.1           # an epoch is to be heard within this
LATE_SHARE = 0.01      # and so few may be later, on a machine that others use
FLOOD_MIN_S = 2.0
RSS_MAX_KB = 48 << 10
LOG_MAX = (16 << 20) + (1 << 17)
FLOODER = tool("flooder")


def arguments(parser):
    parser.add_argument("--gigabytes", type=float, default=1.0, help="that the bytes trial prints a round (1)")
    parser.add_argument("--lines", type=int, default=10_000_000, help="of the lines trial (10000000)")
    parser.add_argument("--records", type=int, default=100_000, help="of the records trial (100000)")


def peak_kb(pid):
    """The runner's peak memory so far; 0 when it is gone."""
    try:
        for line in pathlib.Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class Sampler(threading.Thread):
    """The peak of a process, until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0
        self.start()

    def run(self):
        while (now := peak_kb(self.pid)) > 0:
            self.peak = now
            time.sleep(0.05)


class Control(threading.Thread):
    """The same records straight through a pipe: how late the machine is by itself."""

    def __init__(self):
        super().__init__(daemon=True)
        self.delays = []
        self.process = subprocess.Popen([FLOODER, "paced", "1000000", str(PACE_MS)], stdout=subprocess.PIPE)
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.delays.append(time.time() - json.loads(line)["at"])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.join()


def quantiles(delays):
    """median, 99th percentile, maximum; in ms, as words"""
    ordered = sorted(delays) or [0.0]
    return (f"median {1000 * ordered[len(ordered) // 2]:.1f} ms, "
            f"99% {1000 * ordered[len(ordered) * 99 // 100]:.1f} ms, max {1000 * ordered[-1]:.1f} ms")


def flood_round(campaign, kinds, paced):
    """One sweep: a trial for each of `kinds` (mode -> count) and the paced one.  False, and nothing is
    checked, when the flood was too short."""
    out = campaign.folder / "out"
    modes = {**{mode: [FLOODER, mode, str(count)] for mode, count in kinds.items()},
             "paced": [FLOODER, "paced", str(paced), str(PACE_MS)]}
    script = campaign.folder / "trainer.sh"
    script.write_text("#!/bin/sh\ncase \"$1\" in\n" + "".join(
        f"{mode}) exec {' '.join(words)} ;;\n" for mode, words in modes.items()) + "esac\n")
    script.chmod(0o755)
    sweep = write_sweep(campaign.folder / "flood.json", {
        "name": "flood", "config": {}, "grid": {"mode": list(modes)}, "retries": 0,
        "objective": {"metric": "at", "goal": "maximize"}, "trainer": [str(script), "{mode}"]})
    control = Control()
    started = time.monotonic()
    process = start_besom("run", sweep, "-j", len(modes), "--out", out, "--json", stdout=subprocess.PIPE)
    sampler = Sampler(process.pid)
    delays, flooding, ends, too_short = [], [], {}, False
    for line in process.stdout:
        now = time.time()
        event = json.loads(line)
        if event["event"] == "epoch" and event["label"] == "paced":
            delays.append(now - event["metrics"]["at"])
            if len(ends) < len(kinds):
                flooding.append(delays[-1])
        elif event["event"] == "trial_ended":
            ends[event["label"]] = time.monotonic() - started
            if ends.keys() == kinds.keys() and max(ends.values()) < FLOOD_MIN_S:
                too_short = True
                process.terminate()
    status = process.wait()
    control.stop()
    sampler.join()
    for mode, count in kinds.items():
        campaign.say(f"{mode} {count}: {ends.get(mode, 0):.1f} s")
    campaign.say(f"paced, {len(flooding)} of {len(delays)} in the flood: {quantiles(flooding)}")
    campaign.say(f"and all {len(delays)}: {quantiles(delays)}")
    campaign.say(f"a pipe alone, {len(control.delays)}: {quantiles(control.delays)}")
    campaign.say(f"peak {sampler.peak / 1024:.1f} MB")

    if too_short:
        return False
    what = f"{' '.join(kinds)}: "
    late = sum(d > LATE_S for d in delays)  # also when a flood has just ended, and is put away
    machine = sum(d > LATE_S for d in control.delays)
    campaign.require(status == 0, what + f"besom run ended with {status}")
    campaign.require(0 < sampler.peak < RSS_MAX_KB, what + f"the runner took {sampler.peak} KB")
    campaign.require(len(flooding) >= 50, what + f"only {len(flooding)} records came during the flood")
    campaign.require(late <= LATE_SHARE * len(delays) + machine,
                     what + f"{late} of {len(delays)} records were later than 100 ms ({machine} without a runner)")
    check_folder(campaign, what, out, kinds, paced)
    return True


def check_folder(campaign, what, out, kinds, paced):
    logs = {}
    for path in out.glob("trials/*/log*"):
        logs[path.parent] = logs.get(path.parent, 0) + path.stat().st_size
    campaign.require(max(logs.values()) <= LOG_MAX, what + f"a log has {max(logs.values())} bytes")
    rows = {mode: (n, names) for mode, n, names in query(
        out, "SELECT t.label, count(*), group_concat(DISTINCT c.metric) FROM curves c JOIN trials t USING (trial) GROUP BY 1")}
    want = {"paced": (paced, "at")}
    if "records" in kinds:
        want["records"] = (kinds["records"], "a")
    campaign.require(rows == want, what + f"the rows are {rows}, want {want}")
    states = dict(query(out, "SELECT label, status FROM trials"))
    campaign.require(set(states.values()) == {"complete"}, what + f"the trials are {states}")


def main():
    campaign = Campaign("flood", 1, about=__doc__, add_arguments=arguments)
    args = campaign.args
    rounds = campaign.count
    for i in range(rounds):
        seconds = 12 if rounds == 1 else campaign.random.randrange(8, 20)
        for kinds in ({"bytes": int(args.gigabytes * (1 << 30)), "lines": args.lines},
                      {"bytes": int(args.gigabytes * (1 << 28)), "records": args.records}):
            while not flood_round(campaign, kinds, seconds * 1000 // PACE_MS):
                kinds = {mode: 2 * count for mode, count in kinds.items()}
                shutil.rmtree(campaign.folder / "out")
            shutil.rmtree(campaign.folder / "out")
    campaign.finish()


if __name__ == "__main__":
    sys.exit(main())

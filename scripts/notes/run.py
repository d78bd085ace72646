"""Runs the sweeps of sweeps/notes with besom, which does only what is not done yet, and keeps what they cost."""

import json
import os
import resource
import subprocess
import sys
import time


def cost_file(out):
    return os.path.join(out, "costs.jsonl")


def run(sweeps, folder, out, besom, jobs):
    """Runs each of the named sweeps in turn.  A sweep with failed trials (a rate at which trainings diverge) ends with
    status 1 and counts as run; anything else that goes wrong ends the program."""
    os.makedirs(out, exist_ok=True)
    begin = time.monotonic()
    for number, name in enumerate(sweeps, 1):
        print(f"[{number}/{len(sweeps)}] {name}, {(time.monotonic() - begin) / 60:.1f} min so far", flush=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        status = subprocess.run(
            [besom, "run", os.path.join(folder, name + ".json"), "--out", out, "--jobs", str(jobs), "--quiet"],
            stderr=subprocess.STDOUT,
        ).returncode
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = {
            "sweep": name,
            "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "wall_seconds": round(time.monotonic() - started, 2),
        }
        with open(cost_file(out), "a") as file:
            file.write(json.dumps(cost) + "\n")
        if status not in (0, 1):
            sys.exit(f"besom run {name} ended with status {status}; run this again to go on")


def costs(out):
    """Processor and wall seconds by sweep, of all runs together; empty where the folder tells none."""
    total = {}
    if os.path.exists(cost_file(out)):
        with open(cost_file(out)) as file:
            for line in file:
                row = json.loads(line)
                entry = total.setdefault(row["sweep"], {"processor_seconds": 0.0, "wall_seconds": 0.0})
                for key in entry:
                    entry[key] += row[key]
    return total

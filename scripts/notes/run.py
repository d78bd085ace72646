"""Runs the sweeps of sweeps/notes with besom, which does only what is not done yet, and keeps what they cost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time


def cost_file(out):
    return os.path.join(out, "costs.jsonl")


def describe_machine(out, besom):
    """Notes once, at the first run, on what the sweeps run: kept, as a page that is written elsewhere shall say this."""
    path = os.path.join(out, "machine.json")
    if os.path.exists(path):
        return

    def said(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else "unknown"

    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    machine = {
        "besom": said(besom, "--version"),
        "commit of the first run": said("git", "rev-parse", "--short=12", "HEAD"),
        "processor": models[0] if models else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "system": said("uname", "-srm"),
    }
    with open(path, "w") as file:
        json.dump(machine, file)


def run(sweeps, alone, folder, out, besom, jobs):
    """Runs each of the named sweeps in turn, those in `alone`, which measure time, one trainer at a time.  A sweep with failed
    trials (a rate at which trainings diverge) ends with status 1 and counts as run; anything else that goes wrong ends the program."""
    os.makedirs(out, exist_ok=True)
    describe_machine(out, besom)
    begin = time.monotonic()
    for number, name in enumerate(sweeps, 1):
        print(f"[{number}/{len(sweeps)}] {name}, {(time.monotonic() - begin) / 60:.1f} min so far", flush=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        command = [besom, "run", os.path.join(folder, name + ".json"), "--out", out, "--jobs", str(1 if name in alone else jobs), "--quiet"]
        child = subprocess.Popen(command, stderr=subprocess.STDOUT)
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C goes to besom as well, which saves and leaves
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        status = child.wait()
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
    total = costs(out).values()
    spent = [sum(entry[key] for entry in total) for key in ("processor_seconds", "wall_seconds")]
    print(f"All is done, by all runs together in {spent[0]:,.0f} processor seconds and {spent[1] / 60:.0f} minutes.")


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

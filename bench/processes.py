"""What the benchmarks measure of the processes that they run."""
import os
import pathlib
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def own(pid):
    """(seconds of processor time, peak in MB) of a process without its children; None when it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return (int(fields[11]) + int(fields[12])) / TICKS, int(status.partition("VmHWM:")[2].split()[0]) / 1000
    except (OSError, IndexError):
        return None


def run(command, **options):
    """(wall seconds, processor seconds of it and its children, of it alone, its peak in MB)."""
    start, last = time.perf_counter(), (0.0, 0.0)
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, **options)
    while True:
        last = own(process.pid) or last
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid != 0:
            break
        time.sleep(0.02)
    took = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{sys.argv[0]}: {command} ended with {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime, *last

"""What the benchmarks measure of the processes that they run."""
import os
import pathlib
import select
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_MS = 250  # how often the peak is read, at last: whoever wakes up takes a processor from those that are measured


def seconds(pid):
    """Processor time of a process without its children; also of one that has ended, until it is waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid):
    """The peak memory of a process so far; 0 when it has ended."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000
    except (OSError, IndexError):
        return 0.0


def run(command, **options):
    """(wall seconds, processor seconds of it and its children, of it alone, its peak in MB, but for the last moment)."""
    start, peak, look_ms = time.perf_counter(), 0.0, 5
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, **options)
    pidfd = os.pidfd_open(process.pid)
    end = select.poll()
    end.register(pidfd, select.POLLIN)
    while not end.poll(look_ms):
        peak = max(peak, peak_mb(process.pid))
        look_ms = min(2 * look_ms, LOOK_MS)
    os.close(pidfd)
    took, alone = time.perf_counter() - start, seconds(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{sys.argv[0]}: {command} ended with {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime, alone, peak

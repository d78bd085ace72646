"""What the parts of the comparison with PyTorch share: the driver and the table of differences."""
import json
import os
import subprocess
import sys

try:
    import numpy
    import torch
except ImportError:
    print("parity: NOT RUN: this python3 cannot import torch (Debian: python3-torch)")
    sys.exit(77)  # ctest shows it as skipped

torch.set_num_threads(1)

BUILD = sys.argv[1]
DRIVER = os.path.join(BUILD, "tests", "parity_driver")
TRAINER = os.path.join(BUILD, "bin", "besom-trainer")
rows = []  # (part, what, measure, error, limit)


def as_bytes(array):
    return array.detach().cpu().contiguous().numpy().tobytes()


def drive_raw(mode, config, *counts, data=b""):
    argv = [DRIVER, mode, json.dumps(config)] + [str(c) for c in counts]
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout


def drive(mode, config, *counts, arrays=(), dtype=torch.float32):
    out = drive_raw(mode, config, *counts, data=b"".join(as_bytes(a) for a in arrays))
    return torch.frombuffer(bytearray(out), dtype=dtype).double()


def note(part, what, measure, error, limit):
    good = error <= limit  # a NaN is not
    rows.append((part, what, measure, error, limit))
    print(f"{'ok  ' if good else 'FAIL'} {part}: {what}: {measure} {error:.2g}, limit {limit:g}", flush=True)


def failures():
    return sum(not error <= limit for _, _, _, error, limit in rows)


def error(ours, theirs):
    """|ours - theirs| / max(1, |theirs|), the largest."""
    return ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item()


def tensor_error(ours, theirs):
    """max |ours - theirs| / max |theirs|: relative to the tensor's own size, however small."""
    scale = theirs.abs().max().item()
    difference = (ours - theirs).abs().max().item()
    return difference / scale if scale > 0 else difference


def spelled(value):
    """JSON for a table: without quotes and the outermost brackets."""
    return json.dumps(value)[1:-1].replace('"', "")

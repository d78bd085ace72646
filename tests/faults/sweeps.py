"""The sweeps that campaigns disturb: trials of a few milliseconds an epoch, which between them use all that a
training carries from one attempt to the next.

    features   batch norm, dropout, averaged weights, noise and mixup, a plateau schedule, looks into layers,
               checkpoints within an epoch, every optimizer's state
    images     convolutions on images read from files, crops, flips and rotations, a validation part, best
    weights    checkpoints of weights alone, patience: epochs are computed again and must not differ
    foreign    a trainer in another language that keeps the protocol
    told       one that tells an epoch, saves it, and never tells it again"""
import struct
import sys
import time

from campaign import HERE, Failed, differences, integrity, lost, results, run_besom, write_sweep

NAMES = ("features", "images", "weights", "foreign", "told")

# Killed at random, a trial may well die a few times in a row before it gets anywhere.
RETRIES = 1000


def make_sweeps(folder, replicates=3):
    """Writes them into `folder`, with what they need; name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_images(folder / "digits")
    sweeps = {"features": _features(), "images": _images(folder / "digits"), "weights": _weights(),
              "foreign": _foreign(epochs=4), "told": _foreign(epochs=40, tell_first=True)}
    for name, sweep in sweeps.items():
        sweep.update(name=name, retries=RETRIES, replicates=replicates)
    return {name: write_sweep(folder / f"{name}.json", sweeps[name]) for name in NAMES}


def run_undisturbed(folder, sweeps):
    """Runs each in FOLDER/NAME; (results, seconds that it took here and now), both by name."""
    whole, seconds = {}, {}
    for name, sweep in sweeps.items():
        started = time.monotonic()
        run_besom("run", sweep, "-j", "2", "--out", folder / name, check=0)
        seconds[name] = time.monotonic() - started
        whole[name] = results(folder / name)
        if not any(line.startswith("file ") for line in whole[name]):
            raise Failed(f"{name} left no checkpoints")
    return whole, seconds


def run_to_its_end(sweep, out, whole, promised):
    """Of a sweep that was disturbed and is left alone now: what is wrong with its end, or "".  `whole` is its results() when
    nobody disturbs it, `promised` what was shown of it."""
    try:
        run_besom("run", sweep, "-j", "2", "--out", out, check=0)
        run_besom("verify", "--out", out, check=0)
    except Failed as failure:
        return str(failure)
    if integrity(out) != "ok":
        return integrity(out)
    found = differences(results(out), whole)
    return lost(promised, out) or (f"ended otherwise than undisturbed:\n{found}" if found else "")


def _features():
    layers = [{"type": "dense", "units": 6}, "batch_norm", "activation", {"type": "dropout", "p": 0.2},
              {"type": "dense", "units": 3}]
    return {
        "config": {
            "dataset": {"name": "blobs", "train": 96, "test": 32, "validation": 24, "normalize": True},
            "model": {"layers": layers}, "epochs": 5, "batch_size": 16, "ema": 0.9, "init": "he_normal",
            "augment": {"noise": 0.1, "mixup": 0.4},
            "schedule": {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5},
            "checkpoint": {"every_batches": 2, "keep": 3}, "inspect": {"every": 2},
        },
        "grid": {"optimizer": ["momentum", "adam", "nadam", "adadelta", "lion"]},
    }


def _images(path):
    layers = [{"type": "conv2d", "channels": 3, "kernel": 3, "padding": 1}, "batch_norm", "activation",
              {"type": "maxpool", "kernel": 2}, "flatten", {"type": "dense", "units": 4}]
    return {
        "config": {
            "dataset": {"name": f"{path}/", "validation": 16}, "model": {"layers": layers}, "epochs": 4,
            "batch_size": 16, "augment": {"crop": 1, "horizontal_flip": 0.5, "rotation": 10},
            "schedule": {"name": "cosine"}, "checkpoint": {"every": 2, "initial": True}, "l2": 0.001,
        },
        "grid": {"optimizer": ["adamw", "rmsprop"], "activation": ["prelu", "tanh"]},
    }


def _weights():
    return {
        "config": {
            "dataset": {"name": "spirals", "train": 64, "test": 32},
            "model": {"name": "deep2", "units": 5}, "epochs": 6, "batch_size": 16,
            "checkpoint": {"content": "weights", "every": 2}, "stop": {"patience": 3},
        },
        "grid": {"optimizer": ["nesterov", "adagrad", "adamax"]},
    }


def _foreign(**config):
    return {
        "config": config,
        "grid": {"rate": [0.1, 0.2]},
        "trainer": [sys.executable, "-S", "-E", str(HERE / "steady.py")],
    }


def _write_images(folder):
    """Images of 8 x 8 bytes in four classes, as NumPy would save them."""
    folder.mkdir()
    for part, count in (("train", 80), ("test", 32)):
        images = bytearray()
        for i in range(count):
            for place in range(64):
                lit = place // 8 // 2 == i % 4
                images.append((200 if lit else 20) + (place * 7 + i * 13) % 50)
        _write_npy(folder / f"{part}-images.npy", "|u1", (count, 8, 8), bytes(images))
        _write_npy(folder / f"{part}-labels.npy", "|u1", (count,), bytes(i % 4 for i in range(count)))


def _write_npy(path, dtype, shape, data):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)

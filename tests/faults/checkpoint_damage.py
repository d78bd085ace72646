#!/usr/bin/env python3
"""Damaged checkpoints.

First, on checkpoints of a few KB as besom-trainer wrote them (whole, in mid-epoch, weights alone, with averages and looks):
every single bit flipped, every shorter length, longer ones, blocks of zeros. checkpoint_open() must refuse each.

Then, on a folder whose runner was killed: the newest checkpoint, the newest two, or all of them are damaged in each way that
is known. The same command must end as an undisturbed run did: from the next older one, or from the start. Where something
stands in the way that only the user can move, it must say so, and go on when it was moved."""
import os
import pathlib
import shutil
import subprocess

from campaign import Campaign, Failed, differences, orphans, query, results, run_besom, skip, write_sweep
from inject import Injection, Rule
from sweeps import RETRIES

SWEEP = {
    "name": "damage", "retries": RETRIES,
    "config": {
        "dataset": {"name": "blobs", "train": 64, "test": 16}, "epochs": 6, "batch_size": 16, "ema": 0.9,
        "model": {"layers": ["batch_norm", {"type": "dense", "units": 3}]},
        "checkpoint": {"every": 1, "every_batches": 3, "keep": 4}, "inspect": {"every": 3},
    },
    "grid": {"optimizer": ["momentum", "adam"]},
}


# ---- ways to damage a file; `c` is for random numbers and `older` for the path of an older one ----


def cut_to(share):
    def way(path, _c, _older):
        os.truncate(path, int(path.stat().st_size * share))
    way.__name__ = f"cut to {share}"
    return way


def last_byte_gone(path, _c, _older):
    os.truncate(path, path.stat().st_size - 1)


def byte_added(path, _c, _older):
    with open(path, "ab") as file:
        file.write(b"\0")


def bit_flipped(path, c, _older):
    data = bytearray(path.read_bytes())
    data[c.random.randrange(len(data))] ^= 1 << c.random.randrange(8)
    path.write_bytes(data)


def all_zeros(path, _c, _older):
    path.write_bytes(bytes(path.stat().st_size))  # what some file systems leave of a file that was not synced


def noise(path, c, _older):
    path.write_bytes(c.random.randbytes(path.stat().st_size))


def text(path, _c, _older):
    path.write_text("{}\n")


def older_under_this_name(path, _c, older):
    if older is not None:
        shutil.copy(older, path)
    else:
        path.write_bytes(b"")


def gone(path, _c, _older):
    path.unlink()


def dangling_link(path, _c, _older):
    path.unlink()
    path.symlink_to("nowhere")


def fifo(path, _c, _older):
    path.unlink()
    os.mkfifo(path)


def temporary_beside(path, _c, _older):
    shutil.copy(path, path.parent / f".{path.name}.tmp")
    path.unlink()


WAYS = [cut_to(0), cut_to(0.01), cut_to(0.5), last_byte_gone, byte_added, bit_flipped, bit_flipped, all_zeros, noise, text,
        older_under_this_name, gone, dangling_link, fifo, temporary_beside]


def folder_in_its_place(path, _c, _older):
    path.unlink()
    path.mkdir()
    (path / "x").write_text("")


def of_another_trial(path, _c, _older):
    folders = sorted(path.parent.parent.iterdir())
    other = folders[1] if folders[0] == path.parent else folders[0]
    shutil.copy(sorted(other.glob("cp-*"))[-1], path)


BLOCKING = [folder_in_its_place, of_another_trial]  # only the user can know whose they are


class Damage:
    def __init__(self):
        self.c = Campaign("checkpoint_damage", default_count=None, about=__doc__)
        c = self.c
        self.sweep = write_sweep(c.folder / "sweep.json", SWEEP)
        run_besom("run", self.sweep, "--out", c.folder / "whole", check=0)
        self.whole = results(c.folder / "whole")
        begun = c.folder / "begun"
        for _ in range(20):
            # Both trials have got to their fourth epoch, and neither has ended: on a busy machine one may be that far ahead.
            fault = Injection(c.folder, [Rule("besom-trainer", "say", '{"epoch": 4*', "after", 2, "kill-runner")])
            run_besom("run", self.sweep, "-j", "2", "--out", begun, check=-9, env=fault.env)
            orphans(begun, 3)
            if query(begun, "SELECT count(*) FROM trial WHERE status = 'complete'") == [(0,)]:
                return
            shutil.rmtree(begun)
        raise Failed("one of two trials always ends before the other has got to its fourth epoch")

    def run(self):
        self.files()
        for way in WAYS:
            for depth in (1, 2, None):
                self.folder(way, depth)
        for way in BLOCKING:
            self.blocked(way)
        self.unreadable()
        self.c.finish()

    # ---- files ----

    def files(self):
        weights = dict(SWEEP, name="weights")
        weights["config"] = dict(SWEEP["config"], checkpoint={"content": "weights"})
        out = self.c.folder / "weights"
        run_besom("run", write_sweep(self.c.folder / "weights.json", weights), "--out", out, check=0)
        trials = sorted((self.c.folder / "begun" / "trials").iterdir())
        paths = [sorted(trials[0].glob("cp-????.*"))[-1], sorted(trials[0].glob("cp-????+*"))[-1],
                 sorted(trials[-1].glob("cp-*"))[0], sorted(out.glob("trials/*/cp-*"))[0]]
        tool = pathlib.Path(os.environ["BESOM_BIN"], "../tests/checkpoint_damage").resolve()
        if not tool.exists():
            skip(f"{tool} is not built")
        for path in paths:
            done = subprocess.run([tool, path], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.c.failed(f"{tool} {path}: {done.stderr}")
                continue
            *which, last = done.stdout.splitlines()
            refused, accepted = map(int, last.split())
            self.c.passed(refused)
            for line in which:
                self.c.failed(f"{path.name} opens although changed: {line}")
            self.c.detail(f"{path.name}, {path.stat().st_size} bytes: {refused} refused, {accepted} accepted")

    # ---- folders ----

    def begin(self):
        out = self.c.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self.c.folder / "begun", out, symlinks=True)
        return out

    @staticmethod
    def damage(out, way, depth, campaign):
        """The newest `depth` of each trial, or all; how many."""
        count = 0
        for trial in sorted((out / "trials").iterdir()):
            paths = sorted(trial.glob("cp-*"), key=position, reverse=True)
            for i, path in list(enumerate(paths))[:depth]:
                way(path, campaign, paths[i + 1] if i + 1 < len(paths) else None)
                count += 1
        return count

    def folder(self, way, depth):
        out = self.begin()
        count = self.damage(out, way, depth, self.c)
        name = f"{way.__name__}, {'all' if depth is None else f'newest {depth}'} ({count} files)"
        done = run_besom("run", self.sweep, "-j", "2", "--out", out)
        wrong = str(done) if done.status != 0 else differences(results(out), self.whole)
        self.c.require(not wrong, f"{name}: {wrong}")

    def blocked(self, way):
        out = self.begin()
        first = sorted((out / "trials").iterdir())[0]
        way(max(first.glob("cp-*"), key=position), self.c, None)
        done = run_besom("run", self.sweep, "-j", "2", "--retries", "0", "--out", out)
        said = done.err + "".join(path.read_text(errors="replace") for path in out.glob("trials/*/log"))
        words = "cp-" if way is folder_in_its_place else "another trial"
        if done.status not in (1, 74) or words not in said:
            self.c.failed(f"{way.__name__}: status {done.status}, expected 1 or 74 and a word of {words}: {done}")
            return
        for path in out.glob("trials/*/cp-*"):
            if path.is_dir():
                shutil.rmtree(path)
        if way is of_another_trial:
            max(first.glob("cp-*"), key=position).unlink()
        done = run_besom("run", self.sweep, "-j", "2", "--retry-failed", "--out", out)
        wrong = str(done) if done.status != 0 else differences(results(out), self.whole)
        self.c.require(not wrong, f"{way.__name__}, then moved away: {wrong}")

    def unreadable(self):
        """The disk does not give back what it took."""
        for nth in ("1", "2", "1+"):
            out = self.begin()
            fault = Injection(self.c.folder, [Rule("besom-trainer", "read", "*/cp-*", "before", nth, "EIO")])
            done = run_besom("run", self.sweep, "-j", "2", "--out", out, env=fault.env)
            wrong = str(done) if done.status != 0 else differences(results(out), self.whole)
            self.c.require(fault.fired() > 0 and not wrong, f"EIO of read {nth}: {wrong or 'not met'}")


def position(path):
    """Of cp-0004.safetensors (4, 0), of cp-0004+000003.safetensors (4, 3)."""
    epoch, _, step = path.name.removeprefix("cp-").removesuffix(".safetensors").partition("+")
    return int(epoch), int(step or 0)


Damage().run()

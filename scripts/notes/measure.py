"""What a statement of claims.json measures: a sample of numbers, one for each seed, out of a results folder.

Metrics are those of `besom compare`, to which statistics are held; what it does not know, the looks into the layers and times, is
a query over the views of results.db; what no view has, the learned numbers, is read from the last checkpoints."""

import array
import collections
import functools
import glob
import json
import math
import os
import sqlite3
import statistics
import struct
import subprocess


class Missing(Exception):
    """What a statement needs is not in the results; says what."""


class Sample:
    """Numbers by seed (replicate) with mean, std (n - 1) and n; of the two sides, where there are two, the numbers and means as
    well.  On the scale "factor" all but mean_a and mean_b are decimal logarithms."""

    def __init__(self, values, a=None, b=None, factor=False):
        if not values:
            raise Missing("no seed has a value")
        self.values = values
        self.a = a
        self.b = b
        self.n = len(values)
        self.mean = statistics.fmean(values.values())
        self.std = statistics.stdev(values.values()) if self.n > 1 else 0.0
        self.mean_a, self.mean_b = (statistics.fmean(side[s] for s in values) if side else None for side in (a, b))
        if factor and b:
            self.mean_a, self.mean_b = 10**self.mean_a, 10**self.mean_b

    def hold_to(self, what, mean, std):
        """Raises Missing unless besom has the same mean and standard deviation."""
        if not (math.isclose(mean, self.mean, rel_tol=1e-9, abs_tol=1e-12) and math.isclose(std or 0.0, self.std, rel_tol=1e-6, abs_tol=1e-9)):
            raise Missing(f"{what}: besom has {mean} with {std}, by its values it is {self.mean} with {self.std}")
        return self


class Point:
    """A point of a sweep's grid: its label, its config, its complete trials by replicate, the names of all trials' folders, the
    replicates of all of them, and by reason how many failed."""

    def __init__(self, label, config):
        self.label = label
        self.config = config
        self.trials = {}
        self.replicates = []
        self.failed = collections.Counter()
        self.keys = {}


def at_path(config, path):
    """What the config has at a dotted path; a string "x" counts as {"name": "x"}; None where there is nothing."""
    for key in path.split("."):
        if isinstance(config, str) and key == "name":
            return config
        if not isinstance(config, dict) or key not in config:
            return None
        config = config[key]
    return config


def put_at_path(config, path, value):
    """Sets the value there; a string "x" on the way becomes {"name": "x"}."""
    *way, last = path.split(".")
    for key in way:
        if not isinstance(config.get(key), dict):
            config[key] = {"name": config[key]} if key in config else {}
        config = config[key]
    config[last] = value


def matches(config, pattern):
    """Whether the config has at each path of the pattern the value there, or one of those in its list."""
    for path, wanted in pattern.items():
        found = at_path(config, path)
        if isinstance(found, dict) and not isinstance(wanted, dict):
            found = found.get("name")
        if found not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


def read_tensors(path):
    """A safetensors file's float32 tensors: name to its numbers."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array("f", data[begin:end])
    return tensors


def parameters(tensors):
    return sum(len(numbers) for name, numbers in tensors.items() if not name.startswith(("optimizer.", "ema.")))


def slopes_moved(tensors):
    """Mean distance of PReLU's slopes, the only weights without a bias beside them, from 0.25."""
    slopes = [
        x
        for name, numbers in tensors.items()
        if name.endswith(".weight") and not name.startswith("optimizer.") and name.replace("weight", "bias") not in tensors
        for x in numbers
    ]
    return statistics.fmean(abs(x - 0.25) for x in slopes) if slopes else None


FROM_CHECKPOINT = {"parameters": parameters, "slopes_moved": slopes_moved}


class Results:
    """A results folder, read only."""

    def __init__(self, out, besom, claims):
        path = os.path.join(out, "results.db")
        if not os.path.exists(path):
            raise Missing(f"{path} is not there")
        self.out = out
        self.besom = besom
        self.claims = claims
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for name, query in claims["views"].items():
            self.db.execute(f"CREATE TEMP VIEW {name} AS {query}")
        self.names = [row[0] for row in self.db.execute("SELECT DISTINCT sweep FROM trials")]

    @functools.lru_cache(maxsize=None)
    def points(self, sweep):
        """The sweep's points in the order of its file."""
        points = {}
        rows = self.db.execute(
            "SELECT params, label, config, trial, status, replicate, key, (SELECT reason FROM failures f WHERE f.trial = trials.trial"
            " ORDER BY attempt DESC LIMIT 1) FROM trials WHERE sweep = ? ORDER BY trial",
            (sweep,),
        )
        for params, label, config, trial, status, replicate, key, reason in rows:
            if params not in points: # a shared trial has the config of the sweep that made it: this one's axes go over it
                config = json.loads(config)
                for path, value in json.loads(params).items():
                    put_at_path(config, path, value)
                points[params] = Point(label, config)
            point = points[params]
            point.replicates.append(replicate)
            point.keys[trial] = key
            if status == "failed":
                point.failed[reason or "for no reason told"] += 1
            if status == "complete":
                point.trials[replicate] = trial
        if not points:
            raise Missing(f"the sweep {sweep} has not run")
        return list(points.values())

    @functools.lru_cache(maxsize=None)
    def compare(self, sweep, *options):
        """What `besom compare --json` says, as Python has it."""
        command = [self.besom, "compare", sweep, "--out", self.out, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Missing(f"{' '.join(command)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def compared_points(self, sweep, metric, at):
        """The points of `besom compare`, by our own."""
        compared = self.compare(sweep, "--metric", metric, "--at", str(at))
        by_trial = {trial: point for point in self.points(sweep) for trial in point.trials.values()}
        return {by_trial[row["best_trial"]]: row for row in compared["points"] if row["best_trial"] is not None}, compared

    def select(self, sweep, pattern):
        """The point that the pattern means.  Of several it is the one with the best accuracy at the last epoch on the validation
        images (where a sweep has none, on the test images), of those that no seed has failed, where there are such."""
        found = [point for point in self.points(sweep) if matches(point.config, pattern)]
        if not found:
            raise Missing(f"{sweep} has no point with {json.dumps(pattern)}")
        if len(found) == 1:
            return found[0], []
        rows, _ = self.compared_points(sweep, "val_accuracy", "last")
        whole = [point for point in found if point in rows and not point.failed]
        candidates = whole or [point for point in found if point in rows]
        if not candidates:
            raise Missing(f"no trial of {sweep} with {json.dumps(pattern)} is complete")
        return max(candidates, key=lambda point: rows[point]["mean"]), found

    @functools.lru_cache(maxsize=None)
    def trial_values(self, sql):
        """By trial: what a query for (trial, value) says."""
        return {trial: value for trial, value in self.db.execute(sql) if value is not None}

    def side(self, sweep, point, measure):
        """The measure by replicate, as logarithm on the scale "factor"; what has no value, or none with a logarithm, is left out."""
        entry = self.claims["measures"][measure]
        side = {}
        for replicate, trial in sorted(point.trials.items()):
            if "sql" in entry:
                value = self.trial_values(entry["sql"]).get(trial)
            else:
                files = sorted(glob.glob(os.path.join(self.out, "trials", point.keys[trial], "cp-*.safetensors")))
                value = FROM_CHECKPOINT[entry["checkpoint"]](read_tensors(files[-1])) if files else None
            if value is not None and math.isfinite(value) and (entry["scale"] != "factor" or value > 0):
                side[replicate] = math.log10(value) if entry["scale"] == "factor" else value
        return side

    def sample_of(self, sweep, a, b, metric=None, at=None, measure=None):
        """The sample of the point a, or of a less b at the same seed."""
        if metric:
            rows, compared = self.compared_points(sweep, metric, at)
            for point in (a, b):
                if point and point not in rows:
                    raise Missing(f"{point.label} of {sweep} has no {metric}")
            seeds = compared["seeds"]
            of_a = {s: v for s, v in zip(seeds, rows[a]["values"]) if v is not None}
            if not b:
                return Sample(of_a).hold_to(a.label, rows[a]["mean"], rows[a]["std"])
            of_b = {s: v for s, v in zip(seeds, rows[b]["values"]) if v is not None}
            ranks = [str(rows[a]["rank"]), str(rows[b]["rank"])]
            pair = self.compare(sweep, "--metric", metric, "--at", str(at), "--a", ranks[0], "--b", ranks[1])[0]
            values = {s: of_a[s] - of_b[s] for s in of_a if s in of_b}
            if pair["seeds"] != len(values):
                raise Missing(f"{sweep}: besom compares {pair['seeds']} seeds where {len(values)} have both values")
            return Sample(values, of_a, of_b).hold_to(f"{a.label} less {b.label}", pair["difference"], pair["std"])
        of_a = self.side(sweep, a, measure)
        if not b:
            return Sample(of_a)
        of_b = self.side(sweep, b, measure)
        values = {s: of_a[s] - of_b[s] for s in of_a if s in of_b}
        if not values:
            raise Missing(f"no seed of {sweep} has {measure} on both sides")
        return Sample(values, of_a, of_b, self.claims["measures"][measure]["scale"] == "factor")

    def clock(self):
        """By sweep: how long any of its attempts ran, in seconds, and how many ran at a time.  The attempts are in no view, so this
        reads a table; of one that was cut short with besom itself it is not known when it ended, and its last epoch counts."""
        spans, slots = {}, {}
        rows = self.db.execute(
            "SELECT s.name, a.slot, a.started_at, CASE WHEN a.ended_at IS NULL OR a.reason = 'runner died'"
            " THEN (SELECT max(at) FROM epoch e WHERE e.trial = a.trial AND e.attempt = a.attempt) ELSE a.ended_at END"
            " FROM attempt a JOIN trial t ON t.id = a.trial JOIN sweep s ON s.id = t.sweep ORDER BY a.started_at"
        )
        for sweep, slot, begin, end in rows:
            spans.setdefault(sweep, []).append((begin, begin if end is None else end))
            slots.setdefault(sweep, set()).add(slot)
        seconds = {}
        for sweep, of_sweep in spans.items():
            seconds[sweep], until = 0.0, -math.inf
            for begin, end in of_sweep:
                seconds[sweep] += max(0.0, end - max(begin, until))
                until = max(until, end)
        return {sweep: (seconds[sweep], len(slots[sweep])) for sweep in seconds}

    def series(self, points, metric=None, name=None):
        """By x: the values of the points' trials."""
        if metric:
            query = "SELECT trial, epoch, value FROM curves WHERE metric = ?"
            rows = self.db.execute(query, (metric,))
        else:
            rows = self.db.execute(self.claims["series"][name])
        trials = {trial for point in points for trial in point.trials.values()}
        by_x = {}
        for trial, x, value in rows:
            if trial in trials and value is not None:
                by_x.setdefault(x, []).append(value)
        return dict(sorted(by_x.items()))

    def layers(self, point, epoch):
        """The hidden layers of the point's first complete trial, from below: dicts of the view's columns.  `epoch` 0 or "last"."""
        if not point.trials:
            raise Missing(f"no trial of {point.label} is complete")
        trial = point.trials[min(point.trials)]
        at = "0" if epoch == 0 else "(SELECT last FROM look WHERE look.trial = hidden.trial)"
        cursor = self.db.execute(f"SELECT * FROM hidden WHERE trial = ? AND epoch = {at} ORDER BY place", (trial,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor]

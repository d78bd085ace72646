"""sweeps/notes: every sweep plans, and every claim names what there is.  claims_check.py ROOT BIN

The points are expanded here once more, from the sweep file alone, and counted against `besom plan`."""
import glob
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

root, bin_folder = sys.argv[1:3]
os.chdir(root)
notes = os.path.join(root, "sweeps/notes")
failures = []

METRICS = {"train_loss", "val_loss", "test_loss", "val_accuracy", "test_accuracy", "lr"}
WANTED = [f"O{i}" for i in range(2, 8)] + [f"A{i}" for i in range(1, 9)] + [f"I{i}" for i in range(1, 9)] + [f"T{i}" for i in range(1, 6)]


def check(fine, what):
    if not fine:
        failures.append(what)


def expand(value):
    """All that the "values" in it multiply to."""
    if isinstance(value, dict) and set(value) == {"values"}:
        return [x for inner in value["values"] for x in expand(inner)]
    if isinstance(value, dict):
        return [dict(zip(value, choice)) for choice in itertools.product(*map(expand, value.values()))]
    if isinstance(value, list):
        return [list(choice) for choice in itertools.product(*map(expand, value))]
    return [value]


def flat(value, path=""):
    """The config as dotted paths; a string stands for its name as well."""
    if isinstance(value, dict):
        found = {}
        for key, inner in value.items():
            found.update(flat(inner, f"{path}.{key}" if path else key))
        if "name" in value:
            found[path] = value["name"]
        return found
    return {path: value, f"{path}.name": value}


def points_of(sweep):
    axes = sweep.get("grid", {})
    points = []
    for choice in itertools.product(*([x for value in values for x in expand(value)] for values in axes.values())):
        point = flat(sweep["config"])
        for path, value in zip(axes, choice):
            point.update(flat(value, path))
        left_out = any(all(point.get(p) == v for p, v in entry.items()) for entry in sweep.get("exclude", []))
        if not left_out:
            points.append(point)
    return points


with open(os.path.join(notes, "claims.json")) as file:
    claims = json.load(file)
sweeps = {}
epochs = {}  # by trial: the sweeps that have it, with how long it is there
with tempfile.TemporaryDirectory() as out:
    for path in sorted(glob.glob(os.path.join(notes, "*.json"))):
        name = os.path.basename(path)[:-5]
        if name == "claims":
            continue
        with open(path) as file:
            lines = file.read()
        check(lines.startswith("// "), f"{path}: does not begin with a comment")
        sweep = json.loads(re.sub(r"^ *//.*$", "", lines, flags=re.M))
        check(sweep["name"] == name, f"{path}: its name is {sweep['name']}")
        check(sweep["replicates"] >= 8, f"{path}: {sweep['replicates']} replicates decide little")
        done = subprocess.run([os.path.join(bin_folder, "besom"), "plan", path, "--json", "--out", out], capture_output=True, text=True)
        check(done.returncode == 0, f"besom plan {path}: {done.stderr}")
        sweeps[name] = points_of(sweep)
        plan = json.loads(done.stdout) if done.returncode == 0 else []
        trials = len(plan)
        for trial in plan:
            epochs.setdefault(trial["key"], {})[name] = trial["epochs"]
        check(trials == len(sweeps[name]) * sweep["replicates"], f"{path}: {len(sweeps[name])} points here, but {trials} trials in besom plan")

check(sorted(claims["sweeps"]) == sorted(sweeps), f"claims.json does not list each sweep once: {set(claims['sweeps']) ^ set(sweeps)}")
check([note["id"] for note in claims["notes"]] == WANTED, "claims.json does not have each note once, in order")

# A trial that two sweeps have in common is trained as long as the longer of them says, and then its last epoch is another one
# than that of its neighbours in the shorter.  o5-adam-start asks only for what was before the first epoch.
for key, of_sweeps in epochs.items():
    lengths = {name: length for name, length in of_sweeps.items() if name != "o5-adam-start"}
    check(len(set(lengths.values())) <= 1, f"trial {key} has other lengths in {lengths}")


def means(where, sweep, pattern):
    """The points that the pattern means."""
    if sweep not in sweeps:
        check(False, f"{where}: there is no sweep {sweep}")
        return []
    found = [
        i
        for i, point in enumerate(sweeps[sweep])
        if all(point.get(path) in (value if isinstance(value, list) else [value]) for path, value in pattern.items())
    ]
    check(found, f"{where}: {sweep} has no point with {pattern}")
    return found


seen = set()
for note in claims["notes"]:
    used = set()
    check(note["statements"] and note["limits"] and note["claim"] and note["picture"], f"{note['id']}: something is empty")
    for statement in note["statements"]:
        where = statement["id"]
        check(where.startswith(note["id"]) and where not in seen, f"{where} is no id for a statement of {note['id']}, or there twice")
        seen.add(where)
        used.add(statement["sweep"])
        check(("metric" in statement) != ("measure" in statement), f"{where}: either a metric or a measure")
        if "metric" in statement:
            check(statement["metric"] in METRICS, f"{where}: {statement['metric']} is no metric")
            at = statement["at"]
            check(at in ("last", "best", "auc") or isinstance(at, int), f"{where}: at {at}")
        else:
            check(statement["measure"] in claims["measures"], f"{where}: there is no measure {statement['measure']}")
        bounds = statement["holds"]
        check(bounds and set(bounds) <= {"above", "below"}, f"{where}: holds {bounds}")
        check(len(bounds) < 2 or bounds["above"] < bounds["below"] and "why" in statement, f"{where}: two bounds want an order and a reason")
        a = means(where, statement["sweep"], statement["a"])
        if "b" in statement:
            b = means(where, statement["sweep"], statement["b"])
            check(not set(a) & set(b), f"{where}: a and b have a point in common")
    check(used <= set(note["sweeps"]), f"{note['id']} does not list {used - set(note['sweeps'])}")
    for panel in note["picture"]:
        for entry in panel.get("lines", []) + panel.get("points", []) + panel.get("rows", []):
            means(f"{note['id']}, picture", entry["sweep"], entry["point"])
            check(entry["sweep"] in note["sweeps"], f"{note['id']}, picture: {entry['sweep']} is not listed")
used = {sweep for note in claims["notes"] for sweep in note["sweeps"]}
check(used == set(sweeps), f"no note uses {set(sweeps) - used}")

for failure in failures:
    print(failure, file=sys.stderr)
print(f"{len(sweeps)} sweeps, {len(seen)} statements, {len(failures)} failures")
sys.exit(bool(failures))

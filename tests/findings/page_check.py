"""scripts/findings on planted results: what holds, what does not, what is undecided, what has not run; the numbers beside SciPy's; and
the same results make the same bytes.  page_check.py ROOT BIN.  Ends with 77 without SciPy or matplotlib."""
import csv
import filecmp
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

try:
    import matplotlib  # noqa: F401
    import numpy as np
    from PIL import Image
    from scipy import stats
except ImportError as error:
    print(f"{error}: skipped")
    sys.exit(77)

root, bin_folder = sys.argv[1:3]
besom = os.path.join(bin_folder, "besom")
failures = []


def check(fine, what):
    if not fine:
        failures.append(what)


def accuracy(choice, rate, seed):
    """What the planted trainer says at its second and last epoch.  Of "good" the rate 0.2 is the better one by the validation
    images, and the worse one by the test images: what is chosen must not look at those."""
    wobble = 0.001 * ((seed * 5) % 7)
    validation = {"good": 0.6, "plain": 0.5, "like": 0.5}[choice] + (0.02 if rate == 0.2 else 0) + wobble
    test = {"good": 0.6 - (0.05 if rate == 0.2 else 0), "plain": 0.5, "like": 0.5 + (0.004 if seed % 2 else -0.0035)}[choice] + wobble
    return validation, test


TRAINER = """
import sys
choice, rate, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
%s
validation, test = accuracy(choice, rate, seed)
for epoch in (1, 2):
    part = epoch / 2
    print('{"epoch": %%d, "seconds": 0.1, "samples_per_second": %%g, "train_loss": %%.17g, "val_accuracy": %%.17g, "test_accuracy": %%.17g}'
          %% (epoch, 1000 * (2 if choice == "good" else 1) + seed, 1 / epoch, validation * part, test * part), flush=True)
"""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


with tempfile.TemporaryDirectory() as work:
    os.environ["XDG_CACHE_HOME"] = os.path.join(work, "cache")
    with open(__file__) as file:
        source = file.read()
    begin = source.index("def accuracy")
    write(f"{work}/trainer.py", TRAINER % source[begin : source.index("\n\n\n", begin)])
    os.mkdir(f"{work}/sweeps")
    planted = {
        "name": "planted",
        "description": "three choices",
        "config": {"epochs": 2, "checkpoint": {}},
        "grid": {"choice": ["good", "plain", "like"], "optimizer.lr": [0.1, 0.2]},
        "exclude": [{"choice": "plain", "optimizer.lr": 0.2}, {"choice": "like", "optimizer.lr": 0.2}],
        "trainer": ["/usr/bin/python3", "-S", f"{work}/trainer.py", "{choice}", "{optimizer.lr}", "{seed}"],
        "replicates": 8,
    }
    look = {
        "name": "look",
        "description": "ten small layers",
        "config": {
            "dataset": {"name": "blobs", "train": 100, "test": 50, "features": 20},
            "model": {"name": "deep10", "units": 20},
            "activation": "tanh",
            "epochs": 1,
            "inspect": {"every": 1},
        },
        "grid": {"init": [{"name": "normal", "std": 0.02}, "xavier_normal"]},
        "replicates": 3,
    }
    for sweep in (planted, look):
        write(f"{work}/sweeps/{sweep['name']}.json", json.dumps(sweep))

    with open(os.path.join(root, "sweeps/notes/claims.json")) as file:
        claims = json.load(file)
    good, plain, like = {"choice": "good"}, {"choice": "plain"}, {"choice": "like"}
    test = {"sweep": "planted", "metric": "test_accuracy", "at": "last"}
    mini = {"sweeps": ["planted", "look", "absent"], "views": claims["views"], "measures": claims["measures"], "series": claims["series"]}
    mini["notes"] = [
        {
            "id": "X1", "title": "Planted", "claim": "Good is good.", "limits": "All.", "sweeps": ["planted", "absent"],
            "picture": [
                {"kind": "curves", "metric": "val_accuracy", "lines": [{"label": "good", "sweep": "planted", "point": good}]},
                {"kind": "points", "metric": "test_accuracy", "at": "last", "points": [{"label": "good", "sweep": "planted", "point": good}]},
                {"kind": "rates", "x": "optimizer.lr", "metric": "test_accuracy", "at": "last",
                 "lines": [{"label": "good", "sweep": "planted", "point": good}]},
            ],
            "statements": [
                {"id": "X1a", "says": "Better.", **test, "a": good, "b": plain, "holds": {"above": 0}},
                {"id": "X1b", "says": "Worse.", **test, "a": good, "b": plain, "holds": {"below": 0}},
                {"id": "X1c", "says": "Alike is better.", **test, "a": like, "b": plain, "holds": {"above": 0}},
                {"id": "X1d", "says": "Alike is alike.", **test, "a": like, "b": plain, "holds": {"above": -0.01, "below": 0.01}},
                {"id": "X1e", "says": "Good is alike.", **test, "a": good, "b": plain, "holds": {"above": -0.01, "below": 0.01}},
                {"id": "X1f", "says": "Half the time.", "sweep": "planted", "measure": "time", "a": good, "b": plain, "holds": {"below": 0.9}},
                {"id": "X1g", "says": "It is there.", **test, "sweep": "absent", "a": {}, "holds": {"above": 0}},
            ],
        },
        {
            "id": "X2", "title": "A look", "claim": "It collapses.", "limits": "Most.", "sweeps": ["look"],
            "picture": [{"kind": "layers", "rows": [
                {"label": "small", "sweep": "look", "point": {"init.std": 0.02}, "range": [-1, 1]},
                {"label": "Xavier", "sweep": "look", "point": {"init": "xavier_normal"}, "range": [-1, 1]}]}],
            "statements": [
                {"id": "X2a", "says": "Collapsed.", "sweep": "look", "measure": "spread kept at the start", "a": {"init.std": 0.02}, "holds": {"below": 0.21}}
            ],
        },
    ] # fmt: skip
    write(f"{work}/sweeps/claims.json", json.dumps(mini))

    def findings(page, *more, status=0):
        command = [os.path.join(root, "scripts/findings"), "--claims", f"{work}/sweeps/claims.json", "--out", f"{work}/out"]
        done = subprocess.run([*command, "--besom", besom, "--page", page, *more], capture_output=True, text=True)
        check(done.returncode == status, f"scripts/findings {more}: status {done.returncode}, {done.stdout} {done.stderr}")
        return done.stdout + done.stderr

    def row(text, name):
        return next((line for line in text.splitlines() if line.startswith(f"| {name} |")), "")

    said = findings(f"{work}/first/findings.md", "--write-only", status=1)
    check("results.db is not there" in said, f"without results: {said}")
    said = findings(f"{work}/first/findings.md", "--only", "O2", status=2)
    check("there is no note O2" in said, f"an unknown note: {said}")
    os.makedirs(f"{work}/first")
    os.makedirs(f"{work}/second")
    write(f"{work}/sweeps/absent.json", '{"name": "absent", "trainer": ["false"], "config": {"epochs": 1}}') # fails, and that is said
    findings(f"{work}/first/findings.md", "--jobs", "2")
    findings(f"{work}/second/findings.md", "--write-only")
    if failures:
        sys.exit("\n".join(failures))

    with open(f"{work}/first/findings.md") as file:
        page = file.read()
    verdicts = {"X1a": "holds", "X1b": "does not hold here", "X1c": "undecided", "X1d": "holds", "X1e": "does not hold here", "X1f": "holds", "X2a": "holds"}
    for name, wanted in verdicts.items():
        check(row(page, name).endswith(f"| **{wanted}** |"), f"{name} is not '{wanted}': {row(page, name)}")
    check(row(page, "X1g").endswith("| not run |"), f"X1g: {row(page, 'X1g')}")
    check("Of 7 statements 3 hold, 2 do not hold here, 1 is undecided, 1 has not run." in page, "the summary of X1")
    check("good lr=0.2 (the end of its grid)" in page, "the rate that validation chooses is not said")
    check("Not drawn" not in page, "something was not drawn")
    check("| planted |" in page and "processor seconds" in page, "what it took")
    check(" minutes, 2 at a time, those of absent 1; " in page, "how long it took by the clock")
    check("1 point, 1 seeds; 0 of 1 trials are complete, 1 failed (exit)." in page, "why a trial is not complete")

    a, b = ([accuracy(choice, rate, seed)[1] for seed in range(1, 9)] for choice, rate in (("good", 0.2), ("plain", 0.1)))
    difference = np.subtract(a, b)
    low, high = stats.t.interval(0.95, 7, difference.mean(), stats.sem(difference)) if np.ptp(difference) > 1e-12 else (difference.mean(),) * 2
    wanted = f"{100 * difference.mean():+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]"
    check(wanted in row(page, "X1a"), f"{wanted} is not in {row(page, 'X1a')}")
    a = [accuracy("like", 0.1, seed)[1] for seed in range(1, 9)]
    difference = np.subtract(a, b)
    low, high = stats.t.interval(0.95, 7, difference.mean(), stats.sem(difference))
    wanted = f"{100 * difference.mean():+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]"
    check(wanted in row(page, "X1c"), f"{wanted} is not in {row(page, 'X1c')}")

    with open(f"{work}/first/findings/values.csv") as file:
        rows = {(r["statement"], int(r["seed"])): r for r in csv.DictReader(file)}
    values = {key: float(row["value"]) for key, row in rows.items()}
    for seed in range(1, 9):
        sides = [float(rows["X1c", seed][side]) for side in ("a", "b")]
        check(abs(sides[0] - a[seed - 1]) < 1e-12 and abs(sides[1] - b[seed - 1]) < 1e-12, f"values.csv, X1c of seed {seed}: {sides}")
        check(abs(values["X1c", seed] - difference[seed - 1]) < 1e-12, f"values.csv, X1c of seed {seed}: {values['X1c', seed]}")
        check(abs(10 ** values["X1f", seed] - (1000 + seed) / (2000 + seed)) < 1e-4, f"values.csv, X1f of seed {seed}")

    for name in sorted(os.listdir(f"{work}/first/findings")):
        check(filecmp.cmp(f"{work}/first/findings/{name}", f"{work}/second/findings/{name}", shallow=False), f"{name} differs the second time")
        if name.endswith(".png"):
            with Image.open(f"{work}/first/findings/{name}") as image:
                check(len(image.convert("RGB").getcolors(1 << 24)) > 10, f"{name} is empty")
    check(len(os.listdir(f"{work}/first/findings")) == 3, f"files: {os.listdir(f'{work}/first/findings')}")
    check(filecmp.cmp(f"{work}/first/findings.md", f"{work}/second/findings.md", shallow=False), "the page differs the second time")

    # All queries of the notes are understood by a real results.db.
    db = sqlite3.connect(f"file:{work}/out/results.db?mode=ro", uri=True)
    for name, query in claims["views"].items():
        db.execute(f"CREATE TEMP VIEW {name} AS {query}")
    for name, entry in [*claims["measures"].items(), *claims["series"].items()]:
        query = entry["sql"] if isinstance(entry, dict) and "sql" in entry else entry if isinstance(entry, str) else None
        if query:
            try:
                db.execute(query).fetchall()
            except sqlite3.Error as error:
                check(False, f"the query of '{name}': {error}")

for failure in failures:
    print(failure, file=sys.stderr)
print(f"{len(failures)} failures")
sys.exit(bool(failures))

"""scripts/notes/verdict.py beside SciPy and the reference, on planted data; and docs/findings.md beside what
claims.json and the numbers in values.csv make of it.  verdict_check.py ROOT BIN.  Ends with 77, which ctest counts as skipped,
without SciPy or matplotlib."""
import csv
import json
import math
import os
import re
import sys

try:
    import matplotlib  # noqa: F401  the page's module draws, too
    import numpy as np
    from PIL import Image  # noqa: F401
    from scipy import stats
except ImportError as error:
    print(f"{error}: skipped")
    sys.exit(77)

root = sys.argv[1]
sys.path.insert(0, os.path.join(root, "scripts"))
from notes import measure, page, verdict  # noqa: E402

from reference import verdicts  # noqa: E402

failures = []


def check(fine, what):
    if not fine:
        failures.append(what)


def ours(samples, regions):
    ps, bounds = [], []
    for numbers, region in zip(samples, regions):
        low, high = (None if math.isinf(x) else x for x in region)
        bounds.append((low, high))
        ps.append(verdict.p_value(np.mean(numbers), np.std(numbers, ddof=1), len(numbers), low, high))
    return [verdict.decide(np.mean(x), p, *b) for x, p, b in zip(samples, verdict.holm(ps), bounds)]


up, down, same = (0, math.inf), (-math.inf, 0), (-0.01, 0.01)
noise = np.array([0.4, -1.3, 0.9, 0.2, -0.7, 1.1, -0.5, -0.1]) # mean 0, standard deviation 0.82
assert abs(noise.mean()) < 1e-12

# Known answers, each alone.
for numbers, region, wanted in (
    (noise + 2, up, "holds"),
    (noise - 2, up, "does not hold here"),
    (noise - 2, down, "holds"),
    (noise + 0.5, up, "undecided"),
    (noise * 0.005, same, "holds"),
    (noise * 0.005 + 0.1, same, "does not hold here"),
    (noise * 0.005 - 0.1, same, "does not hold here"),
    (noise * 0.005 + 0.009, same, "undecided"),
    (noise * 0.05, same, "undecided"), # wide on both sides
    (np.full(8, 0.3), up, "holds"), # no spread: 2 / 2^8
    (np.full(5, 0.3), up, "undecided"), # 2 / 2^5 is above 0.05
    (np.full(8, 0.0), up, "undecided"), # on the bound
):
    got = ours([numbers], [region])[0]
    check(got == wanted == verdicts([numbers], [region])[0], f"{numbers} in {region}: {got}, not {wanted}")

# Against a bound at 0, p is that of the t test; the interval is SciPy's.
for shift in (-3, -0.2, 0.1, 0.7, 5):
    numbers = noise + shift
    p = verdict.p_value(numbers.mean(), numbers.std(ddof=1), 8, 0, None)
    check(math.isclose(p, stats.ttest_1samp(numbers, 0).pvalue, rel_tol=1e-9), f"p {p} at {shift}")
    ends = verdict.interval(numbers.mean(), numbers.std(ddof=1), 8)
    wanted = stats.t.interval(0.95, 7, numbers.mean(), stats.sem(numbers))
    check(np.allclose(ends, wanted, rtol=1e-9), f"interval {ends} at {shift}, SciPy's {wanted}")

# Families of statements: with the same p alone a fifth of these would be decided differently.
random = np.random.default_rng(7)
corrected = 0
for trial in range(400):
    count = int(random.integers(1, 9))
    samples = [random.normal(random.choice([0, 0.5, 1, 2]), 1, int(random.integers(2, 11))) for _ in range(count)]
    regions = [[up, down, (-1, 1), (0.5, math.inf)][int(random.integers(4))] for _ in range(count)]
    got, wanted = ours(samples, regions), verdicts(samples, regions)
    check(got == wanted, f"seed 7, family {trial}: {got}, reference {wanted}")
    corrected += got != [ours([x], [r])[0] for x, r in zip(samples, regions)]
check(corrected > 20, f"the correction changed only {corrected} families: the test says little of it")

# The page that is shipped, once more from claims.json and values.csv: what is on one side only, or otherwise, is stale.
with open(os.path.join(root, "sweeps/notes/claims.json")) as file:
    claims = json.load(file)
with open(os.path.join(root, "docs/findings.md")) as file:
    shipped = file.read()
rows = {}
with open(os.path.join(root, "docs/findings/values.csv")) as file:
    for row in csv.DictReader(file):
        rows.setdefault(row["statement"], []).append(row)
statements = [statement["id"] for note in claims["notes"] for statement in note["statements"]]
check(set(rows) <= set(statements), f"values.csv has what claims.json has not: {set(rows) - set(statements)}")


def planned(sweep):
    """A sweep's description and seeds."""
    with open(os.path.join(root, f"sweeps/notes/{sweep}.json")) as file:
        text = json.loads("".join(line for line in file if not line.lstrip().startswith("//")))
    return text["description"], text["replicates"]


def outcome_of(statement):
    """A statement's outcome as scripts/findings has it, but with the numbers of values.csv."""
    outcome = page.Outcome(statement)
    columns = [{int(row["seed"]): float(row[name]) for row in rows.get(statement["id"], []) if row[name]} for name in ("value", "a", "b")]
    outcome.seeds = [int(row["seed"]) for row in rows.get(statement["id"], [])]
    if not columns[0]:
        return outcome
    check(("b" in statement) == bool(columns[1]), f"values.csv: {statement['id']} has the wrong sides for claims.json")
    seeds = planned(statement["sweep"])[1]
    check(outcome.seeds == list(range(1, seeds + 1)), f"values.csv: {statement['id']} has the seeds {outcome.seeds}, its sweep {seeds}")
    if "b" in statement:
        for seed, value in columns[0].items():
            difference = columns[1][seed] - columns[2][seed]
            check(math.isclose(value, difference, rel_tol=1e-9, abs_tol=1e-12), f"values.csv: {statement['id']}, seed {seed}: a - b is {difference}")
    outcome.sample = measure.Sample(*columns, page.scale_of(claims, statement) == "factor")
    return outcome


FROM_RESULTS = re.compile(r"- \[[a-z0-9-]+\]\(\.\./sweeps/|!\[|Chosen: |Not drawn: ") # what a section has that is not in values.csv
outcomes = {note["id"]: [outcome_of(statement) for statement in note["statements"]] for note in claims["notes"]}
every = [outcome for of_note in outcomes.values() for outcome in of_note]
wanted = []
for note in claims["notes"]:
    of_note = outcomes[note["id"]]
    page.judge(claims, of_note)
    measured = [outcome for outcome in of_note if outcome.sample]
    regions = [[page.bounds(o.statement, page.scale_of(claims, o.statement))[side] for o in measured] for side in (0, 1)]
    regions = [(-math.inf if low is None else low, math.inf if high is None else high) for low, high in zip(*regions)]
    for outcome, by_reference in zip(measured, verdicts([list(o.sample.values.values()) for o in measured], regions)):
        check(outcome.verdict == by_reference, f"{outcome.statement['id']}: {outcome.verdict}, by the reference {by_reference}")
    wanted += [page.verdict_row(claims, note, outcome) for outcome in of_note]
    for sweep in note["sweeps"]:
        description, seeds = planned(sweep)
        found = re.search(rf"^- \[{sweep}\]\(\S+\): (.*)\. \d+ points?, (\d+) seeds", shipped, flags=re.M)
        check(found and found.groups() == (description, str(seeds)), f"docs/findings.md: {sweep} is not '{description}' with {seeds} seeds")

text = shipped.replace("\n\n", "\n").splitlines()
check(shipped.startswith(page.INTRO), "docs/findings.md: its introduction is not that of scripts/notes/page.py")
check(f"\nOf {len(every)} statements {page.summary(every)}.\n" in shipped, f"docs/findings.md does not say: of {len(every)} statements {page.summary(every)}")
on_page = [line for line in text if re.match(r"\| \[[A-Z]\d[a-z]\]\(#", line)]
for line in on_page:
    check(line in wanted, f"docs/findings.md has the verdict, and claims.json and values.csv do not: {line}")
for line in wanted:
    check(line in on_page, f"docs/findings.md does not have the verdict: {line}")
check(len(on_page) == len(wanted), f"docs/findings.md has {len(on_page)} verdicts, claims.json {len(wanted)}")
sections = [part.splitlines() for part in re.split(r"^(?=## )", shipped, flags=re.M) if re.match(r"## [A-Z]\d\. ", part)]
check(len(sections) == len(claims["notes"]), f"docs/findings.md has {len(sections)} notes, claims.json {len(claims['notes'])}")
for note, lines in zip(claims["notes"], sections):
    there = [line for line in lines if line and not FROM_RESULTS.match(line)]
    from_values = [line for line in page.section(claims, note, outcomes[note["id"]], [], [], []) if line]
    if any(outcome.sample is None for outcome in outcomes[note["id"]]): # why a statement has not run is in the results
        there, from_values = ([line for line in side if not line.endswith(f"| {verdict.NOT_RUN} |")] for side in (there, from_values))
    for line in there:
        check(line in from_values, f"docs/findings.md, {note['id']}, has, and claims.json and values.csv do not: {line}")
    for line in from_values:
        check(line in there, f"docs/findings.md, {note['id']}, does not have: {line}")

pictures = os.path.join(root, "docs/findings")
sizes = {name: os.path.getsize(os.path.join(pictures, name)) for name in os.listdir(pictures) if name.endswith(".png")}
check(set(re.findall(r"\(findings/(.*?\.png)\)", shipped)) == set(sizes), "the pictures on docs/findings.md are not those in docs/findings")
check(max(sizes.values()) <= 40_000 and sum(sizes.values()) <= 1_500_000, f"pictures too large: {sizes}")

for failure in failures:
    print(failure, file=sys.stderr)
print(f"{len(on_page)} verdicts on the page, {len(failures)} failures")
sys.exit(bool(failures))

"""scripts/notes/verdict.py beside SciPy and the reference, on planted data; and docs/findings.md beside the numbers that it
keeps in values.csv.  verdict_check.py ROOT BIN.  Ends with 77, which ctest counts as skipped, without SciPy."""
import csv
import json
import math
import os
import re
import sys

try:
    import numpy as np
    from scipy import stats
except ImportError:
    print("no SciPy: skipped")
    sys.exit(77)

root = sys.argv[1]
sys.path.insert(0, os.path.join(root, "scripts"))
from notes import verdict  # noqa: E402

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

# The page that is shipped: each verdict once more, from the numbers beside it.
with open(os.path.join(root, "sweeps/notes/claims.json")) as file:
    claims = json.load(file)
with open(os.path.join(root, "docs/findings.md")) as file:
    page = file.read()
numbers = {}
with open(os.path.join(root, "docs/findings/values.csv")) as file:
    for row in csv.DictReader(file):
        numbers.setdefault(row["statement"], []).append(float(row["value"]))
said = dict(re.findall(r"^\| ([A-Z]\d[a-z]) \|.*\| \*{0,2}([a-z ]+?)\*{0,2} \|$", page, flags=re.M))
for note in claims["notes"]:
    check(f"\n## {note['id']}. {note['title']}\n" in page, f"docs/findings.md has no section {note['id']}")
    there = [s for s in note["statements"] if s["id"] in numbers]
    regions = []
    for statement in there:
        ends = [statement["holds"].get("above", -math.inf), statement["holds"].get("below", math.inf)]
        if claims["measures"].get(statement.get("measure"), {}).get("scale") == "factor":
            ends = [-math.inf if x <= 0 else math.log10(x) if math.isfinite(x) else x for x in ends]
        regions.append(tuple(ends))
    for statement, wanted in zip(there, verdicts([numbers[s["id"]] for s in there], regions)):
        check(said.get(statement["id"]) == wanted, f"docs/findings.md: {statement['id']} {said.get(statement['id'])}, by its numbers {wanted}")
    for statement in note["statements"]:
        if statement["id"] not in numbers:
            check(said.get(statement["id"]) == "not run", f"docs/findings.md: {statement['id']} has no numbers, yet {said.get(statement['id'])}")

pictures = os.path.join(root, "docs/findings")
sizes = {name: os.path.getsize(os.path.join(pictures, name)) for name in os.listdir(pictures) if name.endswith(".png")}
check(set(re.findall(r"\(findings/(.*?\.png)\)", page)) == set(sizes), "the pictures on docs/findings.md are not those in docs/findings")
check(max(sizes.values()) <= 40_000 and sum(sizes.values()) <= 1_500_000, f"pictures too large: {sizes}")

for failure in failures:
    print(failure, file=sys.stderr)
print(f"{len(said)} verdicts on the page, {len(failures)} failures")
sys.exit(bool(failures))

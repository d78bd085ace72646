"""Importances beside NumPy's least squares on the whole matrix of indicators: /usr/bin/python3 numpy_check.py BUILD

Grids with one to four axes, whole and with points and trials missing, down to where parameters cannot be told from each other.  The sums of
squares are differences of residuals, numpy.linalg.lstsq; the degrees of freedom differences of ranks, matrix_rank.  Ends with 77, which ctest
counts as skipped, without NumPy."""
import itertools
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    print("no NumPy: skipped")
    sys.exit(77)

rng = np.random.Generator(np.random.Philox(8))


def indicators(columns, counts):
    """A column for each combination of values of these axes."""
    code = np.zeros(len(columns), dtype=int)
    for axis, count in zip(columns.T, counts):
        code = code * count + axis
    return (code[:, None] == np.arange(np.prod(counts))[None, :]).astype(float)


def fit(parts, y):
    x = np.hstack([np.ones((len(y), 1))] + parts)
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return residual @ residual, np.linalg.matrix_rank(x)


def expected(levels, counts, point, y):
    axes = range(len(counts))
    mains = {(a, -1): indicators(levels[:, [a]], [counts[a]]) for a in axes}
    pairs = {(a, b): indicators(levels[:, [a, b]], [counts[a], counts[b]]) for a, b in itertools.combinations(axes, 2)}
    total = ((y - y.mean()) ** 2).sum()
    noise, points = fit([indicators(point[:, None], [point.max() + 1])], y)
    df_noise = len(y) - len(np.unique(point))
    rows = []
    for among, base in ((mains, []), (pairs, list(mains.values()))):
        whole, rank = fit(base + list(among.values()), y)
        for term in among:
            less, rank_less = fit(base + [x for t, x in among.items() if t != term], y)
            rows.append((*term, less - whole, rank - rank_less))
    whole, rank = fit(list(mains.values()) + list(pairs.values()), y)
    rest_df = len(np.unique(point)) - rank
    rows.append((-1, -1, whole - noise if rest_df > 0 else 0, rest_df))
    mse = noise / df_noise if df_noise else 0
    out = [total, noise, df_noise, mse * (len(y) - 1) / total if df_noise else float("nan")]
    for first, second, ss, df in rows:
        out += [first, second, ss, df, (ss - df * mse) / total]
    return np.array(out)


questions, wants, names = [], [], []


def ask(name, counts, seeds, missing_points, missing_trials, scale=1.0, shift=0.0):
    every = list(itertools.product(*[range(c) for c in counts]))
    keep = [p for p in every if rng.random() >= missing_points]
    effect = [rng.normal(0, 1, c) for c in counts]
    cross = {(a, b): rng.normal(0, 0.5, (counts[a], counts[b])) for a, b in itertools.combinations(range(len(counts)), 2)}
    rows = []
    for i, p in enumerate(keep):
        mean = sum(e[v] for e, v in zip(effect, p)) + sum(x[p[a], p[b]] for (a, b), x in cross.items()) + rng.normal(0, 0.2)
        for _ in range(seeds):
            if rng.random() >= missing_trials:
                rows.append((p, i, shift + scale * (mean + rng.normal(0, 0.3))))
    if len(rows) < 3:
        return
    levels, point = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    y = np.array([r[2] for r in rows])
    point = np.unique(point, return_inverse=True)[1]
    numbers = [len(counts), *counts, len(rows)]
    for l, p, v in zip(levels, point, y):
        numbers += [*l.tolist(), int(p), float(v)]
    questions.append("anova " + " ".join(map(repr, numbers)))
    wants.append(expected(levels, counts, point, y))
    names.append(f"{name} {counts} x {seeds}, {len(keep)} of {len(every)} points, {len(rows)} trials")


for counts in ([3], [2, 2], [5, 3], [2, 3, 4], [3, 3, 2, 2]):
    for seeds in (1, 2, 5):
        ask("whole", counts, seeds, 0, 0)
        ask("failed trials", counts, seeds, 0, 0.15)
        for missing in (0.1, 0.3, 0.6, 0.8):
            ask("missing points", counts, seeds, missing, 0.1)
ask("large", [5, 5, 3], 3, 0.05, 0.02)
ask("fine", [4, 3], 4, 0.1, 0, scale=1e-5, shift=0.9)
ask("coarse", [4, 3], 4, 0.1, 0, scale=1e6, shift=-1e7)
ask("an axis of many values", [40, 3], 2, 0.1, 0.05)

answers = subprocess.run([f"{sys.argv[1]}/tests/statistics_driver"], input="\n".join(questions) + "\n", text=True,
                         capture_output=True, check=True).stdout.splitlines()
assert len(answers) == len(questions), f"{len(answers)} answers to {len(questions)} questions"
bad, worst = 0, 0.0
for name, want, answer in zip(names, wants, answers):
    got = np.array([float(x) for x in answer.split()])
    if len(got) != len(want):
        bad += 1
        print(f"{name}: {answer[:200]}")
        continue
    absolute = np.full(len(want), 1e-12)  # shares; names and degrees of freedom are whole numbers
    absolute[[0, 1]] = 1e-12 * want[0]
    absolute[6::5] = 1e-9 * want[0]  # NumPy's sums of squares are differences
    absolute[8::5] = 1e-9
    off = np.where(np.isnan(got) & np.isnan(want), 0, np.abs(got - want))
    worst = max(worst, float(np.max(off[8::5], initial=0)))
    if not (off <= absolute + 1e-9 * np.abs(np.nan_to_num(want))).all():
        bad += 1
        print(f"{name}:\n  got  {got}\n  want {want}")
print(f"{len(questions)} grids, {bad} differ; largest difference of a share {worst:.1e}")
sys.exit(bad > 0)

"""The statistics of results/ beside SciPy's, over wide grids of arguments: /usr/bin/python3 scipy_check.py BUILD

Tolerances are those that the headers promise, or SciPy's own where it is the coarser of the two.  Ends with 77, which
ctest counts as skipped, without SciPy."""
import itertools
import subprocess
import sys

try:
    import numpy as np
    from scipy import stats
except ImportError:
    print("no SciPy: skipped")
    sys.exit(77)

questions, checks = [], []


def ask(question, check):
    questions.append(question)
    checks.append(check)


def near(what, wants, relative, absolute=0.0):
    wants = np.atleast_1d(np.asarray(wants, dtype=float))

    def check(answer):
        got = np.array([float(x) for x in answer.split()])
        same = (np.isnan(got) & np.isnan(wants)) | (got == wants)
        with np.errstate(invalid="ignore"):
            off = np.abs(got - wants)
            good = same | (off <= relative * np.abs(wants) + absolute)
            part = np.where(same | (wants == 0), 0, off / np.abs(wants))
        worst[what] = max(worst.get(what, 0), float(np.nanmax(part)))
        return None if good.all() else f"got {got}, SciPy has {wants}"

    return check


worst = {}
rng = np.random.Generator(np.random.Philox(20))

# Student's t.  SciPy's cdf comes of Boost or Cephes, good to 1e-13 or so; its quantile of cdflib.
freedoms = [1, 1.5, 2, 3, 4, 5, 7.25, 9, 14, 29, 30, 99, 250, 999, 12345, 1e6]
for df in freedoms:
    for t in [0, 1e-8, 0.01, 0.3, 0.7, 1, 1.5, 1.96, 2.5, 3.3, 4.3, 6, 9.9, 12.7, 31, 63, 200, 1e4]:
        ask(f"two_sided {t!r} {df!r}", near("two_sided", 2 * stats.t.sf(t, df), 1e-11))
        for sign in (-1, 1):
            ask(f"cdf {sign * t!r} {df!r}", near("cdf", stats.t.cdf(sign * t, df), 1e-11))
    for p in [1e-9, 1e-6, 1e-4, 0.001, 0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.975, 0.995, 0.999, 0.99999]:
        ask(f"quantile {p!r} {df!r}", near("quantile", stats.t.ppf(p, df), 1e-8))

# The paired t test, its interval, and the exact test by SciPy's own enumeration.
for n in [2, 3, 4, 5, 6, 8, 10, 12]:
    for scale, shift in itertools.product([1e-3, 1, 1e4], [0, 0.3, 2]):
        a = rng.normal(0.8, 1, n) * scale
        b = a + (rng.normal(0, 1, n) + shift) * scale * 0.1
        t = stats.ttest_rel(a, b)
        d = a - b
        half = (d.mean() - stats.t.interval(0.95, n - 1, d.mean(), stats.sem(d))[0])
        exact = stats.permutation_test((a, b), lambda x, y, axis: np.mean(x - y, axis=axis), vectorized=True,
                                       permutation_type="samples", n_resamples=np.inf).pvalue
        numbers = " ".join(repr(float(x)) for x in np.concatenate([a, b]))
        ask(f"paired {n} {numbers}", near("paired", [d.mean(), half, t.statistic, t.pvalue, exact], 1e-8))
        greater = stats.permutation_test((a, b), lambda x, y, axis: np.mean(x - y, axis=axis), vectorized=True,
                                         permutation_type="samples", n_resamples=np.inf, alternative="greater").pvalue
        ask(f"flip 1 {n} " + " ".join(repr(float(x)) for x in d), near("flip, one-sided", greater, 1e-12))
# Ties: Wilcoxon's exact distribution is this test over ranks.
for n in [5, 9, 13, 18, 22]:
    ranks = np.arange(1, n + 1) * np.where(rng.random(n) < 0.3, -1, 1)
    want = stats.wilcoxon(ranks, mode="exact").pvalue
    ask(f"flip 0 {n} " + " ".join(map(str, ranks)), near("flip, Wilcoxon", want, 1e-12))

# Power by the noncentral t.
for n, effect, alpha in itertools.product([2, 3, 4, 5, 8, 10, 20, 50, 200, 2000], [0, 0.01, 0.1, 0.3, 0.5, 1, 2, 4, 8],
                                          [0.1, 0.05, 0.01, 0.005, 0.001]):
    delta, c = effect * np.sqrt(n), stats.t.ppf(1 - alpha / 2, n - 1)
    if delta > 37:  # beyond what its noncentral t can do
        continue
    want = stats.nct.sf(c, n - 1, delta) + stats.nct.cdf(-c, n - 1, delta)
    if np.isfinite(want):
        ask(f"power {effect!r} {n} {alpha!r}", near("power", want, 1e-7, 1e-9))


def pairs_needed(effect, alpha, power):
    n = 2
    while True:
        delta, c = effect * np.sqrt(n), stats.t.ppf(1 - alpha / 2, n - 1)
        if stats.nct.sf(c, n - 1, delta) + stats.nct.cdf(-c, n - 1, delta) >= power:
            return n
        n += 1


for effect, alpha, power in itertools.product([0.1, 0.15, 0.25, 0.4, 0.7, 1, 1.5, 2.5, 4], [0.05, 0.01, 0.005],
                                              [0.8, 0.9]):
    ask(f"pairs {effect!r} {alpha!r} {power!r}", near("pairs", pairs_needed(effect, alpha, power), 0))


# Holm, by its definition: reject in ascending order while p(j) <= level / (m - j + 1).
def holm(p, m):
    order, out, so_far = np.argsort(p, kind="stable"), np.empty(len(p)), 0.0
    for j, i in enumerate(order):
        so_far = max(so_far, (m - j) * p[i])
        out[i] = min(1, so_far)
    return out


for n in [1, 2, 3, 7, 20]:
    for more in [0, 5]:
        p = rng.random(n) ** 3
        ask(f"holm {n + more} {n} " + " ".join(repr(float(x)) for x in p), near("holm", holm(p, n + more), 1e-14))

answers = subprocess.run([f"{sys.argv[1]}/tests/statistics_driver"], input="\n".join(questions) + "\n", text=True,
                         capture_output=True, check=True).stdout.splitlines()
assert len(answers) == len(questions), f"{len(answers)} answers to {len(questions)} questions"
bad = 0
for question, check, answer in zip(questions, checks, answers):
    wrong = check(answer)
    if wrong is not None:
        bad += 1
        print(f"{question[:120]}: {wrong}")
for what, error in worst.items():
    print(f"{what}: largest relative difference {error:.1e}")
print(f"{len(questions)} questions, {bad} differ")
sys.exit(bad > 0)

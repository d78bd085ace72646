"""The rule by which a statement holds, does not hold, or is undecided.

A statement claims that a mean lies in a region: above a bound, below one, or between two.  It holds when the confidence
interval of the mean is wholly inside, it does not when it is wholly outside, and otherwise it is undecided.  How wide an
interval, Holm's correction over the statements of a note decides (Holm 1979), so that the chance that any of them is decided
without cause is 5% at most: each statement has p, twice the probability beyond the nearest bound by Student's t,
which is the level at which its interval just touches that bound."""

from scipy import stats

HOLDS, FAILS, UNDECIDED, NOT_RUN = "holds", "does not hold here", "undecided", "not run"
LEVEL = 0.05


def no_spread(mean, std):
    """Whether all seeds say the same, but for rounding."""
    return std <= 1e-12 * max(1.0, abs(mean))


def interval(mean, std, n, level=LEVEL):
    """The confidence interval of the mean by Student's t; (mean, mean) without spread; None for fewer than two."""
    if n < 2:
        return None
    half = stats.t.ppf(1 - level / 2, n - 1) * std / n**0.5
    return mean - half, mean + half


def p_value(mean, std, n, low, high):
    """The level at which the mean's interval touches the nearest of the bounds `low` and `high` (None: there is none).
    Without spread it is 2 / 2^n, as in `besom compare`; 1 on a bound, and for fewer than two."""
    distance = min(abs(mean - bound) for bound in (low, high) if bound is not None)
    if n < 2 or distance == 0:
        return 1.0
    if no_spread(mean, std):
        return 2 / 2**n
    return float(2 * stats.t.sf(distance / (std / n**0.5), n - 1))


def holm(ps):
    """Holm's corrected p-values, in the order given."""
    corrected = [0.0] * len(ps)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = largest
    return corrected


def decide(mean, p_corrected, low, high):
    if p_corrected >= LEVEL:
        return UNDECIDED
    inside = (low is None or mean > low) and (high is None or mean < high)
    return HOLDS if inside else FAILS

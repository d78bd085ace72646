"""The verdict rule once more, from its words: Holm's procedure with intervals, one statement rejected after the other."""
import math

import numpy as np
from scipy import stats


def side(interval, region):
    """Where an interval lies: inside of the region, outside, or neither."""
    low, high = interval
    above, below = region
    if low > above and high < below:
        return "holds"
    if high < above or low > below:
        return "does not hold here"
    return None


def verdicts(samples, regions, level=0.05):
    """Of each sample of numbers the verdict; a region is (above, below), infinite where there is no bound."""
    found = ["undecided"] * len(samples)
    open_ones = set(range(len(samples)))
    while open_ones:
        clear = []
        for i in open_ones:
            numbers = np.asarray(samples[i], dtype=float)
            share = level / len(open_ones)
            if np.ptp(numbers) <= 1e-12 * max(1, abs(numbers.mean())): # no spread: decided when 2 / 2^n is small enough
                ends = (numbers.mean(), numbers.mean()) if 2 / 2 ** len(numbers) < share else (-math.inf, math.inf)
            else:
                ends = stats.t.interval(1 - share, len(numbers) - 1, numbers.mean(), stats.sem(numbers))
            if side(ends, regions[i]):
                clear.append((i, side(ends, regions[i])))
        if not clear:
            break
        found[clear[0][0]] = clear[0][1]
        open_ones.remove(clear[0][0])
    return found

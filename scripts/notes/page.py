"""Writes the page: for each note what was run, the numbers with intervals, the picture and the verdict."""

import collections
import glob
import json
import math
import os

from notes import pictures
from notes.measure import Missing, Results, at_path
from notes.run import costs
from notes.verdict import FAILS, HOLDS, NOT_RUN, UNDECIDED, decide, holm, interval, p_value

COUNTED = [
    (HOLDS, "hold", "holds"),
    (FAILS, "do not hold here", "does not hold here"),
    (UNDECIDED, "are undecided", "is undecided"),
    (NOT_RUN, "have not run", "has not run"),
]


class Outcome:
    """A statement with its sample and verdict; `reason` where there is none."""

    def __init__(self, statement):
        self.statement = statement
        self.verdict = NOT_RUN
        self.sample = None
        self.reason = None
        self.p = 1.0
        self.p_holm = None
        self.chosen = []
        self.seeds = []  # all that were to be run


def scale_of(claims, statement):
    if "measure" in statement:
        return claims["measures"][statement["measure"]]["scale"]
    return "share" if "accuracy" in statement["metric"] else "plain"


def bounds(statement, scale):
    """The claimed region as it is compared: on the scale "factor" of logarithms."""
    ends = [statement["holds"].get(side) for side in ("above", "below")]
    return [math.log10(end) if scale == "factor" and end is not None else end for end in ends]


def edge(results, statement, point, candidates):
    """Whether the chosen rate is the first or last of those that there were."""
    for path in ("optimizer.lr", "l2"):
        numbers = sorted({x for x in (at_path(c.config, path) for c in candidates) if isinstance(x, (int, float))})
        if len(numbers) > 1 and at_path(point.config, path) in (numbers[0], numbers[-1]):
            return True
    return False


def examine(results, claims, note):
    """The outcomes of a note's statements."""
    outcomes = [Outcome(statement) for statement in note["statements"]]
    for outcome in outcomes:
        statement = outcome.statement
        try:
            sides = []
            for name in ("a", "b"):
                if name in statement:
                    point, candidates = results.select(statement["sweep"], statement[name])
                    sides.append(point)
                    if candidates:
                        outcome.chosen.append((point.label, edge(results, statement, point, candidates), statement["sweep"]))
            a, b = sides[0], sides[1] if len(sides) > 1 else None
            outcome.sample = results.sample_of(
                statement["sweep"], a, b, statement.get("metric"), statement.get("at"), statement.get("measure")
            )
            outcome.seeds = sorted({seed for point in sides for seed in point.replicates})
        except Missing as error:
            outcome.reason = str(error)
    judge(claims, outcomes)
    return outcomes


def judge(claims, outcomes):
    """Gives those that could be measured their verdicts, with Holm's correction over them."""
    measured = [outcome for outcome in outcomes if outcome.sample]
    for outcome in measured:
        low, high = bounds(outcome.statement, scale_of(claims, outcome.statement))
        outcome.p = p_value(outcome.sample.mean, outcome.sample.std, outcome.sample.n, low, high)
    for outcome, p in zip(measured, holm([outcome.p for outcome in measured])):
        low, high = bounds(outcome.statement, scale_of(claims, outcome.statement))
        outcome.p_holm = p
        outcome.verdict = decide(outcome.sample.mean, p, low, high)


def digits(value, figures=3):
    """Three figures, without an exponent where that is short."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = figures - 1 - math.floor(math.log10(abs(value)))
    if -3 <= places <= 6:
        return f"{value:.{max(0, places)}f}"
    return f"{value:.{figures - 1}e}"


def shown(value, scale, sign=False):
    """A value by its scale: "share", in per cent, "points", a difference of two shares, "factor", or "plain"."""
    if scale in ("share", "points"):
        return f"{100 * value:+.2f}" if sign else f"{100 * value:.2f}"
    if scale == "factor":
        return digits(value)
    return ("+" if sign and value > 0 else "") + digits(value)


def effect(outcome, scale):
    """The mean with its 95% interval, and its unit."""
    sample = outcome.sample
    pair = "b" in outcome.statement
    numbers = [sample.mean, *(interval(sample.mean, sample.std, sample.n) or ())]
    if scale == "factor":
        numbers = [10**x for x in numbers]
    texts = [shown(x, scale, pair or scale == "points") for x in numbers]
    unit = {"share": " points" if pair else "%", "points": " points", "factor": " times" if pair else "", "plain": ""}[scale]
    return texts[0] + unit + (f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 else "")


def region(statement, scale):
    """The claim in numbers."""
    above, below = statement["holds"].get("above"), statement["holds"].get("below")
    pair = "b" in statement
    unit = {"share": " points" if pair else "%", "points": " points", "factor": "", "plain": ""}[scale]

    def text(x):
        return (f"{100 * x:g}" if scale in ("share", "points") else f"{x:g}") + unit

    if above is not None and below is not None:
        return f"{text(above)} to {text(below)}"
    return f"above {text(above)}" if above is not None else f"below {text(below)}"


def probability(p):
    return "below 0.0001" if p < 0.0001 else f"{p:.2g}"


def summary(outcomes):
    """'3 hold, 1 is undecided', or the one verdict."""
    parts = []
    for verdict, many, one in COUNTED:
        count = sum(outcome.verdict == verdict for outcome in outcomes)
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return ", ".join(parts)


def measured_text(claims, statement):
    if "measure" in statement:
        return claims["measures"][statement["measure"]]["is"]
    name = pictures.TITLES.get(statement["metric"], statement["metric"])
    if statement["metric"] == "val_accuracy":
        name = "accuracy on the test images (this sweep chooses nothing by them)"
    at = {"last": "at the last epoch", "auc": "mean height of its curve over all epochs", "best": "of the best epoch"}
    return f"{name}, {at.get(statement['at'], 'at epoch ' + str(statement['at']))}"


def description_of(folder, sweep):
    with open(os.path.join(folder, sweep + ".json")) as file:
        text = "".join(line for line in file if not line.lstrip().startswith("//"))
    return json.loads(text).get("description", "a sweep without a description")


def ran(results, folder, sweep):
    """What was run of a sweep, in a sentence."""
    try:
        points = results.points(sweep)
    except Missing:
        return f"[{sweep}](../sweeps/notes/{sweep}.json) has not run."
    seeds = max(len(point.replicates) for point in points)
    trials = sum(len(point.replicates) for point in points)
    complete = sum(len(point.trials) for point in points)
    failed = sum((point.failed for point in points), collections.Counter())
    text = f"[{sweep}](../sweeps/notes/{sweep}.json): {description_of(folder, sweep)}. {len(points)} point{'s' * (len(points) > 1)}, {seeds} seeds"
    if complete < trials:
        others = [f"{count} {reason if reason == 'diverged' else f'failed ({reason})'}" for reason, count in sorted(failed.items())]
        left = trials - complete - failed.total()
        others += [f"{left} {'has' if left == 1 else 'have'} not run to the end"] * (left > 0)
        text += f"; {complete} of {trials} trials are complete, {', '.join(others)}"
    return text + "."


def machine(out):
    """What the sweeps ran on, as their first run has noted it, and what a trial says of the libraries that it computed with."""
    rows = []
    path = os.path.join(out, "machine.json")
    if os.path.exists(path):
        with open(path) as file:
            rows += json.load(file).items()
    for path in sorted(glob.glob(os.path.join(out, "trials", "*", "origin.json")))[:1]:
        with open(path) as file:
            numerics = json.load(file).get("numerics", {})
        rows.append(("computed with", ", ".join(f"{key} {value}" for key, value in numerics.items())))
    return rows


def verdict_lines(claims, outcomes):
    """The verdict in a sentence, and plainly what speaks against the note."""
    if len(outcomes) == 1:
        lines = [f"**{outcomes[0].verdict.capitalize()}.**"]
    else:
        lines = [f"**Of {len(outcomes)} statements {summary(outcomes)}.**"]
    against = [o for o in outcomes if o.verdict == FAILS]
    if against:
        lines += ["", "Against the note:", ""]
        lines += [f"- {o.statement['id']}, \"{o.statement['says']}\" Found: {effect(o, scale_of(claims, o.statement))}." for o in against]
    return lines


def section(claims, note, outcomes, what_ran, names, missing):
    lines = [f"## {note['id']}. {note['title']}", "", f"The note: {note['claim']}", "", *verdict_lines(claims, outcomes), "", "Run:", ""]
    lines += [f"- {text}" for text in what_ran]
    lines += ["", "| | statement | claimed | found, 95% interval; the two sides | seeds | p, Holm | verdict |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for outcome in outcomes:
        statement = outcome.statement
        scale = scale_of(claims, statement)
        if outcome.sample is None:
            lines.append(f"| {statement['id']} | {statement['says']} | {region(statement, scale)} | {outcome.reason} | | | {NOT_RUN} |")
            continue
        sample = outcome.sample
        found = effect(outcome, scale)
        if sample.mean_a is not None:
            unit = "%" if scale == "share" else ""
            found += f"; {shown(sample.mean_a, scale)}{unit} and {shown(sample.mean_b, scale)}{unit}"
        seeds = f"{sample.n}" + (f" of {len(outcome.seeds)}" if len(outcome.seeds) > sample.n else "")
        lines.append(
            f"| {statement['id']} | {statement['says']} | {region(statement, scale)} | {found} | {seeds} | {probability(outcome.p_holm)} | **{outcome.verdict}** |"
        )
    lines += ["", "Measured:", ""]
    grouped = {}
    for outcome in outcomes:
        grouped.setdefault(measured_text(claims, outcome.statement), []).append(outcome.statement["id"])
    lines += [f"- {', '.join(ids)}: {text}." for text, ids in grouped.items()]
    chosen = []
    for outcome in outcomes:
        for label, at_edge, sweep in outcome.chosen:
            text = f"{label}{' (the end of its grid)' if at_edge else ''} in {sweep}"
            if text not in chosen:
                chosen.append(text)
    if chosen:
        lines += ["", f"Chosen: {'; '.join(chosen)}."]
    reasons = [f"{s['id']}: {s['why']}" for s in note["statements"] if "why" in s]
    if reasons:
        lines += ["", f"Why these bounds: {'; '.join(reasons)}."]
    lines.append("")
    for name in names:
        lines += [f"![{note['id']}, {note['title']}](findings/{name})", ""]
    for text in sorted(set(missing)):
        lines += [f"Not drawn: {text}.", ""]
    lines += [f"What this cannot say: {note['limits']}", ""]
    return lines


INTRO = """# Findings: the tuning notes, tested

besom began with one engineer's notes on how to tune a network. Each note that claims something has a sweep here that tries it, on
Fashion-MNIST, or on made data where the claim is about sparse data. This page is what came out, also where it contradicts the
notes. `scripts/findings` runs what is not done of the sweeps and writes it. Written by hand are only the claims, in
[claims.json](../sweeps/notes/claims.json). Their bounds were set before the sweeps ran, but for what is told below; grids and sizes were set by a few trainings with another
seed, whose results count for nothing here.

**How a verdict is made.** A note is taken apart into statements. Each has a number that a seed yields, mostly a difference between two
choices with the same seed, and a region in which its mean must lie. By Student's t over the seeds, a statement *holds* when the
interval of the mean lies wholly in the region, *does not hold here* when it lies wholly outside, and is *undecided* otherwise. "About the
same" is a region too: between two bounds. For the verdict the intervals are widened by Holm's correction for the number of a note's statements. Those in
the tables are plain 95% intervals, so one of them may exclude the bound and the verdict still be undecided. Where all seeds
agree to the last digit, 2 / 2^n stands in for p, as in [compare.md](compare.md).

**What is fair.** Where choices want different rates, each has a grid of them, and its rate is the one with the best accuracy at the
last epoch on validation images, mean of all seeds; what is then compared is of test images. A point with a diverged seed is not chosen
while there is a whole one. A rate at the end of its grid is marked: a better one may lie beyond.

**What was changed after a look.** Where seeds are added to what was undecided, the chance that a verdict has no cause is more than 5%. Seeds were added so, and
more was changed after results had been seen:

- Three sweeps, as they did not measure what they should: in a1-time other work on the machine was measured, in a3-saturation trainings diverged, in o7-deep
  one side was trained longer than the other.
- a1-time was given 20 seeds in place of 10, and the statement of maxout's parameters another network.
- The longer sweeps, of O2 to O4, O6, images of O7, A3 to A6, A8 and T1 to T5, ran with 5 seeds before they ran with 8, and what 5 said had been seen.
- The sweeps of O2 to O4 and images of O7 have 14 seeds, as with 8 most of their statements were undecided.
- Where a rate at the end of its grid had been chosen the grid was made longer: in o6-decay, for a constant rate, by 0.03; in t3-more-layers, for one
  and two layers, by 0.003; in i2-judge by 0.001 and 0.3; in a3-dead-units, for AdaGrad, by 0.001.
- O2e, O3e, O7m, O7n and I1e were added, as the notes say what they test and nothing here did. Their regions follow from the words of the notes, but
  by then the pictures of these sweeps had been seen. Each makes Holm's correction for its note harder.
- O4a had an upper bound, 2, for which there was no reason; its interval went from 1.19 to 2.27, so that it was undecided. Now it asks only for more than a half.
- a1-time runs one training at a time; before, it ran two.
- Then the whole set was run anew, on another processor, where the same seed makes other numbers.

**How to read it.** Differences of accuracies are in points, hundredths of all test images. A factor is a geometric mean, with the interval of its
logarithm. In the pictures a line is the mean over the seeds and the band goes from the lowest to the highest; a bar with caps is a mean with its 95%
interval, the dots beside it are the seeds. The pictures of layers are of the first seed. All intervals are over seeds: other images, networks and lengths
may say otherwise, and every section ends with what it cannot say. The numbers behind each verdict, by seed, are in [values.csv](findings/values.csv), with those of the two
sides; those of a factor are decimal logarithms.
"""


def cost_section(results, claims, out):
    lines = ["## What it took", ""]
    total = costs(out)
    clock = {name: clock for name, clock in results.clock().items() if name in total}
    if not clock:
        return lines + ["The results folder does not say.", ""]
    seconds = sum(entry["processor_seconds"] for entry in total.values())
    minutes = sum(wall for wall, _ in clock.values()) / 60
    jobs = max(jobs for _, jobs in clock.values())
    fewer = [f", those of {name} {n}" for name, (_, n) in clock.items() if n < jobs]
    lines += [
        f"{seconds:,.0f} processor seconds, which is {seconds / 120:.0f} minutes of two cores that have nothing else to do. By the clock trainings ran for "
        f"{minutes:.0f} minutes, {jobs} at a time{''.join(fewer)}; other work on the machine makes that longer. "
        "A trial that two sweeps have in common is trained once, by the first of them, and costs the other nothing.",
        "",
        "| sweep | processor seconds | seconds by the clock |",
        "| --- | ---: | ---: |",
    ]
    for name in claims["sweeps"]:
        if name in total:
            lines.append(f"| {name} | {total[name]['processor_seconds']:,.0f} | {clock[name][0] if name in clock else 0:,.0f} |")
    return lines + [""]


def verdict_row(claims, note, outcome):
    """A line of the table of all verdicts."""
    scale = scale_of(claims, outcome.statement)
    found = effect(outcome, scale) if outcome.sample else ""
    anchor = f"{note['id']}. {note['title']}".lower().translate(str.maketrans(" ", "-", ".,()"))
    return f"| [{outcome.statement['id']}](#{anchor}) | {outcome.statement['says']} | {found} | {outcome.verdict} |"


def values_rows(outcome):
    """What values.csv has of a statement: a line for each seed, empty where the seed has no value."""
    sample = outcome.sample
    for seed in outcome.seeds if sample else []:
        numbers = [side.get(seed) if side else None for side in (sample.values, sample.a, sample.b)]
        yield ",".join([outcome.statement["id"], str(seed), *("" if x is None else f"{x:.17g}" for x in numbers)])


def write(claims, sweeps, out, besom, page, only=None):
    """Writes the page, of the sweeps in the folder `sweeps`, and into the folder findings beside it the pictures and values.csv."""
    results = Results(out, besom, claims)
    folder = os.path.join(os.path.dirname(page), "findings")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith(".png"):
            os.remove(os.path.join(folder, name))
    notes = [note for note in claims["notes"] if not only or note["id"] in only]
    by_note = {}
    sections = []
    for note in notes:
        outcomes = by_note[note["id"]] = examine(results, claims, note)
        names, missing = pictures.draw(results, note, folder)
        sections += section(claims, note, outcomes, [ran(results, sweeps, sweep) for sweep in note["sweeps"]], names, missing)
        print(f"{note['id']}: {summary(outcomes)}", flush=True)

    every = [outcome for outcomes in by_note.values() for outcome in outcomes]
    lines = [INTRO, "## Verdicts", "", f"Of {len(every)} statements {summary(every)}.", ""]
    lines += ["| note | statement | found, 95% interval | verdict |", "| --- | --- | --- | --- |"]
    for note in notes:
        lines += [verdict_row(claims, note, outcome) for outcome in by_note[note["id"]]]
    lines += ["", "## Where", ""] + [f"- {key}: {value}" for key, value in machine(out)] + [""]
    lines += cost_section(results, claims, out) + sections
    with open(page, "w") as file:
        file.write("\n".join(lines).rstrip() + "\n")
    with open(os.path.join(folder, "values.csv"), "w") as file:
        file.write("statement,seed,value,a,b\n")
        file.writelines(f"{row}\n" for outcome in every for row in values_rows(outcome))

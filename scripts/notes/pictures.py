"""Draws the pictures that claims.json asks for, from the results alone.  The same results make the same bytes."""

import io
import json
import math
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter  # noqa: E402
from PIL import Image  # noqa: E402

from notes.measure import Missing, at_path, matches  # noqa: E402
from notes.verdict import interval  # noqa: E402

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"]  # Okabe and Ito's, told apart by all
TITLES = {
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "test_loss": "test loss",
    "val_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
}
plt.rcParams.update(
    {
        "font.size": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e5e5e5",
        "axes.axisbelow": True,
        "legend.frameon": False,
        "figure.dpi": 130,
    }
)


def save(figure, path):
    """Writes it with a palette of 256 colours, half of the size, and without a date."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    image = Image.open(buffer).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def title_of(panel):
    return panel.get("ylabel") or TITLES.get(panel.get("metric"), panel.get("metric") or panel.get("measure"))


def logarithmic(axes):
    """A logarithmic axis upwards, with ticks at 1, 2 and 5 where powers of ten would be too few."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 100:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def draw_curves(axes, results, panel):
    """A line is the mean of the seeds, the band from the lowest to the highest of them."""
    for line, colour in zip(panel["lines"], COLOURS):
        point, _ = results.select(line["sweep"], line["point"])
        by_x = results.series([point], panel.get("metric"), panel.get("series"))
        xs = [x for x in by_x if x <= panel.get("last", x)]
        if not xs:
            raise Missing(f"{line['sweep']} has nothing to draw of {title_of(panel)}")
        axes.plot(xs, [statistics.fmean(by_x[x]) for x in xs], color=colour, lw=1.5, label=line["label"], marker="o" if len(xs) < 12 else "", ms=3)
        axes.fill_between(xs, [min(by_x[x]) for x in xs], [max(by_x[x]) for x in xs], color=colour, alpha=0.15, lw=0)
    axes.set_xlabel(panel.get("xlabel", "epoch"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.get("log"):
        logarithmic(axes)
    if len(panel["lines"]) > 1:
        axes.legend()


def values_at(results, panel, sweep, point):
    """The point's numbers by seed, with the interval of their mean (of the logarithms, for a factor)."""
    sample = results.sample_of(sweep, point, None, panel.get("metric"), panel.get("at"), panel.get("measure"))
    ends = interval(sample.mean, sample.std, sample.n)
    numbers = [sample.mean, *(ends or (sample.mean, sample.mean)), *sample.values.values()]
    if panel.get("measure") and results.claims["measures"][panel["measure"]]["scale"] == "factor":
        numbers = [10**x for x in numbers]
    return numbers[0], numbers[1], numbers[2], numbers[3:]


def draw_points(axes, results, panel):
    """A dot is a seed, the bar their mean with its 95% interval."""
    for place, (entry, colour) in enumerate(zip(panel["points"], COLOURS)):
        point, _ = results.select(entry["sweep"], entry["point"])
        mean, low, high, values = values_at(results, panel, entry["sweep"], point)
        axes.plot([place + 0.15] * len(values), values, ".", color=colour, alpha=0.4, ms=4)
        axes.errorbar([place - 0.1], [mean], [[mean - low], [high - mean]], fmt="o", color=colour, capsize=3, ms=4)
    axes.set_xticks(range(len(panel["points"])), [entry["label"] for entry in panel["points"]], rotation=panel.get("rotation", 0))
    axes.set_xlim(-0.5, len(panel["points"]) - 0.5)
    axes.grid(False, axis="x")
    if panel.get("log"):
        logarithmic(axes)


def draw_rates(axes, results, panel):
    """A number of the config across, the mean with its 95% interval up."""
    xs_seen = set()
    for line, colour in zip(panel["lines"], COLOURS):
        rows = []
        for point in results.points(line["sweep"]):
            if matches(point.config, line["point"]):
                try:
                    rows.append((at_path(point.config, panel["x"]), *values_at(results, panel, line["sweep"], point)[:3]))
                except Missing:
                    continue # all its trials diverged
        rows.sort()
        xs = [row[0] for row in rows]
        xs_seen.update(xs)
        errors = [[row[1] - row[2] for row in rows], [row[3] - row[1] for row in rows]]
        axes.errorbar(xs, [row[1] for row in rows], errors, color=colour, lw=1.5, marker="o", ms=3, capsize=2, label=line["label"])
    smallest = min((x for x in xs_seen if x > 0), default=1)
    if 0 in xs_seen:
        axes.set_xscale("symlog", linthresh=smallest)
    else:
        axes.set_xscale("log")
    axes.set_xticks(sorted(xs_seen), [f"{x:g}" for x in sorted(xs_seen)])
    axes.minorticks_off()
    axes.set_xlabel(panel.get("xlabel", "learning rate"))
    if len(panel["lines"]) > 1:
        axes.legend()


PANELS = {"curves": draw_curves, "points": draw_points, "rates": draw_rates}


def number(value):
    """Short enough to stand under a histogram."""
    return "0" if value == 0 else f"{value:.2f}" if 0.01 <= abs(value) < 100 else f"{value:.0e}".replace("e-0", "e-")


def histogram(layer, narrowest):
    """Edges and heights of the outputs' histogram, as many bins in one as make it wide enough to be seen."""
    counts = json.loads(layer["histogram"])
    low, high = layer["histogram_low"], layer["histogram_high"]
    width = (high - low) / len(counts)
    together = max(1, math.ceil(narrowest / width)) if width > 0 else len(counts)
    if together >= len(counts):
        middle = (low + high) / 2
        return [middle - narrowest / 2, middle + narrowest / 2], [1.0]
    heights = [sum(counts[i : i + together]) for i in range(0, len(counts), together)]
    return [low + i * together * width for i in range(len(heights) + 1)], heights


def draw_layers(results, panel):
    """Layers side by side, initializations one under the other: each a histogram of its outputs with mean and std."""
    rows = []
    for row in panel["rows"]:
        point, _ = results.select(row["sweep"], row["point"])
        layers = results.layers(point, panel.get("epoch", 0))
        if not layers:
            raise Missing(f"{row['sweep']} has no look into the layers")
        rows.append((row, layers))
    columns = max(len(layers) for _, layers in rows)
    figure, grid = plt.subplots(len(rows), columns, figsize=(9, 0.35 + 1.25 * len(rows)), squeeze=False)
    for line, (row, layers) in zip(grid, rows):
        low, high = row["range"]
        for axes in line:
            axes.set_axis_off()
        line[0].set_title(row["label"], loc="left", fontsize=8, fontweight="bold", pad=8)
        for axes, layer in zip(line, layers):
            edges, shares = histogram(layer, (high - low) / 50)
            axes.set_axis_on()
            axes.grid(False)
            axes.stairs(shares, edges, fill=True, color=COLOURS[0])
            axes.set_ylim(0, max(shares) * 1.05)
            axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_xticks([low, high], [f"{low:g}", f"{high:g}"], fontsize=6)
            axes.tick_params(length=2, pad=1)
            axes.set_xlabel(f"mean {number(layer['mean'])}\nstd {number(layer['std'])}", fontsize=6.5, labelpad=1)
    figure.tight_layout(h_pad=0.6, w_pad=0.2)
    return figure


def draw(results, note, folder):
    """Draws what the note asks for into the folder.  Returns the names of the files and what could not be drawn."""
    names, missing = [], []
    plain = [panel for panel in note["picture"] if panel["kind"] != "layers"]

    def keep(figure):
        names.append(f"{note['id'].lower()}-{len(names) + 1}.png")
        save(figure, f"{folder}/{names[-1]}")

    for panel in note["picture"]:
        if panel["kind"] == "layers":
            try:
                keep(draw_layers(results, panel))
            except Missing as error:
                missing.append(str(error))
    if plain:
        figure, grid = plt.subplots(1, len(plain), figsize=(9 if len(plain) > 1 else 6, 3), squeeze=False)
        drawn = 0
        for axes, panel in zip(grid[0], plain):
            try:
                PANELS[panel["kind"]](axes, results, panel)
                drawn += 1
            except Missing as error:
                missing.append(str(error))
                axes.set_axis_off()
                continue
            if results.claims["measures"].get(panel.get("measure"), {}).get("scale") == "share":
                axes.set_ylim(-0.04, 1.04)  # an interval of few seeds may leave what a share can be
            axes.set_ylabel(title_of(panel))
            axes.set_title(panel.get("title", ""), fontsize=8)
        figure.tight_layout()
        if drawn:
            keep(figure)
        else:
            plt.close(figure)
    return names, missing

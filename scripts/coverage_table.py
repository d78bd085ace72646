#!/usr/bin/python3
"""Prints what scripts/coverage counted, a row a file and a sum a group.

    coverage_table.py COVERAGE.json [--lines=yes]"""
import fnmatch
import json
import sys

LEAST = 95.0  # per cent of the lines of a group

GROUPS = (
    ("checkpoint", ("trainer/checkpoint*.c", "trainer/safetensors.c", "trainer/train_checkpoints.c")),
    ("store", ("results/store*.c",)),
    ("protocol", ("base/wire.c", "runner/slot_lines.c", "runner/layer_event.c")),
    ("life cycle", ("runner/trial.c", "runner/slot.c", "runner/worker.c", "runner/ledger*.c", "runner/loop.c",
                    "runner/run*.c", "runner/shim*.c")),
)


def percent(hit, of):
    return 100.0 * hit / of if of else 100.0


def count(file):
    lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    branches = [branch for line in lines for branch in line["branches"]]
    return (sum(line["count"] > 0 for line in lines), len(lines),
            sum(branch["count"] > 0 for branch in branches), len(branches))


def ranges(numbers):
    """1 2 3 7 -> "1-3 7" """
    text, first, last = [], None, None
    for n in [*numbers, None]:
        if first is not None and n != last + 1 if n is not None else first is not None:
            text.append(str(first) if first == last else f"{first}-{last}")
            first = None
        if first is None:
            first = n
        last = n
    return " ".join(text)


def row(name, numbers):
    hit, lines, taken, branches = numbers
    print(f"| {name} | {hit} of {lines} | {percent(hit, lines):.1f}% | {taken} of {branches} |"
          f" {percent(taken, branches):.1f}% |")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = {entry["file"]: entry for entry in json.load(file)["files"]}
    low = []
    print("| | lines | | branches | |\n| --- | --- | --- | --- | --- |")
    for name, patterns in GROUPS:
        members = sorted(f for f in files if any(fnmatch.fnmatch(f, p) for p in patterns))
        sums = [sum(column) for column in zip(*(count(files[f]) for f in members))] or [0, 0, 0, 0]
        row(f"**{name}**", sums)
        for member in members:
            row(f"`{member}`", count(files[member]))
            missing = [line["line_number"] for line in files[member]["lines"]
                       if line["count"] == 0 and not line.get("gcovr/noncode")]
            if "--lines=yes" in sys.argv and missing:
                print(f"    not run: {ranges(missing)}", file=sys.stderr)
        if not members or percent(sums[0], sums[1]) < LEAST:
            low.append(name)
    if low:
        print(f"below {LEAST:.0f}% of the lines: {', '.join(low)}", file=sys.stderr)
    sys.exit(1 if low else 0)


main()

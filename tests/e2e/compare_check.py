#!/usr/bin/env python3
"""What besom compare says of the planted sweeps against what was planted, computed here in the plainest way, and against docs/schema.md's
queries in the sqlite3 program.  compare_check.py BESOM OUT_DIR SCHEMA_MD"""
import csv
import io
import json
import math
import re
import statistics
import subprocess
import sys

import planted

BESOM, OUT, SCHEMA = sys.argv[1:4]
T = {1: 12.706204736174707, 2: 4.302652729749464, 3: 3.1824463052837084, 4: 2.7764451051977934, 5: 2.5705818356363146}
AXES = ["optimizer", "activation", "init"]


def besom(*args):
    return json.loads(subprocess.run([BESOM, "compare", "--out", OUT, "--json", *args], capture_output=True, text=True, check=True).stdout)


def near(what, got, want, tolerance=1e-11):
    same = got == want or (got is not None and want is not None and abs(got - want) <= tolerance * max(1, abs(want)))
    assert same, f"{what}: got {got!r}, want {want!r}"


def equal(what, got, want):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def value_of(curve, at):
    if at == "auc":
        return sum((a + b) / 2 for a, b in zip(curve, curve[1:])) / (len(curve) - 1)
    return {"best": max(curve), "last": curve[-1]}[at] if isinstance(at, str) else curve[at - 1]


def trials(sweep, at="best"):
    """(optimizer, activation, init), seed -> value"""
    out = {}
    for point in planted.points():
        for seed in range(1, planted.SEEDS + 1):
            if sweep == "holes" and (point == planted.EXCLUDED or (*point, seed) == planted.FAILED):
                continue
            out[point, seed] = value_of(planted.curve(*point, seed), at)
    return out


def means(values, axis, given=lambda point: True):
    groups = {}
    for (point, seed), value in values.items():
        if given(point):
            groups.setdefault(point[axis], {}).setdefault(seed, []).append(value)
    return {level: (statistics.mean(v for vs in seeds.values() for v in vs), [statistics.mean(vs) for vs in seeds.values()],
                    sum(len(vs) for vs in seeds.values())) for level, seeds in groups.items()}


def half(values):
    return T[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))


def differences(values, axis, level, best):
    """By seed, over the places that both have with every seed: in the planted sweeps the largest rectangle."""
    seeds, places = range(1, planted.SEEDS + 1), {}
    for (point, seed), value in values.items():
        place = point[:axis] + point[axis + 1:]
        places.setdefault(place, {})[point[axis], seed] = value
    whole = [p for p in places.values() if all((l, s) in p for l in (level, best) for s in seeds)]
    return [statistics.mean(p[level, s] - p[best, s] for p in whole) for s in seeds], len(whole)


def exact(d):
    observed, extreme = abs(sum(d)), 0
    for pattern in range(2 ** len(d)):
        total = sum(-x if pattern >> i & 1 else x for i, x in enumerate(d))
        extreme += abs(total) >= observed - 1e-9 * sum(map(abs, d))
    return extreme / 2 ** len(d)


def check_leaderboard(sweep, at, c):
    values = trials(sweep, at)
    board = {}
    for (point, _), value in values.items():
        board.setdefault(point, []).append(value)
    order = sorted(board, key=lambda p: -statistics.mean(board[p]))
    equal("points", [tuple(p["params"][a] for a in AXES) for p in c["points"]], order)
    for row, point in zip(c["points"], order):
        near("mean", row["mean"], statistics.mean(board[point]))
        near("std", row["std"], statistics.stdev(board[point]))
        near("interval", (row["ci_high"] - row["ci_low"]) / 2, half(board[point]))
        equal("n", row["n"], len(board[point]))
    for rank, row in enumerate(c["leaderboard"], 1):
        equal("rank", row["rank"], rank)
        near("leaderboard", row[c["metric"]], c["points"][rank - 1]["mean"], 0)


def check_effects(sweep, at, c):
    values = trials(sweep, at)
    for axis, name in enumerate(AXES):
        by_level, effect = means(values, axis), c["effects"][name]
        best = max(by_level, key=lambda level: by_level[level][0])
        while True:  # where points are missing: who is better at those that both have
            ahead = {level: statistics.mean(differences(values, axis, level, best)[0]) for level in by_level if level != best}
            if max(ahead.values()) <= 0:
                break
            best = max(ahead, key=lambda level: ahead[level])
        equal("best", effect["best"], best)
        equal("pairs", effect["pairs"], len(by_level) * (len(by_level) - 1) // 2)
        raw = []
        for row in effect["values"]:
            mean, seeds, n = by_level[row["value"]]
            near("mean", row["mean"], mean)
            near("interval", row["ci_half"], half(seeds))
            equal("n", row["n"], n)
            if row["value"] == best:
                equal("verdict", row["verdict"], "best")
                continue
            d, places = differences(values, axis, row["value"], best)
            got = row["difference"]
            near("difference", got["mean"], statistics.mean(d))
            near("its interval", (got["ci_high"] - got["ci_low"]) / 2, half(d))
            near("t", got["t"], statistics.mean(d) / statistics.stdev(d) * math.sqrt(len(d)), 1e-8)
            near("exact p", got["p_exact"], exact(d), 0)
            equal("seeds and places", (got["seeds"], got["places"]), (len(d), places))
            raw.append((got["p"], got["p_holm"]))
            decided = got["p_holm"] < 0.05
            equal("verdict", row["verdict"], "worse" if decided else "undecided")
            assert (got["more_seeds"] == 0) == decided, got
        so_far = 0
        for i, (p, holm) in enumerate(sorted(raw)):
            so_far = max(so_far, (effect["pairs"] - i) * p)
            near("Holm", holm, min(1, so_far), 1e-12)


def check_planted_answer(c):
    """Who planted it knows: momentum is adam's equal but for 0.0005, the others are worse; the axes by their parts."""
    verdicts = {row["value"]: row["verdict"] for row in c["effects"]["optimizer"]["values"]}
    equal("verdicts", {verdicts[o] for o in ("adagrad", "sgd")}, {"worse"})
    equal("the first two", {verdicts["adam"], verdicts["momentum"]}, {"best", "undecided"})
    equal("init", c["effects"]["init"]["best"], "he_normal")
    shares = {tuple(t["axes"]): t["share"] for t in c["importance"]["terms"]}
    order = sorted(shares, key=lambda t: -shares[t])[:3]
    equal("importance", order, [("optimizer",), ("activation",), ("optimizer", "activation")])
    assert shares["activation", "init"] < 0.01 and shares["optimizer", "init"] < 0.01, shares
    first = [p["params"] for p in c["points"] if p["group"] == 1]
    assert all(p["optimizer"] != "sgd" for p in first) and len(first) >= 2, first


def check_given():
    rows = besom("holes", "--by", "optimizer", "--given", "activation")
    values = trials("holes")
    for activation, best in (("relu", "adam"), ("tanh", "adagrad")):
        cells = means(values, 0, lambda point: point[1] == activation)
        mine = [r for r in rows if r["activation"] == activation]
        equal("best given " + activation, mine[0]["optimizer"], best)
        for row in mine:
            near("cell", row["val_accuracy"], cells[row["optimizer"]][0])
            equal("n", row["n"], cells[row["optimizer"]][2])


def check_two():
    d, places = differences(trials("holes"), 0, "adam", "sgd")
    row, = besom("holes", "--a", "optimizer=adam", "--b", "optimizer=sgd")
    near("a - b", row["difference"], statistics.mean(d))
    equal("places", (row["seeds"], row["places"], row["verdict"]), (len(d), places, "better"))
    ranks, = besom("quickstart", "--a", "2", "--b", "1")
    board = besom("quickstart")["points"]
    near("ranks", ranks["difference"], board[1]["mean"] - board[0]["mean"])
    equal("seeds", (ranks["seeds"], ranks["places"]), (planted.SEEDS, 1))
    full, = besom("holes", "--a", "optimizer=adam lr=0.001,init=he_normal", "--b", "optimizer=sgd,init=xavier_normal")
    equal("places", full["places"], 1)  # relu: with tanh, sgd and xavier_normal were excluded


def check_reach(unit):
    target, values, complete = 0.75, {}, {}
    for (point, seed) in trials("quickstart"):
        reached = [e for e, v in enumerate(planted.curve(*point, seed), 1) if v >= target]
        complete[point] = complete.get(point, 0) + 1
        if reached:
            spent = sum(planted.seconds(point[0], e) for e in range(1, reached[0] + 1))
            values.setdefault(point, []).append(reached[0] if unit == "epochs" else spent)
    c = besom("quickstart", "--reach", str(target), "--unit", unit, "-n", "0")
    equal("better", c["better"], "lower")
    equal("reached", (c["complete"], c["reached"]), (sum(complete.values()), sum(map(len, values.values()))))
    assert 0 < c["reached"] < c["complete"], "some reach it, some do not"
    shares = []
    for row in c["points"]:
        mine = values.get(tuple(row["params"][a] for a in AXES), [])
        near("time", row["mean"], statistics.mean(mine) if mine else None)
        equal("k of n", (row["n"], row["complete"]), (len(mine), planted.SEEDS))
        assert row["group"] is None or row["n"] == row["complete"], row
        shares.append(row["n"])
    equal("who gets there more often is before", shares, sorted(shares, reverse=True))
    return c


# ---- docs/schema.md ----

def queries():
    page = open(SCHEMA).read()
    return re.findall(r"```sql\n(.*?)```", page[page.index("## Comparing, in SQL"):], re.S)


def sql(query, sweep):
    text = query.replace("sweep_quickstart", "sweep_" + sweep).replace("'quickstart'", f"'{sweep}'")
    out = subprocess.run(["sqlite3", "-batch", "-readonly", "-bail", "-csv", "-header", "-cmd", ".nullvalue NULL", f"{OUT}/results.db"],
                         input=re.sub(r"\A", ".mode csv\n", text), capture_output=True, text=True)
    assert out.returncode == 0 and not out.stderr, out.stderr
    rows = list(csv.DictReader(io.StringIO(out.stdout)))
    assert rows, query
    return [{k: None if v == "NULL" else float(v) if re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?", v) else v.split(" lr=")[0]
             for k, v in row.items()} for row in rows]


def check_queries():
    trial, reach, marginal, effect, flips, pairs, given, group, importance = queries()
    whole, holes = besom("quickstart"), besom("holes")

    rows = sql(trial, "quickstart")
    for column, at in (("best", "best"), ("last", "last"), ("at_epoch_2", "2"), ("auc", "auc")):
        points = besom("quickstart", "--at", at)["points"]
        near(column, statistics.mean(r[column] for r in rows), statistics.mean(p["mean"] for p in points), 1e-12)
        near(column + " of the best", max(r[column] for r in rows), max(max(p["values"]) for p in points), 1e-12)

    reached = besom("quickstart", "--reach", "0.75")["effects"]["optimizer"]["values"]
    for row, want in zip(sql(reach, "quickstart"), reached):
        equal("order", row["optimizer"], want["value"])
        equal("k of n", (row["reached"], row["complete"]), (want["n"], want["complete"]))
        near("epochs", row["epochs"], want["mean"])

    for sweep, c in (("quickstart", whole), ("holes", holes)):
        values = c["effects"]["optimizer"]["values"]
        for row, want in zip(sql(marginal, sweep), values):
            equal("order", row["optimizer"], want["value"])
            near("mean", row["mean"], want["mean"], 1e-12)
            near("interval", row["plus_minus"], want["ci_half"], 1e-11)
            equal("n", (row["trials"], row["seeds"]), (want["n"], want["seeds"]))
        by_name = {v["value"]: v for v in values}
        rows = sql(effect, sweep)
        equal("values", len(rows), len(values) - 1)
        for row in rows:
            want = by_name[row["optimizer"]]["difference"]
            for mine, besoms in (("difference", "mean"), ("std", "std"), ("t", "t"), ("p", "p"), ("p_holm", "p_holm")):
                near(f"{sweep}: {mine}", row[mine], want[besoms], 1e-9)
            equal("seeds and places", (row["seeds"], row["places"]), (want["seeds"], want["places"]))
        rows = sql(group, sweep)
        equal("first group", [r["rank"] for r in rows], [p["rank"] for p in c["points"] if p["group"] == 1])

        cells = {(r["activation"], r["optimizer"]): r for r in besom(sweep, "--by", "optimizer", "--given", "activation")}
        best = {}
        for row in sql(given, sweep):
            want = cells[row["activation"], row["optimizer"]]
            near("cell", row["mean"], want["val_accuracy"], 1e-12)
            equal("n", row["n"], want["n"])
            if row["is_best"]:
                best[row["activation"]] = row["optimizer"]
        equal("best given", best, {"relu": "adam", "tanh": "adagrad"})

    two, = besom("quickstart", "--a", "optimizer=momentum", "--b", "optimizer=adam")
    row, = sql(flips, "quickstart")
    near("difference", row["difference"], two["difference"], 1e-10)
    near("exact p", row["p_exact"], two["p_exact"], 0)
    row, = sql(pairs, "quickstart")
    assert abs(row["seeds_needed"] - (two["seeds"] + two["more_seeds"])) <= 2, (row, two)

    shares = {" x ".join(t["axes"]): t for t in whole["importance"]["terms"]}
    for row in sql(importance, "quickstart"):
        if row["part"] == "seeds":
            near("noise", row["share"], whole["importance"]["noise"])
        else:
            want = shares.pop(row["part"])
            near("share of " + row["part"], row["share"], want["share"])
            near("squares of " + row["part"], row["ss"], want["ss"])
            equal("df", row["df"], want["df"])
    equal("left", list(shares), [""])  # the rest, which no query asks for


for sweep in ("quickstart", "holes"):
    for at in ("best", "last", "auc", 2):
        comparison = besom(sweep, "--at", str(at))
        check_leaderboard(sweep, at, comparison)
        check_effects(sweep, at, comparison)
    check_planted_answer(besom(sweep))
check_given()
check_two()
check_reach("epochs")
check_reach("seconds")
check_queries()

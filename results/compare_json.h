/* results/compare_json.h - a whole comparison as one JSON object, for programs and for the report.
 *
 *     {"sweep", "metric", "goal", "trials", "complete", "failed",
 *      "leaderboard": [{"rank", <each axis>, <metric>, "std", "ci_low", "ci_high", "n", "best_trial", "complete", "group"}],
 *      "axes": {AXIS: [{<axis>, <metric>, "ci_half", "trials", "missing"}]},
 *      "at", "epoch", "target", "better", "unvalued", "reached",
 *      "points": [{"rank", "group", "params": {AXIS: value}, "mean", ..., "values": [one for each seed, null: none]}],
 *      "seeds": [the replicates' numbers],
 *      "effects": {AXIS: {"best", "pairs", "values": [{"value", "full", "mean", ..., "verdict", "difference": {...}}]}},
 *      "importance": {"trials", "points", "noise", "terms": [{"axes", "ss", "df", "share"}]}}
 *
 * The keys of the first three lines mix with the names of axes and metrics; those below do not.  What there is none of
 * is null.  docs/compare.md has all of it. */
#ifndef RESULTS_COMPARE_JSON_H
#define RESULTS_COMPARE_JSON_H

struct buf;
struct compare;

/* `rows` of "leaderboard" at most, 0: all; the other lists are always whole.  After compare_group(). */
void compare_put_json(struct buf *out, const struct compare *compare, int rows);

#endif

/* The view `leaderboard`, computed anew from the bits of the values: docs/schema.md. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A complete trial with a value of the objective. */
struct run {
    char *params;
    int64_t trial, replicate;
    double best;
};

struct point {
    const char *params; // borrowed from a run
    int64_t n, best_trial;
    double mean, std; // std: NaN for one
};

struct board {
    const char *sweep;
    bool maximize;
    struct run *run;
    struct point *point;
    int run_count, point_count;
};

/* ---- computing ---- */

static double number_of(int64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static bool is_better(const struct board *b, double x, double y) {
    return b->maximize ? x > y : x < y;
}

/* The best of a trial's values; NaN when it has none that is a number. */
static double best_of(const struct checking *c, const struct board *b, int64_t trial,
                      int64_t metric) {
    double best = NAN;
    char *sql =
        checked_printf("SELECT bits FROM value WHERE trial = ?1 AND metric = %" PRId64, metric);
    for (sqlite3_stmt *q = db_ask(c->db, sql, trial); db_next(c->db, &q);) {
        double number = number_of(sqlite3_column_int64(q, 0));
        if (!isnan(number) && (isnan(best) || is_better(b, number, best))) {
            best = number;
        }
    }
    free(sql);
    return best;
}

static int by_params(const void *a, const void *b) {
    const struct run *x = a, *y = b;
    int order = strcmp(x->params, y->params);
    if (order == 0) {
        order = (x->replicate > y->replicate) - (x->replicate < y->replicate);
    }
    return order != 0 ? order : (x->trial > y->trial) - (x->trial < y->trial);
}

static void load_runs(const struct checking *c, struct board *b, int64_t sweep, int64_t metric) {
    for (sqlite3_stmt *q = db_ask(c->db,
                                  "SELECT m.params, m.trial, m.replicate FROM member m"
                                  " JOIN trial t ON t.id = m.trial"
                                  " WHERE m.sweep = ?1 AND m.present AND t.status = 'complete'",
                                  sweep);
         db_next(c->db, &q);) {
        double best = best_of(c, b, sqlite3_column_int64(q, 1), metric);
        if (!isnan(best)) {
            GROW(b->run, b->run_count);
            b->run[b->run_count++] =
                (struct run){checked_copy(db_text(q, 0)), sqlite3_column_int64(q, 1),
                             sqlite3_column_int64(q, 2), best};
        }
    }
    if (b->run_count > 0) {
        qsort(b->run, (size_t)b->run_count, sizeof *b->run, by_params);
    }
}

/* The runs of one point stand together. */
static struct point summarize(const struct board *b, const struct run *run, int n) {
    long double sum = 0, squares = 0;
    struct point p = {.params = run->params, .n = n, .best_trial = run->trial, .std = NAN};
    double best = run->best;
    for (int i = 0; i < n; i++) {
        sum += (long double)run[i].best;
        if (is_better(b, run[i].best, best)) {
            best = run[i].best;
            p.best_trial = run[i].trial;
        }
    }
    p.mean = (double)(sum / n);
    for (int i = 0; i < n; i++) {
        long double d = (long double)run[i].best - sum / n;
        squares += d * d;
    }
    if (n > 1) {
        p.std = (double)sqrtl(squares / (n - 1));
    }
    return p;
}

static void make_points(struct board *b) {
    for (int i = 0, n; i < b->run_count; i += n) {
        for (n = 1; i + n < b->run_count && strcmp(b->run[i].params, b->run[i + n].params) == 0;) {
            n++;
        }
        GROW(b->point, b->point_count);
        b->point[b->point_count++] = summarize(b, &b->run[i], n);
    }
}

static int by_name(const void *key, const void *element) {
    return strcmp(key, ((const struct point *)element)->params);
}

static const struct point *find_point(const struct board *b, const char *params) {
    return b->point_count == 0
               ? NULL
               : bsearch(params, b->point, (size_t)b->point_count, sizeof *b->point, by_name);
}

/* P(T <= t) - 1/2 of Student's t with `df` degrees of freedom: its density from 0 to t by Simpson's rule. */
static double student_t_half(double t, double df) {
    enum { STEPS = 2000 };
    double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * acos(-1.0)), sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        double x = t * i / STEPS;
        int weight = i == 0 || i == STEPS ? 1 : i % 2 == 1 ? 4 : 2;
        sum += weight * exp(-(df + 1) / 2 * log1p(x * x / df));
    }
    return scale * sum * t / STEPS / 3;
}

/* ---- comparing ---- */

/* Within rounding: the view adds up doubles, in whatever order. */
static bool is_close(double a, double b, double size) {
    return a == b || fabs(a - b) <= 1e-9 * (fabs(size) + 1e-300);
}

static void check_interval(const struct checking *c, const struct board *b,
                           const struct place *place, sqlite3_stmt *q, const struct point *p) {
    double low = sqlite3_column_double(q, 5), high = sqlite3_column_double(q, 6);
    bool wanted = p->n > 1;
    if (db_is_null(q, 5) == wanted || db_is_null(q, 6) == wanted) {
        if (isfinite(p->mean)) {
            report_bad(c->report, VERIFY_LEADERBOARD, place,
                       "n is %" PRId64 ", and there is %s interval: %s", p->n, wanted ? "no" : "an",
                       b->sweep);
        }
        return;
    }
    if (!wanted || !isfinite(p->mean) || p->std == 0) {
        return;
    }
    double df = p->n - 1 > 1000 ? 1000 : (double)(p->n - 1);
    double t = (high - low) / 2 / (p->std / sqrt((double)p->n));
    if (!is_close((low + high) / 2, p->mean, fabs(p->mean) + p->std) ||
        fabs(student_t_half(t, df) - 0.475) > 1e-5) {
        report_bad(c->report, VERIFY_LEADERBOARD, place,
                   "%.17g to %.17g is not the 95%% interval of mean %.17g, std %.17g, n %" PRId64,
                   low, high, p->mean, p->std, p->n);
    }
}

/* params, n, mean, std, best_trial, ci_low, ci_high */
static const struct point *check_row(const struct checking *c, const struct board *b,
                                     sqlite3_stmt *q) {
    const struct place place = {.sweep = b->sweep, .trial = sqlite3_column_int64(q, 4)};
    const struct point *p = find_point(b, db_text(q, 0));
    if (p == NULL) {
        report_bad(c->report, VERIFY_LEADERBOARD, &place,
                   "no complete trial is behind the point %s", db_text(q, 0));
        return NULL;
    }
    double mean = sqlite3_column_double(q, 2), std = sqlite3_column_double(q, 3);
    if (sqlite3_column_int64(q, 1) != p->n || place.trial != p->best_trial) {
        report_bad(c->report, VERIFY_LEADERBOARD, &place,
                   "point %s: n %s and best trial %s, the values give %" PRId64 " and %" PRId64,
                   p->params, db_text(q, 1), db_text(q, 4), p->n, p->best_trial);
    }
    bool finite = isfinite(p->mean); // SQL's sums of infinities are what they are
    if (finite && (db_is_null(q, 2) || !is_close(mean, p->mean, p->mean))) {
        report_bad(c->report, VERIFY_LEADERBOARD, &place,
                   "point %s: mean %.17g, the values give %.17g", p->params, mean, p->mean);
    }
    if (finite && (db_is_null(q, 3) != isnan(p->std) ||
                   (!isnan(p->std) && !is_close(std, p->std, fabs(p->mean) + p->std)))) {
        report_bad(c->report, VERIFY_LEADERBOARD, &place,
                   "point %s: std %.17g, the values give %.17g", p->params, std, p->std);
    }
    check_interval(c, b, &place, q, p);
    return p;
}

/* In the order of ranks, which count from 1; the mean gets worse on the way. */
static void check_rows(const struct checking *c, const struct board *b) {
    char *sql = sqlite3_mprintf("SELECT params, n, mean, std, best_trial, ci_low, ci_high, rank"
                                " FROM leaderboard WHERE sweep = %Q ORDER BY rank",
                                b->sweep);
    const struct point *above = NULL;
    int64_t rows = 0;
    for (sqlite3_stmt *q = db_ask(c->db, sql, 0); db_next(c->db, &q);) {
        const struct place place = {.sweep = b->sweep, .trial = sqlite3_column_int64(q, 4)};
        const struct point *p = check_row(c, b, q);
        if (sqlite3_column_int64(q, 7) != ++rows) {
            report_bad(c->report, VERIFY_LEADERBOARD, &place, "rank %s is the %" PRId64 "th row",
                       db_text(q, 7), rows);
        }
        if (p != NULL && above != NULL && is_better(b, p->mean, above->mean) &&
            !is_close(p->mean, above->mean, p->mean)) {
            report_bad(c->report, VERIFY_LEADERBOARD, &place,
                       "rank %" PRId64 " has mean %.17g, which is better than %.17g above", rows,
                       p->mean, above->mean);
        }
        above = p;
    }
    sqlite3_free(sql);
    if (rows != b->point_count) {
        const struct place place = {.sweep = b->sweep};
        report_bad(c->report, VERIFY_LEADERBOARD, &place,
                   "has %" PRId64 " points, the complete trials make %d", rows, b->point_count);
    }
    report_count(c->report, VERIFY_LEADERBOARD, rows);
}

static void check_board(const struct checking *c, struct board *b, int64_t sweep, int64_t metric) {
    load_runs(c, b, sweep, metric);
    make_points(b);
    check_rows(c, b);
    for (int i = 0; i < b->run_count; i++) {
        free(b->run[i].params);
    }
    free(b->run);
    free(b->point);
}

void check_leaderboard(const struct checking *c) {
    for (sqlite3_stmt *q = db_ask(c->db,
                                  "SELECT s.id, s.name, s.goal, m.id FROM sweep s"
                                  " LEFT JOIN metric m ON m.name = s.metric",
                                  0);
         db_next(c->db, &q);) {
        const char *goal = db_text(q, 2);
        struct board b = {.sweep = db_text(q, 1), .maximize = strcmp(goal, "maximize") == 0};
        check_board(c, &b, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 3));
    }
}

/* Sweeps and their points: docs/sweep-file.md, docs/schema.md. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct point {
    int64_t trial, ordinal, replicate, seed;
    char *params;
};

struct sweep {
    const char *name; // borrowed
    cJSON *axes;
    bool has_seed; // `seed` is that of the sweep file's config, or its default
    int64_t seed;
    struct point *point; // by params
    int count;
};

/* ---- one point ---- */

static void check_params(const struct checking *c, const struct sweep *s, const struct point *p) {
    const struct place place = {.sweep = s->name, .trial = p->trial};
    cJSON *params = cJSON_Parse(p->params);
    if (!cJSON_IsObject(params)) {
        report_bad(c->report, VERIFY_SWEEPS, &place, "its params are no JSON object: %s",
                   p->params);
    } else {
        int axes = cJSON_GetArraySize(s->axes), found = 0;
        for (const cJSON *axis = s->axes == NULL ? NULL : s->axes->child; axis != NULL;
             axis = axis->next) {
            found += cJSON_GetObjectItemCaseSensitive(params, axis->valuestring) != NULL;
        }
        if (found != axes || cJSON_GetArraySize(params) != axes) {
            report_bad(c->report, VERIFY_SWEEPS, &place,
                       "its params %s are not one value for each of %d axes", p->params, axes);
        }
    }
    cJSON_Delete(params);
}

/* The seed that the replicates of a point count from; false when the sweep file does not tell. */
static bool base_seed(const struct sweep *s, const struct point *p, int64_t *seed) {
    cJSON *params = cJSON_Parse(p->params);
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(params, "seed");
    bool known = own != NULL ? cJSON_IsNumber(own) : s->has_seed;
    *seed = own != NULL ? (int64_t)own->valuedouble : s->seed;
    cJSON_Delete(params);
    return known;
}

static void check_seed(const struct checking *c, const struct sweep *s, const struct point *p) {
    const struct place place = {.sweep = s->name, .trial = p->trial};
    int64_t seed;
    if (base_seed(s, p, &seed) && p->seed != seed + p->replicate - 1) {
        report_bad(c->report, VERIFY_SEEDS, &place,
                   "replicate %" PRId64 " has seed %" PRId64 " instead of %" PRId64, p->replicate,
                   p->seed, seed + p->replicate - 1);
    }
}

/* ---- all points of a sweep ---- */

static int by_params(const void *a, const void *b) {
    const struct point *x = a, *y = b;
    int order = strcmp(x->params, y->params);
    return order != 0 ? order : (x->replicate > y->replicate) - (x->replicate < y->replicate);
}

static int by_ordinal(const void *a, const void *b) {
    const struct point *x = a, *y = b;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static void check_points(const struct checking *c, struct sweep *s) {
    qsort(s->point, (size_t)s->count, sizeof *s->point, by_params);
    for (int i = 0; i < s->count; i++) {
        const struct point *p = &s->point[i];
        const struct place place = {.sweep = s->name, .trial = p->trial};
        if (p->replicate < 1) {
            report_bad(c->report, VERIFY_SWEEPS, &place, "replicate %" PRId64 ": they count from 1",
                       p->replicate);
        }
        if (i > 0 && strcmp(p->params, p[-1].params) == 0 && p->replicate == p[-1].replicate) {
            report_bad(c->report, VERIFY_SWEEPS, &place,
                       "is replicate %" PRId64 " of its point, and so is trial %" PRId64,
                       p->replicate, p[-1].trial);
        }
        check_params(c, s, p);
        check_seed(c, s, p);
    }
    qsort(s->point, (size_t)s->count, sizeof *s->point, by_ordinal);
    for (int i = 1; i < s->count; i++) {
        const struct place place = {.sweep = s->name, .trial = s->point[i].trial};
        if (s->point[i].ordinal == s->point[i - 1].ordinal) {
            report_bad(c->report, VERIFY_SWEEPS, &place,
                       "has place %" PRId64 " in the sweep, and so has trial %" PRId64,
                       s->point[i].ordinal, s->point[i - 1].trial);
        }
    }
    report_count(c->report, VERIFY_SWEEPS, s->count);
    report_count(c->report, VERIFY_SEEDS, s->count);
}

/* The view of a sweep has its present points, each once. */
static void check_view_rows(const struct checking *c, const struct sweep *s, const char *view,
                            int64_t id) {
    char *sql = sqlite3_mprintf(
        "SELECT count(*) FROM (SELECT trial FROM \"%w\" EXCEPT SELECT trial FROM member WHERE"
        " sweep = ?1 AND present) UNION ALL SELECT count(*) FROM (SELECT trial FROM member WHERE"
        " sweep = ?1 AND present EXCEPT SELECT trial FROM \"%w\")",
        view, view);
    int64_t differing = 0;
    for (sqlite3_stmt *q = db_ask(c->db, sql, id); db_next(c->db, &q);) {
        differing += sqlite3_column_int64(q, 0);
    }
    sqlite3_free(sql);
    if (differing > 0) {
        const struct place place = {.sweep = s->name};
        report_bad(c->report, VERIFY_SWEEPS, &place,
                   "%" PRId64 " trials are in the view %s or in the sweep, but not in both",
                   differing, view);
    }
}

/* ---- sweeps ---- */

/* `seed` of the config in a sweep file: JSON with comments, which cJSON_Minify() takes out. */
static void read_spec(struct sweep *s, const char *spec) {
    char *text = checked_copy(spec);
    cJSON_Minify(text);
    cJSON *root = cJSON_Parse(text);
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(config, "seed");
    s->has_seed = root != NULL && (seed == NULL || cJSON_IsNumber(seed));
    s->seed = seed != NULL ? (int64_t)seed->valuedouble : 1;
    cJSON_Delete(root);
    free(text);
}

static void check_sweep(const struct checking *c, struct sweep *s, int64_t id, const char *view) {
    for (sqlite3_stmt *q = db_ask(c->db,
                                  "SELECT m.trial, m.ordinal, m.replicate, t.seed, m.params"
                                  " FROM member m JOIN trial t ON t.id = m.trial"
                                  " WHERE m.sweep = ?1 AND m.present",
                                  id);
         db_next(c->db, &q);) {
        GROW(s->point, s->count);
        s->point[s->count++] = (struct point){
            sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2),
            sqlite3_column_int64(q, 3), checked_copy(db_text(q, 4))};
    }
    if (s->count > 0) {
        check_points(c, s);
        check_view_rows(c, s, view, id);
    }
    for (int i = 0; i < s->count; i++) {
        free(s->point[i].params);
    }
    free(s->point);
}

/* A trial is a point of the sweep that made it, present or not. */
static void check_makers(const struct checking *c) {
    for (sqlite3_stmt *q =
             db_ask(c->db,
                    "SELECT t.id, s.name FROM trial t LEFT JOIN sweep s ON s.id = t.sweep"
                    " WHERE NOT EXISTS (SELECT 1 FROM member m WHERE m.trial = t.id"
                    " AND m.sweep = t.sweep)",
                    0);
         db_next(c->db, &q);) {
        const struct place place = {.trial = sqlite3_column_int64(q, 0)};
        report_bad(c->report, VERIFY_SWEEPS, &place, "is no point of the sweep %s that made it",
                   db_text(q, 1));
    }
}

void check_sweeps(const struct checking *c) {
    for (sqlite3_stmt *q = db_ask(c->db, "SELECT id, name, view, axes, spec FROM sweep", 0);
         db_next(c->db, &q);) {
        struct sweep s = {.name = db_text(q, 1), .axes = cJSON_Parse(db_text(q, 3))};
        bool named = cJSON_IsArray(s.axes);
        for (const cJSON *axis = named ? s.axes->child : NULL; axis != NULL; axis = axis->next) {
            named = named && cJSON_IsString(axis);
        }
        if (!named) {
            const struct place place = {.sweep = s.name};
            report_bad(c->report, VERIFY_SWEEPS, &place, "its axes are no list of names: %s",
                       db_text(q, 3));
            cJSON_Delete(s.axes);
            s.axes = NULL;
        }
        read_spec(&s, db_text(q, 4));
        check_sweep(c, &s, sqlite3_column_int64(q, 0), db_text(q, 2));
        cJSON_Delete(s.axes);
    }
    check_makers(c);
}

/* What the copies make, beside a database that looks intact.  Each thing of the new database is written as its file would
 * be and looked for in the old one, so that comparing has one form, results/rows.h. */
#include "results/restore.h"

#include "base/err.h"
#include "base/mem.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/snapshot.h"
#include "results/store_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct comparing {
    struct store *made, *present;
    struct rows_writer *trial, *whole_trial, *sweep;
    struct query has_later, is_replanned;
    struct buf *text;
    int64_t count;
};

/* ---- one thing ---- */

static void note(struct comparing *c, const char *what, int64_t id, const char *name,
                 const struct err *differs) {
    c->count++;
    if (what == NULL) {
        buf_printf(c->text, "%s\n", differs->msg);
    } else {
        buf_printf(c->text, "%s %lld (%s) differs from its copy: %s\n", what, (long long)id, name,
                   differs->msg);
    }
}

/* A file in memory, which it is closed with. */
static FILE *open_memory(struct err *err) {
    int fd = memfd_create("rows", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r+");
    if (file == NULL) {
        (void)err_io(err, errno, "a file in memory");
        if (fd >= 0) {
            (void)close(fd); // nothing was written
        }
    }
    return file;
}

/* What differs is noted, and no failure. */
static int compare_thing(struct comparing *c, struct rows_writer *writer, int64_t id,
                         const struct rows_kind *kind, const char *name, enum rows_extent extent,
                         struct err *err) {
    FILE *file = open_memory(err);
    if (file == NULL) {
        return err->code;
    }
    int rc = rows_write(writer, fileno(file), id, "\"of\":\"the copies\"", err);
    rewind(file);
    rc = rc == ERR_OK ? rows_compare(c->present, c->made, file, kind, name, extent, err) : rc;
    (void)fclose(file); // it was never on a disk
    if (rc == ERR_DIFFERS) {
        note(c, kind->owner, id, name, err);
        return ERR_OK;
    }
    return rc;
}

static int compare_trial(struct comparing *c, int64_t id, const char *key, bool whole,
                         struct err *err) {
    return whole ? compare_thing(c, c->whole_trial, id, &snapshot_whole_trial, key, ROWS_ALL, err)
                 : compare_thing(c, c->trial, id, &snapshot_trial, key, ROWS_LASTING, err);
}

/* ---- all ---- */

/* The present sweeps with a plan that no copy has, as "0,2,5": a runner that dies between a plan and the sweep's file leaves
 * the older one, or none, until the next run writes it. */
static int list_replanned(struct store *made, struct store *present, struct buf *list,
                          struct err *err) {
    struct query q, copied = {0};
    buf_puts(list, "0");
    int rc = query_open(&q, present, "SELECT id, name, planned_at FROM sweep", err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_open(&copied, made, "SELECT 1 FROM sweep WHERE name = ?1 AND planned_at >= ?2", err);
    while (rc == ERR_OK && (rc = query_next(&q, err)) > 0) {
        query_bind_text(&copied, 1, query_text(&q, 1));
        query_bind_double(&copied, 2, query_double(&q, 2));
        rc = query_next(&copied, err);
        query_reset(&copied);
        if (rc == 0) {
            buf_printf(list, ",%lld", (long long)query_int(&q, 0));
        }
        rc = rc < 0 ? rc : ERR_OK;
    }
    query_close(&copied);
    query_close(&q);
    return rc;
}

static int open_queries(struct comparing *c, struct err *err) {
    struct buf replanned = {0};
    int rc = list_replanned(c->made, c->present, &replanned, err);
    if (rc == ERR_OK) {
        const char *list = buf_text(&replanned);
        char *later = mem_printf(
            "SELECT 1 FROM trial t WHERE t.key = ?1 AND (t.sweep IN (%s)"
            " OR EXISTS (SELECT 1 FROM member m WHERE m.trial = t.id AND m.sweep IN (%s))"
            " OR EXISTS (SELECT 1 FROM attempt a WHERE a.trial = t.id AND a.attempt > ?2))",
            list, list);
        char *planned = mem_printf("SELECT 1 FROM sweep WHERE name = ?1 AND id IN (%s)", list);
        rc = query_open(&c->has_later, c->present, later, err);
        rc = rc == ERR_OK ? query_open(&c->is_replanned, c->present, planned, err) : rc;
        free(later);
        free(planned);
    }
    buf_release(&replanned);
    return rc;
}

/* 1 when the present database knows of attempts or a plan that no copy has yet: the trial has gone on since. */
static int has_gone_on(struct comparing *c, const char *key, int64_t attempts, struct err *err) {
    query_bind_text(&c->has_later, 1, key);
    query_bind_int(&c->has_later, 2, attempts);
    int rc = query_next(&c->has_later, err);
    query_reset(&c->has_later);
    return rc;
}

/* A sweep whose own file is lost is known from its trials, which may be older than the last plan. */
static const char list_trials[] =
    "SELECT t.id, t.key, (SELECT count(*) FROM attempt a WHERE a.trial = t.id),"
    " EXISTS (SELECT 1 FROM sweep s WHERE s.spec = '' AND (s.id = t.sweep OR s.id IN"
    " (SELECT m.sweep FROM member m WHERE m.trial = t.id))) FROM trial t ORDER BY t.id";
static const char list_sweeps[] = "SELECT id, name FROM sweep WHERE spec <> '' ORDER BY id";

static int compare_trials(struct comparing *c, struct err *err) {
    struct query q;
    int rc = query_open(&q, c->made, list_trials, err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        const char *key = query_text(&q, 1);
        rc = has_gone_on(c, key, query_int(&q, 2), err);
        if (rc >= 0) {
            bool whole = rc == 0 && query_int(&q, 3) == 0;
            rc = compare_trial(c, query_int(&q, 0), key, whole, err);
        }
        if (rc < 0) {
            break;
        }
    }
    query_close(&q);
    return rc;
}

static int compare_sweeps(struct comparing *c, struct err *err) {
    struct query q;
    int rc = query_open(&q, c->made, list_sweeps, err);
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = query_next(&q, err)) > 0) {
        query_bind_text(&c->is_replanned, 1, query_text(&q, 1));
        rc = query_next(&c->is_replanned, err);
        query_reset(&c->is_replanned);
        if (rc == 0) { // else nothing of an older plan lasts
            rc = compare_thing(c, c->sweep, query_int(&q, 0), &snapshot_sweep_head,
                               query_text(&q, 1), ROWS_ALL, err);
        }
        if (rc < 0) {
            break;
        }
    }
    query_close(&q);
    return rc;
}

/* Apart from the last digits, which another version or mathematics library may compute otherwise. */
static bool is_same_constant(double made, double present) {
    return fabs(made - present) <= 1e-12 * made;
}

/* What leaderboards compute with: the same in every database, and in no copy. */
static int compare_constants(struct comparing *c, struct err *err) {
    static const char sql[] = "SELECT df, t FROM student_t ORDER BY df";
    struct query made, present;
    int rc = query_open(&made, c->made, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_open(&present, c->present, sql, err);
    while (rc == ERR_OK) {
        int one = query_next(&made, err);
        int other = one < 0 ? one : query_next(&present, err);
        if (other < 0 || (one == 0 && other == 0)) {
            rc = other;
            break;
        }
        if (one != other || query_int(&made, 0) != query_int(&present, 0) ||
            !is_same_constant(query_double(&made, 1), query_double(&present, 1))) {
            struct err differs;
            (void)err_set(&differs, ERR_DIFFERS, "table student_t is not as it was made");
            note(c, NULL, 0, NULL, &differs);
            break;
        }
    }
    query_close(&present);
    query_close(&made);
    return rc;
}

/* A sweep's view is compared with what the tables beside it make of it, as its text has numbers of rows in it.  One of an older
 * version may be worded otherwise.  The other views store_schema_check() has looked at. */
static int compare_views(struct comparing *c, struct err *err) {
    static const char sql[] =
        "SELECT id, view FROM sweep"
        " WHERE (SELECT user_version FROM pragma_user_version) = ?1 ORDER BY id";
    struct query q;
    int rc = query_open(&q, c->present, sql, err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, STORE_VERSION);
    while (rc == ERR_OK && (rc = query_next(&q, err)) > 0) {
        bool right;
        rc = store_check_view(c->present, query_int(&q, 0), &right, err);
        if (rc == ERR_OK && !right) {
            struct err differs;
            (void)err_set(&differs, ERR_DIFFERS, "the view \"%s\" is not as it was made",
                          query_text(&q, 1));
            note(c, NULL, 0, NULL, &differs);
        }
    }
    query_close(&q);
    return rc;
}

int restore_compare(struct store *made, struct store *present, struct buf *text, int64_t *count,
                    struct err *err) {
    struct comparing c = {.made = made, .present = present, .text = text};
    c.trial = rows_writer_new(made, &snapshot_trial);
    c.whole_trial = rows_writer_new(made, &snapshot_whole_trial);
    c.sweep = rows_writer_new(made, &snapshot_sweep_head);
    int rc = open_queries(&c, err);
    rc = rc == ERR_OK ? compare_sweeps(&c, err) : rc;
    rc = rc == ERR_OK ? compare_trials(&c, err) : rc;
    rc = rc == ERR_OK ? compare_constants(&c, err) : rc;
    rc = rc == ERR_OK ? compare_views(&c, err) : rc;
    query_close(&c.is_replanned);
    query_close(&c.has_later);
    rows_writer_free(c.trial);
    rows_writer_free(c.whole_trial);
    rows_writer_free(c.sweep);
    *count = c.count;
    return rc;
}

int restore_compare_attempts(struct store *made, struct store *present, struct buf *text,
                             int64_t *count, struct err *err) {
    struct query q, there;
    int rc = query_open(&q, made,
                        "SELECT t.key, t.id, max(a.attempt) FROM attempt a"
                        " JOIN trial t ON t.id = a.trial GROUP BY t.id ORDER BY t.id",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_open(&there, present,
                    "SELECT 1 FROM attempt WHERE trial = (SELECT id FROM trial WHERE key = ?1)"
                    " AND attempt = ?2",
                    err);
    while (rc == ERR_OK && (rc = query_next(&q, err)) > 0) {
        query_bind_text(&there, 1, query_text(&q, 0));
        query_bind_int(&there, 2, query_int(&q, 2));
        rc = query_next(&there, err);
        query_reset(&there);
        if (rc == 0) {
            buf_printf(text, "trial %lld (%s): its log has attempt %lld, which results.db lacks\n",
                       (long long)query_int(&q, 1), query_text(&q, 0), (long long)query_int(&q, 2));
            (*count)++;
        }
        rc = rc < 0 ? rc : ERR_OK;
    }
    query_close(&there);
    query_close(&q);
    return rc;
}

#include "runner/log_rows.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/query.h"
#include "results/restore.h"
#include "results/store.h"
#include "runner/layer_event.h"
#include "runner/run.h"
#include "runner/start_event.h"
#include "runner/trial_log.h"
#include "runner/trial_log_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct reader {
    struct store *store;
    int64_t trial;
    int known;    // attempts that there are
    int open;     // the last of them, if it has no end; 0
    int attempt;  // whose lines these are; 0: of one that was known before, and has ended
    bool looking; // in the first of two passes: for the place up to which the open one was stored
    int64_t seen, stored; // of its epoch records: how many were read in this pass, were stored
    bool deterministic, refused;
    int layers;
    double began_at;   // this reading
    double written_at; // the log, for the last time
    double started_at; // the attempt
    struct log_rows *added;
    struct wire_record record;
    int rc; // of the first failure
    struct err *err;
};

/* The times of the attempt's epochs are known only when all of them are there. */
static int leave_attempt(struct reader *r) {
    int attempt = r->attempt;
    r->attempt = 0;
    if (attempt == 0 || r->looking) {
        return ERR_OK;
    }
    return attempt == r->open
               ? restore_put_back(r->store, r->trial, attempt, r->began_at, r->written_at, r->err)
               : restore_set_times(r->store, r->trial, attempt, r->started_at, r->err);
}

/* "--- attempt 3, 2026-11-23T22:13:05Z" */
static double time_of(const char *header) {
    struct tm utc = {0};
    const char *comma = strchr(header, ',');
    bool good = comma != NULL && strptime(comma + 2, "%Y-%m-%dT%H:%M:%SZ", &utc) != NULL;
    return good ? (double)timegm(&utc) : 0.0;
}

static int on_header(struct reader *r, int attempt, const char *header) {
    if (attempt == r->attempt) {
        return ERR_OK; // in both files of a long log
    }
    int rc = leave_attempt(r);
    bool is_open = attempt == r->open, is_new = attempt > r->known && !r->looking;
    if (rc != ERR_OK || !(is_open || is_new)) {
        return rc;
    }
    r->attempt = attempt;
    r->deterministic = r->refused = false;
    r->layers = 0;
    r->seen = 0;
    if (is_open) {
        return ERR_OK;
    }
    r->known = attempt;
    r->started_at = time_of(header);
    r->added->attempts++;
    return store_begin_attempt(r->store, r->trial, attempt, 0, r->err); // no slot is known
}

static int on_epoch(struct reader *r) {
    enum store_epoch_result result;
    int rc = store_put_epoch(r->store, r->trial, r->attempt, &r->record, r->deterministic, &result,
                             r->err);
    if (rc == ERR_DIFFERS) { // what follows was not stored either
        r->refused = true;
        return ERR_OK;
    }
    r->added->epochs += rc == ERR_OK && result == STORE_ADDED;
    return rc;
}

static int on_layer(struct reader *r) {
    const char *problem;
    struct store_layer *row = layer_event_read(r->record.object, &problem);
    if (row == NULL || r->layers == RUN_LAYERS_MAX) {
        layer_event_free(row);
        return ERR_OK;
    }
    r->layers++;
    int rc = store_put_layer(r->store, r->trial, row, !r->deterministic, r->err);
    layer_event_free(row);
    return rc;
}

static int on_start(struct reader *r) {
    struct start_event start;
    start_event_read(&start, r->record.object);
    r->deterministic = start.deterministic;
    int rc = store_put_start(r->store, r->trial, r->attempt, start.from_epoch, start.numerics,
                             start.program, r->err);
    start_event_release(&start);
    return rc;
}

/* The ledger stores records in their order: the last one that is there tells that those before it have been
 * applied, also those of which nothing is left to see. */
static int look(struct reader *r) {
    bool same = false;
    int rc = ERR_OK;
    if (r->record.kind == WIRE_EPOCH) {
        r->seen++;
        rc = store_epoch_is(r->store, r->trial, r->attempt, &r->record, &same, r->err);
        r->stored = same ? r->seen : r->stored;
    }
    return rc;
}

/* Whether the record was stored before the runner died. */
static bool is_stored(struct reader *r) {
    r->seen += r->record.kind == WIRE_EPOCH;
    bool is_epoch = r->record.kind == WIRE_EPOCH;
    return r->attempt == r->open && (is_epoch ? r->seen <= r->stored : r->seen < r->stored);
}

static int on_record(struct reader *r, const char *text, size_t len) {
    wire_parse(&r->record, text, len);
    if (r->looking) {
        return look(r);
    }
    bool is_event = r->record.kind == WIRE_EVENT;
    if (is_event && strcmp(r->record.event, "start") == 0) {
        return on_start(r);
    }
    if (is_stored(r) || r->refused) {
        return ERR_OK;
    }
    if (r->record.kind == WIRE_EPOCH) {
        return on_epoch(r);
    }
    return is_event && strcmp(r->record.event, "layers") == 0 ? on_layer(r) : ERR_OK;
}

static void on_line(void *context, const char *text, size_t len, bool cut) {
    enum { HEADER_MAX = 63 };
    struct reader *r = context;
    if (r->rc != ERR_OK || cut || len == 0) {
        return;
    }
    if (text[0] == '{' && r->attempt > 0) {
        r->rc = on_record(r, text, len);
    } else if (text[0] == '-' && len < HEADER_MAX) {
        char line[HEADER_MAX + 2];
        memcpy(line, text, len);
        line[len] = '\n';
        line[len + 1] = '\0';
        int attempt = trial_log_header_read(line, len + 1);
        r->rc = attempt > 0 ? on_header(r, attempt, line) : ERR_OK;
    }
}

static int read_piece(struct reader *r, const struct trial_log_piece *piece, struct err *err) {
    enum { CHUNK = 1 << 16 };
    struct wire_splitter splitter = {0};
    char *chunk = mem_resize(NULL, CHUNK, 1);
    int rc = ERR_OK;
    for (int64_t at = piece->from; at < piece->to && r->rc == ERR_OK;) {
        size_t want = piece->to - at < CHUNK ? (size_t)(piece->to - at) : CHUNK;
        ssize_t n = pread(piece->fd, chunk, want, at);
        if (n < 0 && errno != EINTR) {
            rc = err_io(err, errno, "read");
            break;
        }
        if (n == 0) {
            break; // made shorter meanwhile
        }
        at += n > 0 ? n : 0;
        wire_feed(&splitter, chunk, n > 0 ? (size_t)n : 0, on_line, r);
    }
    wire_end(&splitter, on_line, r);
    wire_splitter_release(&splitter);
    free(chunk);
    return rc == ERR_OK ? r->rc : rc;
}

static int read_pieces(struct reader *r, const struct trial_log_read *log, struct err *err) {
    struct wire_splitter splitter = {0};
    int rc = read_piece(r, &log->pieces[0], err);
    if (rc == ERR_OK && log->headers.len > 0) {
        wire_feed(&splitter, log->headers.data, log->headers.len, on_line, r);
        rc = r->rc;
    }
    wire_splitter_release(&splitter);
    for (int i = 1; i < log->count && rc == ERR_OK; i++) {
        rc = read_piece(r, &log->pieces[i], err);
    }
    return rc == ERR_OK ? leave_attempt(r) : rc;
}

/* ---- a trial, and all ---- */

static int find_open(struct reader *r, struct err *err) {
    struct query q;
    int rc = query_open(&q, r->store,
                        "SELECT attempt FROM attempt WHERE trial = ?1 AND attempt = ?2"
                        " AND ended_at IS NULL",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, r->trial);
    query_bind_int(&q, 2, r->known);
    rc = query_next(&q, err);
    r->open = rc > 0 ? r->known : 0;
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

static double seconds_of(struct timespec at) {
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void note_times(struct reader *r, const struct trial_log_read *log) {
    struct timespec now;
    struct stat last;
    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail for this clock
    r->began_at = r->written_at = seconds_of(now);
    if (fstat(log->pieces[log->count - 1].fd, &last) == 0) { // cannot fail for a file that is open
        r->written_at = seconds_of(last.st_mtim);
    }
}

int log_rows_read(struct store *store, const char *path, int64_t trial, int known,
                  struct log_rows *added, struct err *err) {
    struct trial_log_read log;
    int rc = trial_log_read_open(&log, path, err);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    struct reader *r = mem_zalloc(1, sizeof *r);
    r->store = store;
    r->trial = trial;
    r->known = known;
    r->added = added;
    r->err = err;
    note_times(r, &log);
    rc = find_open(r, err);
    if (rc == ERR_OK && r->open > 0) {
        r->looking = true;
        rc = read_pieces(r, &log, err);
        r->looking = false;
    }
    rc = rc == ERR_OK ? read_pieces(r, &log, err) : rc;
    trial_log_read_close(&log);
    wire_record_release(&r->record);
    free(r);
    return rc;
}

struct trial_row {
    int64_t id;
    int attempts;
    char *key;
};

static int list_trials(struct store *store, bool only_open, struct trial_row **rows, size_t *count,
                       struct err *err) {
    struct query q;
    int rc = query_open(&q, store,
                        "SELECT id, attempts, key FROM trial WHERE NOT ?1 OR id IN"
                        " (SELECT trial FROM attempt WHERE ended_at IS NULL) ORDER BY id",
                        err);
    if (rc != ERR_OK) {
        return rc;
    }
    query_bind_int(&q, 1, only_open);
    while ((rc = query_next(&q, err)) > 0) {
        if ((*count & (*count - 1)) == 0) { // at every power of two
            *rows = mem_resize(*rows, *count == 0 ? 1 : 2 * *count, sizeof **rows);
        }
        (*rows)[(*count)++] = (struct trial_row){query_int(&q, 0), (int)query_int(&q, 1),
                                                 mem_strdup(query_text(&q, 2))};
    }
    query_close(&q);
    return rc;
}

int log_rows_read_all(struct store *store, const char *out_dir, bool only_open,
                      struct log_rows *added, struct err *err) {
    struct trial_row *rows = NULL;
    size_t count = 0;
    int rc = list_trials(store, only_open, &rows, &count, err);
    for (size_t i = 0; i < count; i++) {
        if (rc == ERR_OK) {
            char *path = mem_printf("%s/trials/%s/log", out_dir, rows[i].key);
            rc = log_rows_read(store, path, rows[i].id, rows[i].attempts, added, err);
            rc = rc == ERR_OK ? rc : err_wrap(err, "%s", path);
            free(path);
        }
        free(rows[i].key);
    }
    free(rows);
    return rc;
}

#include "runner/log_rows.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
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
#include <time.h>
#include <unistd.h>

struct reader {
    struct store *store;
    int64_t trial;
    int known;   // attempts that there are
    int attempt; // whose lines these are; 0: of one that was known before
    bool deterministic, refused;
    int layers;
    double started_at;
    struct log_rows *added;
    struct wire_record record;
    int rc; // of the first failure
    struct err *err;
};

/* The times of the attempt's epochs are known only when all of them are there. */
static int leave_attempt(struct reader *r) {
    if (r->attempt == 0) {
        return ERR_OK;
    }
    int attempt = r->attempt;
    r->attempt = 0;
    return restore_set_times(r->store, r->trial, attempt, r->started_at, r->err);
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
    if (rc != ERR_OK || attempt <= r->known) {
        return rc;
    }
    r->known = r->attempt = attempt;
    r->deterministic = r->refused = false;
    r->layers = 0;
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

static int on_record(struct reader *r, const char *text, size_t len) {
    wire_parse(&r->record, text, len);
    if (r->record.kind == WIRE_EPOCH) {
        return r->refused ? ERR_OK : on_epoch(r);
    }
    if (r->record.kind != WIRE_EVENT) {
        return ERR_OK;
    }
    if (strcmp(r->record.event, "start") == 0) {
        return on_start(r);
    }
    return strcmp(r->record.event, "layers") == 0 && !r->refused ? on_layer(r) : ERR_OK;
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
    rc = read_pieces(r, &log, err);
    trial_log_read_close(&log);
    wire_record_release(&r->record);
    free(r);
    return rc;
}

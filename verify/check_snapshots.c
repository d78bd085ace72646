/* The second copy of the rows, rows.jsonl in a trial's folder and sweeps/NAME.jsonl, from which "besom rebuild" makes a lost
 * results.db anew: docs/design.md, "When results.db is lost".
 *
 *     {"besom":"trial","version":1}
 *     {"table":"value","columns":["epoch","metric","kind","value","bits"]}
 *     [1,"val_accuracy",0,0.8125,"4605493369432473600"]
 *     {"end":"trial","attempts":1,"ended_at":1764000000.25,"bytes":N,"xxh3":"..."}     hash of all before its digits
 *
 * A file whose last line is not about the trial's last attempt is old: the next run writes it.  It must have nothing
 * that the database has not, or has not set aside.  check_rows.c compares. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/facts.h"
#include "verify/hash128.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct text {
    char *bytes; // ends in NUL
    size_t len;
};

/* False when there is no such file; one that cannot be read has no bytes. */
static bool read_text(int folder_fd, const char *name, struct text *text) {
    struct stat st;
    *text = (struct text){0};
    int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno != ENOENT;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        text->bytes = checked_alloc((size_t)st.st_size + 1);
        while (text->len < (size_t)st.st_size) {
            ssize_t n = read(fd, text->bytes + text->len, (size_t)st.st_size - text->len);
            if (n <= 0) {
                break;
            }
            text->len += (size_t)n;
        }
    }
    (void)close(fd); // only read
    return true;
}

/* The last line, parsed; NULL with a violation when the file is not what its writer finished. */
static cJSON *read_end(const struct checking *c, const struct text *text, const char *of,
                       const struct place *place) {
    static const char mark[] = "\"xxh3\":\"", tail[] = "\"}\n";
    const size_t behind = HASH128_DIGITS + sizeof tail - 1;
    const char *digits = text->len > behind ? text->bytes + text->len - behind : NULL;
    cJSON *end = NULL;
    if (digits != NULL && strlen(text->bytes) == text->len &&
        strcmp(digits + HASH128_DIGITS, tail) == 0) {
        const char *line = memrchr(text->bytes, '\n', text->len - 1);
        end = cJSON_Parse(line != NULL ? line + 1 : text->bytes);
    }
    const char *whose = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(end, "end"));
    if (whose == NULL || strcmp(whose, of) != 0 ||
        memcmp(digits - (sizeof mark - 1), mark, sizeof mark - 1) != 0) {
        report_bad(c->report, VERIFY_SNAPSHOTS, place,
                   "has no last line as it should be: it is not whole");
        cJSON_Delete(end);
        return NULL;
    }
    char hex[HASH128_DIGITS + 1];
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, text->bytes, (size_t)(digits - text->bytes));
    hash128_finish(&hash, hex);
    if (strncmp(hex, digits, HASH128_DIGITS) != 0) {
        report_bad(c->report, VERIFY_SNAPSHOTS, place, "its hash is %.32s, its bytes give %s",
                   digits, hex);
        cJSON_Delete(end);
        return NULL;
    }
    return end;
}

/* ---- those of trials ---- */

static int64_t read_integer(const cJSON *json) {
    return cJSON_IsNumber(json) ? (int64_t)json->valuedouble : 0;
}

/* Is it about the trial's last attempt, as that has ended? */
static bool is_current(const struct facts *f, const cJSON *end) {
    const struct fact_attempt *last =
        f->attempt_count == 0 ? NULL : &f->attempt[f->attempt_count - 1];
    const cJSON *ended = cJSON_GetObjectItemCaseSensitive(end, "ended_at");
    return last != NULL && !last->open && cJSON_IsNumber(ended) &&
           ended->valuedouble == last->ended &&
           read_integer(cJSON_GetObjectItemCaseSensitive(end, "attempts")) == last->attempt;
}

/* A run may have written it since the database was read: then it tells of later attempts. */
static bool may_be_newer(const struct checking *c, const struct facts *f, const cJSON *end) {
    int64_t attempts = read_integer(cJSON_GetObjectItemCaseSensitive(end, "attempts"));
    return c->live && (f->attempt_count == 0 || f->attempt[f->attempt_count - 1].open ||
                       attempts >= f->attempt[f->attempt_count - 1].attempt);
}

void check_trial_snapshot(const struct checking *c, const struct facts *f, int folder_fd) {
    struct text text;
    if (!read_text(folder_fd, "rows.jsonl", &text)) {
        return; // not yet: the next run writes it
    }
    char *path = checked_printf("trials/%s/rows.jsonl", f->key);
    const struct place place = {.trial = f->trial, .file = path};
    cJSON *end = read_end(c, &text, "trial", &place);
    if (end != NULL && (is_current(f, end) || !may_be_newer(c, f, end))) {
        compare_trial_rows(c, f, text.bytes, path, is_current(f, end));
    }
    report_count(c->report, VERIFY_SNAPSHOTS, 1);
    cJSON_Delete(end);
    free(text.bytes);
    free(path);
}

/* ---- those of sweeps ---- */

/* Of the last plan, the sweep and its points are as the database has them; of an older one, the trials are there. */
static void check_sweep_snapshot(const struct checking *c, const char *name, char *bytes,
                                 const cJSON *end, const char *path) {
    const cJSON *planned = cJSON_GetObjectItemCaseSensitive(end, "planned_at");
    char *sql = sqlite3_mprintf("SELECT id, planned_at FROM sweep WHERE name = %Q", name);
    int64_t id = 0;
    bool is_current = false;
    for (sqlite3_stmt *q = db_ask(c->db, sql, 0); db_next(c->db, &q);) {
        id = sqlite3_column_int64(q, 0);
        is_current = cJSON_IsNumber(planned) && planned->valuedouble == sqlite3_column_double(q, 1);
    }
    sqlite3_free(sql);
    if (is_current || !c->live) { // else of a plan that was made since the database was read
        compare_sweep_rows(c, id, name, bytes, path, is_current);
    }
}

void check_sweep_snapshots(const struct checking *c) {
    static const char suffix[] = ".jsonl";
    char *folder = checked_printf("%s/sweeps", c->dir);
    DIR *dir = opendir(folder); // an older besom made none
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        struct text text;
        if (entry->d_name[0] == '.' || len < sizeof suffix ||
            strcmp(entry->d_name + len - (sizeof suffix - 1), suffix) != 0 ||
            !read_text(dirfd(dir), entry->d_name, &text)) {
            continue;
        }
        char *path = checked_printf("sweeps/%s", entry->d_name);
        const struct place place = {.file = path};
        cJSON *end = read_end(c, &text, "sweep", &place);
        if (end != NULL) {
            char *name = checked_copy(entry->d_name);
            name[len - (sizeof suffix - 1)] = '\0';
            check_sweep_snapshot(c, name, text.bytes, end, path);
            free(name);
        }
        cJSON_Delete(end);
        report_count(c->report, VERIFY_SNAPSHOTS, 1);
        free(text.bytes);
        free(path);
    }
    if (dir != NULL) {
        (void)closedir(dir); // only read
    }
    free(folder);
}

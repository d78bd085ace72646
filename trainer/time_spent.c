#include "trainer/time_spent.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static const char NAME[] = "time.json";

enum { FILE_MAX = 4096, EPOCH_MAX = 1000000000 };

double time_now(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail with this clock
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static bool parse(struct time_spent *spent, const struct buf *text) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, NAME, buf_text(text), text->len, JSON_STRICT, &err) != ERR_OK) {
        return false;
    }
    const struct cJSON *root = json_root(doc);
    bool is_object = json_type(root) == JSON_OBJECT;
    const struct cJSON *epoch = is_object ? json_get(root, "epoch") : NULL;
    const struct cJSON *seconds = is_object ? json_get(root, "seconds") : NULL;
    int64_t number = 0;
    bool good = epoch != NULL && json_integer(epoch, 0, EPOCH_MAX, &number) && seconds != NULL &&
                json_type(seconds) == JSON_NUMBER && json_number(seconds) >= 0;
    if (good) {
        spent->epoch = (int)number;
        spent->before = json_number(seconds);
    }
    json_free(doc);
    return good;
}

int time_spent_load(struct time_spent *spent, const char *dir, struct err *err) {
    *spent = (struct time_spent){.started = time_now()};
    struct buf text = {0};
    char *path = mem_printf("%s/%s", dir, NAME);
    int rc = fs_read(path, FILE_MAX, &text, err);
    if (rc == ERR_OK && !parse(spent, &text)) {
        rc =
            err_set(err, ERR_CORRUPT,
                    "%s: not the seconds of a training; without this file they count from 0", path);
    } else if (rc == ERR_NOT_FOUND) {
        rc = ERR_OK;
    }
    buf_release(&text);
    free(path);
    return rc;
}

static double seconds_of(const struct time_spent *spent) {
    return spent->before + time_now() - spent->started;
}

int time_spent_save(struct time_spent *spent, const char *dir, int epoch, struct err *err) {
    spent->epoch = epoch > spent->epoch ? epoch : spent->epoch;
    struct buf text = {0};
    buf_printf(&text, "{\"epoch\": %d, \"seconds\": %.3f}\n", spent->epoch, seconds_of(spent));
    const struct fs_part part = {text.data, text.len};
    int rc = fs_write_atomic(dir, NAME, &part, 1, err);
    buf_release(&text);
    return rc;
}

bool time_spent_is_up(const struct time_spent *spent, double seconds, int epoch) {
    return seconds > 0 && epoch >= 1 && epoch >= spent->epoch && seconds_of(spent) >= seconds;
}

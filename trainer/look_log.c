#include "trainer/look_log.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void drop_oldest(struct look_log *log, int count) {
    if (count == 0) {
        return; // an empty log has no lines that memmove() could be given
    }
    for (int i = 0; i < count; i++) {
        log->bytes -= strlen(log->lines[i].text);
        free(log->lines[i].text);
    }
    log->count -= count;
    if (log->count > 0) { // an empty log may have no memory
        memmove(log->lines, log->lines + count, (size_t)log->count * sizeof *log->lines);
    }
}

void look_log_add(struct look_log *log, int at_epoch, const char *text) {
    assert(log->count == 0 || log->lines[log->count - 1].at_epoch <= at_epoch);
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 16 : 2 * log->cap;
        log->lines = mem_resize(log->lines, (size_t)log->cap, sizeof *log->lines);
    }
    log->lines[log->count++] = (struct look_line){at_epoch, mem_strdup(text)};
    log->bytes += strlen(text);
    int drop = 0;
    for (size_t left = log->bytes; left > LOOK_LOG_MAX && drop + 1 < log->count; drop++) {
        left -= strlen(log->lines[drop].text);
    }
    drop_oldest(log, drop);
}

void look_log_release(struct look_log *log) {
    drop_oldest(log, log->count);
    free(log->lines);
    *log = (struct look_log){0};
}

void look_log_print(struct buf *out, const struct look_log *log) {
    buf_putc(out, '[');
    for (int i = 0; i < log->count; i++) {
        buf_puts(out, i == 0 ? "" : ", ");
        buf_puts(out, log->lines[i].text);
    }
    buf_putc(out, ']');
}

/* The epoch of a layers event, or -1. */
static int epoch_of(const struct cJSON *item, int epoch) {
    const struct cJSON *event, *at;
    int64_t number;
    bool good = json_type(item) == JSON_OBJECT && (event = json_get(item, "event")) != NULL &&
                json_is_string(event, "layers") && (at = json_get(item, "at_epoch")) != NULL &&
                json_integer(at, 0, epoch, &number);
    return good ? (int)number : -1;
}

int look_log_parse(struct look_log *log, const char *text, int epoch, struct err *err) {
    struct json_doc *doc = NULL;
    if (json_parse(&doc, "layers", text, strlen(text), JSON_STRICT, err) != ERR_OK) {
        err->code = ERR_CORRUPT; // text that a checkpoint holds, not input of a user
        return ERR_CORRUPT;
    }
    const struct cJSON *root = json_root(doc);
    bool good = json_type(root) == JSON_ARRAY;
    struct buf line = {0};
    for (const struct cJSON *item = good ? json_first(root) : NULL; item != NULL && good;
         item = json_next(item)) {
        int at_epoch = epoch_of(item, epoch);
        good = at_epoch >= (log->count == 0 ? 0 : log->lines[log->count - 1].at_epoch);
        if (good) {
            buf_clear(&line);
            json_print(&line, item);
            look_log_add(log, at_epoch, buf_text(&line));
        }
    }
    buf_release(&line);
    json_free(doc);
    if (!good) {
        look_log_release(log);
        return err_set(err, ERR_CORRUPT, "the looks at its layers cannot be read");
    }
    return ERR_OK;
}

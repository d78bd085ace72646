#include "base/wire.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines out of chunks ---- */

static void deliver(const char *text, size_t len, bool cut, wire_line_fn *fn, void *context) {
    if (!cut && len > 0 && text[len - 1] == '\r') {
        len--;
    }
    fn(context, text, len, cut);
}

/* Adds a piece of a line that does not end in this chunk, or the end of one that began earlier. */
static void keep(struct wire_splitter *s, const char *piece, size_t len, wire_line_fn *fn,
                 void *context) {
    if (s->cut || len == 0) {
        s->dropped += len;
        return;
    }
    if (s->line == NULL) {
        s->line = mem_resize(NULL, WIRE_LINE_MAX, 1);
    }
    size_t room = WIRE_LINE_MAX - s->len, taken = len < room ? len : room;
    memcpy(s->line + s->len, piece, taken);
    s->len += taken;
    if (taken < len) {
        s->cut = true; // delivered now; the rest of the line is passed over
        s->dropped += len - taken;
        deliver(s->line, s->len, true, fn, context);
        s->len = 0;
    }
}

size_t wire_feed_line(struct wire_splitter *splitter, const char *chunk, size_t len,
                      wire_line_fn *fn, void *context) {
    const char *newline = memchr(chunk, '\n', len);
    size_t piece = newline == NULL ? len : (size_t)(newline - chunk);
    if (newline != NULL && splitter->len == 0 && !splitter->cut && piece <= WIRE_LINE_MAX) {
        deliver(chunk, piece, false, fn, context); // the whole line is here: no copy
    } else {
        keep(splitter, chunk, piece, fn, context);
        if (newline != NULL) {
            wire_end(splitter, fn, context);
        }
    }
    return newline == NULL ? piece : piece + 1;
}

void wire_feed(struct wire_splitter *splitter, const char *chunk, size_t len, wire_line_fn *fn,
               void *context) {
    while (len > 0) {
        size_t used = wire_feed_line(splitter, chunk, len, fn, context);
        chunk += used;
        len -= used;
    }
}

void wire_end(struct wire_splitter *splitter, wire_line_fn *fn, void *context) {
    if (splitter->len > 0) {
        deliver(splitter->line, splitter->len, false, fn, context);
    }
    splitter->len = 0;
    splitter->cut = false;
}

void wire_splitter_release(struct wire_splitter *splitter) {
    free(splitter->line);
    *splitter = (struct wire_splitter){0};
}

/* ---- what a line says ---- */

static void bad(struct wire_record *record, const char *problem) {
    record->kind = WIRE_BAD;
    record->epoch = record->metric_count = 0;
    (void)snprintf(record->problem, sizeof record->problem, "%.*s", (int)sizeof record->problem - 1,
                   problem); // a long one is cut
}

static void read_metrics(struct wire_record *record, const struct cJSON *object) {
    for (const struct cJSON *m = json_first(object); m != NULL; m = json_next(m)) {
        const char *name = json_key(m);
        double value;
        if (strcmp(name, "epoch") == 0 || !json_metric(m, &value)) {
            continue;
        }
        if (strcmp(name, "seconds") == 0) {
            record->seconds = value;
        } else if (strcmp(name, "samples_per_second") == 0) {
            record->samples_per_second = value;
        } else if (name[0] == '\0' || strlen(name) > WIRE_NAME_MAX) {
            bad(record, "a metric's name is empty or longer than 63 bytes");
            return;
        } else if (utf8_has_control(name)) { // it becomes a column, a heading, a line on a terminal
            bad(record, "a metric's name has control characters");
            return;
        } else if (record->metric_count == WIRE_METRIC_MAX) {
            bad(record, "more than 256 metrics in one record");
            return;
        } else {
            struct wire_metric *metric = &record->metrics[record->metric_count++];
            memcpy(metric->name, name, strlen(name) + 1); // measured above
            metric->value = value;
        }
    }
}

static void read_event(struct wire_record *record, struct cJSON *object,
                       const struct cJSON *event) {
    if (json_type(event) != JSON_STRING) {
        bad(record, "\"event\" is not a string");
        return;
    }
    record->kind = WIRE_EVENT;
    record->event = json_text(event);
    record->object = object;
}

/* An epoch makes a record, whatever else is there: "event" is looked at only without one. */
static void read_object(struct wire_record *record, struct cJSON *object) {
    const struct cJSON *event = json_get(object, "event"), *epoch = json_get(object, "epoch");
    int64_t number;
    if (epoch != NULL && json_integer(epoch, 1, WIRE_EPOCH_MAX, &number)) {
        record->kind = WIRE_EPOCH;
        record->epoch = (int)number;
        read_metrics(record, object);
    } else if (event != NULL) {
        read_event(record, object, event);
    } else if (epoch == NULL) {
        bad(record, "neither \"epoch\" nor \"event\"");
    } else {
        bad(record, "\"epoch\" is not an integer from 1 to 1000000000");
    }
}

void wire_parse(struct wire_record *record, const char *line, size_t len) {
    wire_record_release(record);
    if (len == 0 || line[0] != '{') {
        record->kind = WIRE_TEXT;
        return;
    }
    struct err err;
    if (json_parse(&record->doc, "line", line, len, JSON_STRICT, &err) != ERR_OK) {
        bad(record, err.msg);
        return;
    }
    read_object(record, json_root(record->doc));
}

void wire_record_release(struct wire_record *record) {
    json_free(record->doc);
    record->doc = NULL;
    record->kind = WIRE_TEXT;
    record->epoch = record->metric_count = 0;
    record->seconds = record->samples_per_second = NAN;
    record->event = NULL;
    record->object = NULL;
    record->problem[0] = '\0';
}

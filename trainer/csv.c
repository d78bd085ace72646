#include "trainer/csv.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/data_internal.h"
#include "trainer/stream.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16, END = -1 };

struct reader {
    const char *path;
    struct stream *stream;
    uint8_t *chunk; // owned
    size_t len, at; // of the chunk
    int line;       // of the field, from 1
    int newlines;   // read so far
    int column;     // of the field, from 0
    char field[CSV_FIELD_MAX + 1];
    size_t field_len;
    bool quoted;
};

/* What is behind a field. */
enum ending { ENDS_FIELD, ENDS_ROW, ENDS_FILE };

/* ---- fields ---- */

static int fail(const struct reader *r, enum err_code code, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int fail(const struct reader *r, enum err_code code, struct err *err, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); // a cut message is still one
    va_end(args);
    return err_set(err, code, "%s:%d: column %d: %s", r->path, r->line, r->column + 1, text);
}

/* The next byte, END behind the last, without taking it. */
static int peek(struct reader *r, int *c, struct err *err) {
    if (r->at == r->len) {
        r->at = 0;
        int rc = stream_read(r->stream, r->chunk, CHUNK, &r->len, err);
        if (rc != ERR_OK) {
            r->len = 0;
            return rc;
        }
    }
    *c = r->at < r->len ? r->chunk[r->at] : END;
    return ERR_OK;
}

static int put(struct reader *r, int c, struct err *err) {
    if (c == '\0') {
        return fail(r, ERR_PARSE, err, "a NUL");
    }
    if (r->field_len == CSV_FIELD_MAX) {
        return fail(r, ERR_PARSE, err, "a field of more than %d bytes", CSV_FIELD_MAX);
    }
    r->field[r->field_len++] = (char)c;
    return ERR_OK;
}

/* From behind the opening quote to behind the closing one. */
static int read_quoted(struct reader *r, struct err *err) {
    int c = 0, rc;
    r->quoted = true;
    for (;;) {
        rc = peek(r, &c, err);
        if (rc == ERR_OK && c == END) {
            rc = fail(r, ERR_PARSE, err, "truncated: a field in quotes has no end");
        }
        if (rc != ERR_OK) {
            return rc;
        }
        r->at++;
        r->newlines += c == '\n';
        if (c == '"') {
            rc = peek(r, &c, err);
            if (rc != ERR_OK || c != '"') {
                return rc; // the closing one
            }
            r->at++; // two stand for one
        }
        rc = put(r, c, err);
        if (rc != ERR_OK) {
            return rc;
        }
    }
}

/* Takes what separates a field from the next; *done tells whether there was such. */
static int read_ending(struct reader *r, enum ending *ending, bool *done, struct err *err) {
    int c = 0, rc = peek(r, &c, err);
    bool carriage = rc == ERR_OK && c == '\r';
    if (carriage) {
        r->at++;
        rc = peek(r, &c, err);
        if (rc == ERR_OK && c != '\n') {
            rc = fail(r, ERR_PARSE, err, "a carriage return without a line feed");
        }
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *done = c == ',' || c == '\n' || c == END;
    *ending = c == ',' ? ENDS_FIELD : c == '\n' ? ENDS_ROW : ENDS_FILE;
    r->at += *done && c != END;
    r->newlines += c == '\n';
    return ERR_OK;
}

static void trim(struct reader *r) {
    size_t from = 0;
    while (from < r->field_len && (r->field[from] == ' ' || r->field[from] == '\t')) {
        from++;
    }
    while (r->field_len > from &&
           (r->field[r->field_len - 1] == ' ' || r->field[r->field_len - 1] == '\t')) {
        r->field_len--;
    }
    r->field_len -= from;
    memmove(r->field, r->field + from, r->field_len);
}

/* The next field into r->field. */
static int read_field(struct reader *r, enum ending *ending, struct err *err) {
    r->field_len = 0;
    r->quoted = false;
    r->line = r->newlines + 1;
    int c = 0, rc = peek(r, &c, err);
    if (rc == ERR_OK && c == '"') {
        r->at++;
        rc = read_quoted(r, err);
    }
    bool done = false;
    while (rc == ERR_OK && !done) {
        rc = read_ending(r, ending, &done, err);
        if (rc == ERR_OK && !done) {
            rc = peek(r, &c, err); // a byte that is there
            if (rc == ERR_OK && (r->quoted || c == '"')) {
                rc = fail(r, ERR_PARSE, err,
                          r->quoted ? "something behind a field in quotes"
                                    : "a quote within a field without quotes");
            }
            r->at++;
            rc = rc == ERR_OK ? put(r, c, err) : rc;
        }
    }
    if (!r->quoted) {
        trim(r);
    }
    r->field[r->field_len] = '\0';
    return rc;
}

/* ---- values ---- */

static bool is_number(const char *text) {
    double value;
    return num_parse(text, &value);
}

static int fail_value(const struct reader *r, enum err_code code, const char *text,
                      const char *what, struct err *err) {
    enum { SHOWN = 40 };
    struct buf shown = {0};
    size_t len = strlen(text);
    buf_json_string(&shown, text, len < SHOWN ? len : SHOWN);
    int rc = fail(r, code, err, "%s%s %s", buf_text(&shown), len > SHOWN ? "..." : "", what);
    buf_release(&shown);
    return rc;
}

/* Short digits, which most files are made of, without strtod(). */
static bool small_integer(const char *text, float *out) {
    int value = 0, i = 0;
    for (; i < 7 && text[i] >= '0' && text[i] <= '9'; i++) {
        value = value * 10 + (text[i] - '0');
    }
    *out = (float)value; // exact
    return i > 0 && text[i] == '\0';
}

static int convert(const struct reader *r, const char *text, float *out, struct err *err) {
    if (small_integer(text, out)) {
        return ERR_OK;
    }
    double value;
    if (!num_parse(text, &value) || !(fabs(value) <= (double)FLT_MAX)) {
        return fail_value(r, ERR_PARSE, text, "is no finite number that float32 can hold", err);
    }
    *out = (float)value;
    return ERR_OK;
}

static int convert_label(const struct reader *r, const char *text, uint8_t *out, struct err *err) {
    int64_t value;
    if (!num_parse_int(text, 0, DATA_CLASS_MAX - 1, &value)) {
        return fail_value(r, ERR_RANGE, text, "is no label, an integer from 0 to 255", err);
    }
    *out = (uint8_t)value;
    return ERR_OK;
}

/* ---- rows ---- */

/* Room for one row more. */
static void reserve(struct csv *csv, int *cap) {
    if (csv->rows == *cap) {
        *cap = *cap == 0 ? (csv->features < 64 ? 64 : 1) : 2 * *cap;
        csv->values =
            mem_resize(csv->values, (size_t)*cap * (size_t)csv->features, sizeof *csv->values);
        csv->labels = mem_resize(csv->labels, (size_t)*cap, 1);
    }
}

/* Puts the field `text`, the r->column-th of a row, where it belongs. */
static int put_value(const struct reader *r, struct csv *csv, const char *text, struct err *err) {
    if (r->column > csv->features) {
        return fail(r, ERR_PARSE, err, "a field more than the %d of the first row",
                    csv->features + 1);
    }
    if (r->column == csv->label) {
        return convert_label(r, text, &csv->labels[csv->rows], err);
    }
    size_t feature = (size_t)(r->column - (r->column > csv->label));
    return convert(r, text, &csv->values[(size_t)csv->rows * (size_t)csv->features + feature], err);
}

/* A list of texts that grows: the first row, before it is known what it is. */
struct texts {
    char **items; // owned, and each of them
    int count, cap;
};

static void texts_add(struct texts *texts, const char *text) {
    if (texts->count == texts->cap) {
        texts->cap = texts->cap == 0 ? 16 : 2 * texts->cap;
        texts->items = mem_resize(texts->items, (size_t)texts->cap, sizeof *texts->items);
    }
    texts->items[texts->count++] = mem_strdup(text);
}

static void texts_release(struct texts *texts) {
    for (int i = 0; i < texts->count; i++) {
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (struct texts){0};
}

/* An empty line is no row. */
static bool is_blank(const struct reader *r, enum ending ending) {
    return r->column == 0 && ending != ENDS_FIELD && r->field_len == 0 && !r->quoted;
}

/* The first line that is not empty. */
static int read_first(struct reader *r, struct texts *first, enum ending *ending, struct err *err) {
    int rc = ERR_OK;
    *ending = ENDS_ROW;
    while (first->count == 0 && *ending != ENDS_FILE) {
        r->column = 0;
        do {
            rc = read_field(r, ending, err);
            if (rc == ERR_OK && r->column > DATA_FEATURE_MAX) {
                rc = fail(r, ERR_RANGE, err, "more than %d features", DATA_FEATURE_MAX);
            }
            if (rc != ERR_OK) {
                return rc;
            }
            if (!is_blank(r, *ending)) {
                texts_add(first, r->field);
            }
            r->column++;
        } while (*ending == ENDS_FIELD);
    }
    return first->count > 0 ? ERR_OK : err_set(err, ERR_RANGE, "%s: no rows", r->path);
}

/* Names are shown in messages: what a terminal would obey becomes a question mark. */
static void make_printable(struct texts *header) {
    for (int i = 0; i < header->count; i++) {
        for (char *c = header->items[i]; *c != '\0'; c++) {
            *c = ((unsigned char)*c < ' ' || *c == 0x7f) ? '?' : *c;
        }
    }
}

/* Which column of the header is called so; -1 for none. */
static int find_name(const struct texts *header, const char *name) {
    for (int i = 0; i < header->count; i++) {
        if (strcmp(header->items[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static int choose_label(const struct reader *r, const struct texts *first, bool is_header,
                        const struct label_spec *label, int *column, struct err *err) {
    if (label->column > 0) {
        if (label->column > first->count) {
            return err_set(err, ERR_RANGE, "%s: no column %d for the label: there are %d", r->path,
                           label->column, first->count);
        }
        *column = label->column - 1;
        return ERR_OK;
    }
    *column = is_header ? find_name(first, label->name != NULL ? label->name : "label") : -1;
    if (label->name == NULL) {
        *column = *column < 0 ? 0 : *column;
        return ERR_OK;
    }
    if (*column < 0) {
        struct buf text = {0};
        if (is_header) {
            const char *const *names = (const char *const *)first->items;
            diag_suggest(&text, label->name, names, first->count < 32 ? (size_t)first->count : 32);
        } else {
            buf_puts(&text, "; the first row is no header: give its number, from 1");
        }
        (void)err_set(err, ERR_RANGE, "%s: no column \"%s\" for the label%s", r->path, label->name,
                      buf_text(&text));
        buf_release(&text);
        return ERR_RANGE;
    }
    return ERR_OK;
}

/* The first row says how many columns there are, and perhaps their names. */
static int begin(struct reader *r, struct csv *csv, int *cap, const struct label_spec *label,
                 enum ending *ending, struct err *err) {
    struct texts first = {0};
    int rc = read_first(r, &first, ending, err), row_line = r->line;
    bool is_header = false;
    for (int i = 0; i < first.count; i++) {
        is_header = is_header || !is_number(first.items[i]);
    }
    if (is_header) {
        make_printable(&first);
    }
    rc = rc == ERR_OK ? choose_label(r, &first, is_header, label, &csv->label, err) : rc;
    if (rc == ERR_OK && first.count < 2) {
        rc = err_set(err, ERR_RANGE, "%s: one column, where a label and features are needed",
                     r->path);
    }
    csv->features = first.count - 1;
    if (rc == ERR_OK && is_header) {
        csv->names = first.items;
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        reserve(csv, cap);
        r->line = row_line;
        for (r->column = 0; r->column < first.count && rc == ERR_OK; r->column++) {
            rc = put_value(r, csv, first.items[r->column], err);
        }
        csv->rows = 1;
    }
    texts_release(&first);
    return rc;
}

static int read_row(struct reader *r, struct csv *csv, int *cap, enum ending *ending,
                    struct err *err) {
    r->column = 0;
    int rc = read_field(r, ending, err);
    if (rc != ERR_OK || is_blank(r, *ending)) {
        return rc;
    }
    if (csv->rows == DATA_COUNT_MAX) {
        return fail(r, ERR_RANGE, err, "more than %d rows", DATA_COUNT_MAX);
    }
    reserve(csv, cap);
    rc = put_value(r, csv, r->field, err);
    while (rc == ERR_OK && *ending == ENDS_FIELD) {
        r->column++;
        rc = read_field(r, ending, err);
        rc = rc == ERR_OK ? put_value(r, csv, r->field, err) : rc;
    }
    if (rc == ERR_OK && r->column < csv->features) {
        rc = fail(r, ERR_PARSE, err, "the last field of the row, where the first row has %d",
                  csv->features + 1);
    }
    csv->rows += rc == ERR_OK;
    return rc;
}

/* ---- the file ---- */

static int skip_mark(struct reader *r, struct err *err) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    int c, rc = peek(r, &c, err); // a chunk, of which the mark is the beginning
    if (rc == ERR_OK && r->len >= sizeof mark && memcmp(r->chunk, mark, sizeof mark) == 0) {
        r->at += sizeof mark;
    }
    return rc;
}

static int read_table(struct reader *r, struct csv *csv, const struct label_spec *label,
                      struct err *err) {
    enum ending ending = ENDS_ROW;
    int cap = 0, rc = skip_mark(r, err);
    rc = rc == ERR_OK ? begin(r, csv, &cap, label, &ending, err) : rc;
    while (rc == ERR_OK && ending != ENDS_FILE) {
        rc = read_row(r, csv, &cap, &ending, err);
    }
    if (rc == ERR_OK && csv->rows == 0) {
        rc = err_set(err, ERR_RANGE, "%s: no rows behind the header", r->path);
    }
    return rc;
}

int csv_load(struct csv *csv, const char *path, const struct label_spec *label, struct err *err) {
    struct csv read = {0};
    struct reader *r = mem_zalloc(1, sizeof *r);
    r->path = path;
    r->chunk = mem_zalloc(CHUNK, 1);
    int rc = stream_open(&r->stream, path, err);
    rc = rc == ERR_OK ? read_table(r, &read, label, err) : rc;
    stream_close(r->stream);
    free(r->chunk);
    free(r);
    if (rc == ERR_OK) {
        *csv = read;
    } else {
        csv_release(&read);
    }
    return rc;
}

void csv_release(struct csv *csv) {
    for (int i = 0; csv->names != NULL && i <= csv->features; i++) {
        free(csv->names[i]);
    }
    free(csv->names);
    free(csv->values);
    free(csv->labels);
    *csv = (struct csv){0};
}

/* What a trainer prints: lines out of chunks as a plain splitter has them, and records that keep to
 * the promises of base/wire.h.  A first byte '~' stands for a line's worth of text but 4 bytes, so that
 * small inputs reach the limit. */
#include "base/buf.h"
#include "base/json.h"
#include "base/wire.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* ---- lines ---- */

static void put_line(void *context, const char *text, size_t len, bool cut) {
    struct buf *out = context;
    FUZZ_REQUIRE(len <= WIRE_LINE_MAX);
    buf_put(out, text, len);
    buf_puts(out, cut ? "<cut>\n" : "\n");
}

/* The whole stream at once, by the definition. */
static void split_plainly(struct buf *out, const char *text, size_t size) {
    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        size_t len = (size_t)(stop - text);
        bool cut = len > WIRE_LINE_MAX;
        len = cut ? WIRE_LINE_MAX : len;
        len -= !cut && len > 0 && text[len - 1] == '\r';
        put_line(out, text, len, cut);
        text = stop + 1;
    }
}

static void split_in_chunks(struct buf *out, const char *text, size_t size) {
    struct wire_splitter splitter = {0};
    size_t at = 0;
    while (at < size) { // of lengths that the bytes themselves say
        size_t chunk = 1 + (unsigned char)text[at] % 61;
        chunk = chunk < size - at ? chunk : size - at;
        wire_feed(&splitter, text + at, chunk, put_line, out);
        at += chunk;
    }
    wire_end(&splitter, put_line, out);
    wire_splitter_release(&splitter);
}

/* ---- records ---- */

static void check_metrics(const struct wire_record *record) {
    FUZZ_REQUIRE(record->epoch >= 1 && record->epoch <= WIRE_EPOCH_MAX);
    FUZZ_REQUIRE(record->metric_count >= 0 && record->metric_count <= WIRE_METRIC_MAX);
    for (int i = 0; i < record->metric_count; i++) {
        const char *name = record->metrics[i].name;
        FUZZ_REQUIRE(name[0] != '\0' && strlen(name) <= WIRE_NAME_MAX);
        fuzz_require_printable(name, strlen(name));
        for (int j = 0; j < i; j++) {
            FUZZ_REQUIRE(strcmp(name, record->metrics[j].name) != 0);
        }
    }
}

static void check_line(struct wire_record *record, const char *line, size_t len) {
    wire_parse(record, line, len);
    FUZZ_REQUIRE((record->kind == WIRE_TEXT) == (len == 0 || line[0] != '{'));
    switch (record->kind) {
    case WIRE_TEXT:
        break;
    case WIRE_EPOCH:
        check_metrics(record);
        break;
    case WIRE_EVENT:
        FUZZ_REQUIRE(json_get(record->object, "event") != NULL);
        FUZZ_REQUIRE(strcmp(json_text(json_get(record->object, "event")), record->event) == 0);
        break;
    case WIRE_BAD:
        FUZZ_REQUIRE(record->problem[0] != '\0' && record->metric_count == 0);
        fuzz_require_printable(record->problem, strlen(record->problem));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct wire_record record; // reused, as the runner does
    struct buf text = {0}, plain = {0}, chunked = {0};
    if (size > 0 && data[0] == '~') {
        memset(buf_reserve(&text, WIRE_LINE_MAX - 4), 'x', WIRE_LINE_MAX - 4);
        text.len += WIRE_LINE_MAX - 4;
    }
    buf_put(&text, data, size);
    split_plainly(&plain, text.data, text.len);
    split_in_chunks(&chunked, text.data, text.len);
    FUZZ_REQUIRE(plain.len == chunked.len);
    FUZZ_REQUIRE(memcmp(buf_text(&plain), buf_text(&chunked), plain.len) == 0);

    for (const char *line = buf_text(&plain), *end = line + plain.len; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        check_line(&record, line, (size_t)(newline - line));
        line = newline + 1;
    }
    wire_record_release(&record);
    buf_release(&text);
    buf_release(&plain);
    buf_release(&chunked);
    return 0;
}

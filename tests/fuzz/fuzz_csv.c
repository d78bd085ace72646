/* Tables: one that is accepted holds finite numbers, as many as it says, and the label's column is there;
 * written out again, it reads back to the same. */
#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "tests/fuzz/fuzz.h"
#include "trainer/csv.h"

#include <math.h>
#include <string.h>

static void check_same(const struct csv *a, const struct csv *b) {
    FUZZ_REQUIRE(a->rows == b->rows && a->features == b->features);
    FUZZ_REQUIRE(memcmp(a->labels, b->labels, (size_t)a->rows) == 0);
    size_t len = (size_t)a->rows * (size_t)a->features;
    for (size_t i = 0; i < len; i++) {
        FUZZ_REQUIRE(num_same_bits((double)a->values[i], (double)b->values[i]));
    }
}

/* Label first, then the features in quotes, with CRLF. */
static void check_written(const struct csv *csv) {
    struct buf text = {0};
    for (int row = 0; row < csv->rows; row++) {
        buf_printf(&text, "%d", csv->labels[row]);
        for (int f = 0; f < csv->features; f++) {
            char number[NUM_TEXT_MAX];
            (void)num_format(number,
                             (double)csv->values[(size_t)row * (size_t)csv->features + (size_t)f]);
            buf_printf(&text, ",\"%s\"", number);
        }
        buf_puts(&text, "\r\n");
    }
    const struct label_spec first = {.column = 1};
    struct csv back;
    struct err err;
    FUZZ_REQUIRE(csv_load(&back, fuzz_file(buf_text(&text), text.len), &first, &err) == ERR_OK);
    check_same(csv, &back);
    csv_release(&back);
    buf_release(&text);
}

static void load(const uint8_t *data, size_t size, struct label_spec label) {
    const char *path = fuzz_file(data, size);
    struct csv csv;
    struct err err;
    if (csv_load(&csv, path, &label, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, path, strlen(path)) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        return;
    }
    FUZZ_REQUIRE(csv.rows >= 1 && csv.features >= 1);
    FUZZ_REQUIRE(csv.label >= 0 && csv.label <= csv.features);
    for (size_t i = 0; i < (size_t)csv.rows * (size_t)csv.features; i++) {
        FUZZ_REQUIRE(isfinite(csv.values[i]));
    }
    for (int i = 0; csv.names != NULL && i <= csv.features; i++) {
        FUZZ_REQUIRE(strlen(csv.names[i]) <= CSV_FIELD_MAX);
        fuzz_require_printable(csv.names[i], strlen(csv.names[i]));
    }
    check_written(&csv);
    csv_release(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char name[] = "b";
    load(data, size, (struct label_spec){0});
    load(data, size, (struct label_spec){.column = 2});
    load(data, size, (struct label_spec){.name = name});
    return 0;
}

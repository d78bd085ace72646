/* The JSON reader: what it accepts has a place for every value, and each printed form of it reads back
 * equal and prints the same bytes again.  A first byte '/' turns comments on, as in config files. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

typedef void print_fn(struct buf *out, const struct cJSON *value);

static void check_form(print_fn *print, const struct cJSON *root) {
    struct buf text = {0}, again = {0};
    struct json_doc *doc;
    struct err err;
    print(&text, root);
    FUZZ_REQUIRE(json_parse(&doc, "printed", buf_text(&text), text.len, JSON_STRICT, &err) ==
                 ERR_OK);
    FUZZ_REQUIRE(json_equal(json_root(doc), root));
    print(&again, json_root(doc));
    FUZZ_REQUIRE(again.len == text.len && memcmp(again.data, text.data, text.len) == 0);
    buf_release(&text);
    buf_release(&again);
    json_free(doc);
}

static void check_places(const struct json_doc *doc, const struct cJSON *value) {
    int line, column;
    json_where(doc, value, &line, &column);
    FUZZ_REQUIRE(line > 0 && column > 0);
    enum json_type type = json_type(value);
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        return;
    }
    int count = 0;
    for (const struct cJSON *m = json_first(value); m != NULL; m = json_next(m)) {
        FUZZ_REQUIRE(type == JSON_ARRAY || json_get(value, json_key(m)) == m); // names are unique
        check_places(doc, m);
        count++;
    }
    FUZZ_REQUIRE(count == json_count(value));
}

static void check_copy(const struct cJSON *root) {
    struct cJSON *copy = json_copy(root);
    FUZZ_REQUIRE(json_equal(copy, root));
    check_form(json_print_canonical, copy);
    json_delete(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_doc *doc;
    struct err err;
    int flags = size > 0 && data[0] == '/' ? JSON_COMMENTS : JSON_STRICT;
    if (json_parse(&doc, "input", (const char *)data, size, flags, &err) != ERR_OK) {
        FUZZ_REQUIRE(strncmp(err.msg, "input:", 6) == 0);
        fuzz_require_printable(err.msg, strlen(err.msg));
        return 0;
    }
    check_places(doc, json_root(doc));
    check_form(json_print, json_root(doc));
    check_form(json_print_pretty, json_root(doc));
    check_form(json_print_canonical, json_root(doc));
    check_copy(json_root(doc));
    json_free(doc);
    return 0;
}

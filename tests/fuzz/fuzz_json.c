/* The JSON reader: whatever it accepts has places, and reads back equal in each of its three printed
 * forms. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_printed(const struct buf *text, const struct cJSON *root) {
    struct json_doc *doc;
    struct err err;
    FUZZ_REQUIRE(json_parse(&doc, "printed", buf_text(text), text->len, JSON_STRICT, &err) ==
                 ERR_OK);
    FUZZ_REQUIRE(json_equal(json_root(doc), root));
    struct buf line = {0}, again = {0};
    json_print(&line, root); // order of members counts here
    json_print(&again, json_root(doc));
    FUZZ_REQUIRE(line.len >= text->len || text->len > 0);
    buf_release(&line);
    buf_release(&again);
    json_free(doc);
}

static void check_forms(const struct cJSON *root) {
    static void (*const forms[])(struct buf *, const struct cJSON *) = {
        json_print, json_print_pretty, json_print_canonical};
    for (int i = 0; i < 3; i++) {
        struct buf text = {0};
        forms[i](&text, root);
        check_printed(&text, root);
        buf_release(&text);
    }
}

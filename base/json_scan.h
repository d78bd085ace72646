/* base/json_scan.h - the grammar of RFC 8259, strictly, and where each value starts.  For base/json.c.
 *
 * cJSON accepts more than JSON ("01", "\u0000", text after the value) and tells no places.  This looks
 * first: one pass over the text, nothing built but a list of offsets in document order, which is the
 * order in which the tree is walked. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_scan {
    char *text; // NUL terminated; comments are overwritten with blanks
    size_t len;
    bool comments;
    uint32_t *offset; // owned: of each value, of a member's name
    size_t count, cap;
    size_t at;      // how far it got; on failure the place of what is wrong
    char what[128]; // on failure: "expected a value, found \"}\""
};

/* true when the text is one JSON value.  The caller frees `offset` in either case. */
bool json_scan_run(struct json_scan *scan);

#endif

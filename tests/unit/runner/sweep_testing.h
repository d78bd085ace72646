/* tests/unit/runner/sweep_testing.h - sweeps from texts, for the tests that need one. */
#ifndef TESTS_UNIT_RUNNER_SWEEP_TESTING_H
#define TESTS_UNIT_RUNNER_SWEEP_TESTING_H

#include "base/diag.h"
#include "base/err.h"
#include "runner/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The sweep in `text`, which must be without fault. */
static inline void load_good(struct sweep *sweep, const char *text) {
    struct diag diag = {0};
    struct err err;
    if (sweep_parse(sweep, "t", text, &diag, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    if (diag.count > 0) {
        fail_msg("%s: %s", text, buf_text(&diag.text));
    }
    diag_release(&diag);
}

/* `{"name": "t", <rest>}` */
static inline void load_rest(struct sweep *sweep, const char *rest) {
    static char text[1 << 16];
    int len = snprintf(text, sizeof text, "{\"name\": \"t\", %s}", rest);
    assert_in_range(len, 1, sizeof text - 1);
    load_good(sweep, text);
}

#endif

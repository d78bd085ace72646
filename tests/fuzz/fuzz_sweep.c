/* The sweep file: complaints are lines that can be printed, and a sweep without any keeps the invariants of
 * runner/sweep.h, looked at on its first and last points. */
#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/json.h"
#include "runner/grid.h"
#include "runner/sweep.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { POINTS = 4 };

static void check_diag(const struct diag *diag) {
    const char *line = buf_text(&diag->text), *newline;
    for (; (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
        fuzz_require_printable(line, (size_t)(newline - line));
    }
    FUZZ_REQUIRE(*line == '\0' && (diag->count > 0) == (diag->text.len > 0));
}

static void check_axes(const struct sweep *sweep) {
    int64_t points = 1;
    for (int i = 0; i < sweep->axis_count; i++) {
        FUZZ_REQUIRE(sweep->axes[i].count > 0);
        points *= sweep->axes[i].count; // cannot overflow: the product was found to be in range
    }
    FUZZ_REQUIRE(points == sweep->points && sweep->replicates >= 1);
    FUZZ_REQUIRE(points * sweep->replicates <= SWEEP_TRIALS_MAX);
    FUZZ_REQUIRE(grid_size(sweep) == points * sweep->replicates);
}

/* Every axis has, in the point's config and parameters, one of its values. */
static void check_point(const struct sweep *sweep, int64_t ordinal) {
    struct grid_point point;
    struct err err;
    bool excluded;
    int digits[SWEEP_AXIS_MAX], replicate;
    FUZZ_REQUIRE(grid_at(sweep, ordinal, &point, &excluded, &err) == ERR_OK);
    if (excluded) {
        return;
    }
    grid_digits(sweep, ordinal, digits, &replicate);
    FUZZ_REQUIRE(replicate == point.replicate);
    FUZZ_REQUIRE((double)point.seed == json_number(json_get(point.config, "seed")));
    for (int i = 0; i < sweep->axis_count; i++) {
        const struct sweep_axis *axis = &sweep->axes[i];
        const struct cJSON *value = axis->value[digits[i]];
        FUZZ_REQUIRE(json_equal(json_get(point.params, axis->path), value));
        const struct cJSON *found = json_path_get(point.config, axis->path);
        bool changes = strcmp(axis->path, "seed") == 0; // with the replicate
        FUZZ_REQUIRE(found != NULL);
        FUZZ_REQUIRE(changes || json_type(value) == JSON_OBJECT || // others may lie in it
                     json_type(found) == JSON_OBJECT || json_equal(found, value));
    }
    FUZZ_REQUIRE(point.label[0] != '\0');
    grid_point_release(&point);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf text = {0};
    struct diag diag = {0};
    struct sweep sweep;
    struct err err;
    buf_put(&text, data, size);
    int rc = sweep_parse(&sweep, "input", buf_text(&text), &diag, &err);
    if (rc != ERR_OK) {
        FUZZ_REQUIRE(err.msg[0] != '\0');
    } else if (diag.count > 0) {
        diag_finish(&diag);
        check_diag(&diag);
    } else {
        check_axes(&sweep);
        for (int64_t i = 0; i < POINTS && i < grid_size(&sweep); i++) {
            check_point(&sweep, i);
            check_point(&sweep, grid_size(&sweep) - 1 - i);
        }
    }
    sweep_release(&sweep);
    diag_release(&diag);
    buf_release(&text);
    return 0;
}

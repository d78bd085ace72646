#include "results/sweep_view.h"

#include "base/buf.h"

#include <string.h>

void sweep_view_put_identifier(struct buf *sql, const char *name) {
    buf_putc(sql, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            buf_putc(sql, '"');
        }
        buf_putc(sql, *name);
    }
    buf_putc(sql, '"');
}

void sweep_view_put_name(struct buf *sql, const char *sweep) {
    buf_puts(sql, "\"sweep_");
    for (; *sweep != '\0'; sweep++) {
        if (*sweep == '"') { // a sweep's name has none, but no text may leave the quotes
            buf_putc(sql, '"');
        }
        buf_putc(sql, *sweep == '-' ? '_' : *sweep);
    }
    buf_putc(sql, '"');
}

bool sweep_view_metric_rises(const char *metric) {
    return strstr(metric, "loss") == NULL && strstr(metric, "error") == NULL;
}

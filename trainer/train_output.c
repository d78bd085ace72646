/* What a training prints. */
#include "trainer/train_internal.h"

#include "base/err.h"
#include "trainer/numerics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int training_say(struct training *t, struct err *err) {
    FILE *out = t->options->out;
    buf_putc(&t->line, '\n');
    bool good = fwrite(t->line.data, 1, t->line.len, out) == t->line.len && fflush(out) == 0;
    int error = errno;
    buf_clear(&t->line);
    if (good) {
        return ERR_OK;
    }
    t->unheard = error == EPIPE;
    return err_io(err, error, "write the output");
}

static int say_start(struct training *t, int from_epoch, struct err *err) {
    struct buf numerics = {0};
    numerics_describe(&numerics);
    buf_printf(&t->line, "{\"event\": \"start\", \"from_epoch\": %d, \"deterministic\": true, ",
               from_epoch);
    if (t->options->program != NULL) {
        buf_puts(&t->line, "\"program\": ");
        buf_json_string(&t->line, t->options->program, strlen(t->options->program));
        buf_puts(&t->line, ", ");
    }
    buf_printf(&t->line, "\"parameters\": %zu, \"numerics\": ", net_param_count(t->net));
    buf_json_string(&t->line, numerics.data, numerics.len);
    buf_putc(&t->line, '}');
    buf_release(&numerics);
    return training_say(t, err);
}

int training_say_failed(struct training *t, const char *reason, const char *message,
                        struct err *err) {
    buf_printf(&t->line, "{\"event\": \"failed\", \"reason\": \"%s\", \"message\": ", reason);
    buf_json_string(&t->line, message, strlen(message));
    buf_putc(&t->line, '}');
    return training_say(t, err);
}

int training_repeat_records(struct training *t, struct err *err) {
    int count = t->history.count < t->config->epochs ? t->history.count : t->config->epochs;
    int rc = say_start(t, count, err);
    rc = rc == ERR_OK ? training_say_looks(t, 0, err) : rc;
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        rc = training_say_looks(t, i + 1, err);
        if (rc == ERR_OK) {
            record_print(&t->line, &t->history.records[i], NULL);
            rc = training_say(t, err);
        }
    }
    return rc;
}

int training_say_done(struct training *t, enum stop_reason why, struct err *err) {
    buf_puts(&t->line, "{\"event\": \"done\"");
    if (why != STOP_NONE) {
        buf_printf(&t->line, ", \"stopped\": \"%s\"", stop_reason_names[why]);
    }
    buf_putc(&t->line, '}');
    return training_say(t, err);
}

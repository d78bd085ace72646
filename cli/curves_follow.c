/* Following a run: the same picture again, or what is new as lines.
 *
 * A look at the store costs a query of one number (PRAGMA data_version) unless something was committed.  The lock of
 * the folder is looked at before the rows are read: once it is free, all rows are there.  After a look that took long, as
 * of thousands of trials, the pause is longer, so that a tenth of a core is used at most and the trainers keep the rest.
 *
 * The terminal is never left in a state: the cursor stays visible, line wrap is off within one write alone, and a
 * signal only sets a flag that is looked at between pictures. */
#include "cli/curves_request.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/term.h"
#include "results/query.h"
#include "results/store.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MS = 200,
    HEIGHT_MIN = 4,
    SHARE = 9 /* of the time at rest, to 1 of looking */
};

static volatile sig_atomic_t stop_signal, continued;

static void on_stop(int number) {
    stop_signal = number;
}

static void on_continue(int number) {
    (void)number;
    continued = 1;
}

struct follow {
    const struct curves_request *request;
    struct store *store;
    char *sweep; // NULL: not found yet
    int64_t version;
    bool animated, loaded, told_waiting;
    struct curves curves[CURVES_METRICS_MAX]; // the last that were loaded
    int drawn, width, height;                 // lines of the picture, and the terminal's size then
};

static void pause_ms(int ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
                    NULL); // cut short by a signal, which is then looked at
}

/* Of some moment on; a difference is what counts. */
static int now_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for a clock that there is
    return (int)(now.tv_sec % 1000000 * 1000 + now.tv_nsec / 1000000);
}

/* ---- the picture ---- */

static int count_lines(const struct buf *text) {
    int lines = 0;
    for (size_t i = 0; i < text->len; i++) {
        lines += text->data[i] == '\n';
    }
    return lines;
}

/* The picture, as high as asked for and as the terminal has room for: what has left it above cannot be drawn
 * again. */
static void make_picture(struct buf *out, const struct follow *f, bool last) {
    const struct curves_request *r = f->request;
    int width = r->plot.width > 0 ? r->plot.width : f->width, height = r->plot.height;
    for (int tries = 0; tries < 2; tries++) {
        buf_clear(out);
        curves_request_draw(out, r, f->curves, width, height);
        int excess = count_lines(out) + 2 - f->height;
        if (excess <= 0 || last) {
            return;
        }
        height -= (excess + r->metric_count - 1) / r->metric_count;
        height = height < HEIGHT_MIN ? HEIGHT_MIN : height;
    }
}

static void draw(struct follow *f, bool last) {
    int width = term_width(stdout), height = term_height(stdout);
    struct buf picture = {0}, out = {0};
    if (f->drawn > 0 && (width != f->width || height != f->height)) {
        buf_puts(&out, "\033[2J\033[H"); // what stood there has wrapped, nobody knows how
    } else if (f->drawn > 0) {
        buf_printf(&out, "\r\033[%dA", f->drawn);
    }
    f->width = width;
    f->height = height;
    make_picture(&picture, f, last);
    if (!last) {
        buf_printf(&picture, "%sfollowing the run; Ctrl-C ends this, not the run%s\n",
                   term_style(stdout, TERM_DIM), term_style(stdout, TERM_RESET));
    }
    buf_puts(&out, "\033[?7l");
    f->drawn = 0;
    for (const char *at = buf_text(&picture); *at != '\0' && (last || f->drawn < height - 1);) {
        size_t len = strcspn(at, "\n");
        buf_put(&out, at, len);
        buf_puts(&out, "\033[K\n");
        at += len + (at[len] == '\n');
        f->drawn++;
    }
    buf_puts(&out, "\033[J\033[?7h");
    (void)fwrite(buf_text(&out), 1, out.len, stdout); // main() looks at ferror(stdout)
    (void)fflush(stdout);
    buf_release(&picture);
    buf_release(&out);
}

/* ---- lines ---- */

static void put_text_line(struct buf *out, const struct curves *c, const struct curve *curve,
                          const struct curve_point *point) {
    char mean[NUM_TEXT_MAX], half[NUM_TEXT_MAX];
    (void)num_steady(mean, point->mean, 4);
    buf_printf(out, "epoch %-4d ", point->epoch);
    plot_put_text(out, curve->name, 24, true);
    buf_printf(out, "  %s %s", c->metric, point->not_finite > 0 ? "gap" : mean);
    if (c->band == CURVES_BAND_MINMAX && isfinite(point->low)) {
        char high[NUM_TEXT_MAX];
        (void)num_steady(half, point->low, 4);
        (void)num_steady(high, point->high, 4);
        buf_printf(out, "  %s to %s", half, high);
    } else if (isfinite(point->low)) {
        (void)num_human(half, point->high - point->mean, 2);
        buf_printf(out, " ±%s", half);
    }
    buf_printf(out, "  n %d of %d", point->n, curve->trials);
    if (point->not_finite > 0) {
        buf_printf(out, ", nan or infinite in %d", point->not_finite);
    }
    buf_putc(out, '\n');
}

static void put_json_line(struct buf *out, const struct curves_request *r, const struct curves *c,
                          const struct curve *curve, const struct curve_point *point) {
    const struct {
        const char *name;
        double value;
    } numbers[] = {{r->metric_count > 1 ? "mean" : c->metric, point->mean},
                   {"n", point->n},
                   {"low", point->low},
                   {"high", point->high},
                   {"trials", curve->trials},
                   {"not_finite", point->not_finite}};
    const char *axis = c->axis != NULL ? c->axis : "trials";
    buf_putc(out, '{');
    buf_json_string(out, axis, strlen(axis));
    buf_puts(out, ": ");
    buf_json_string(out, curve->name, strlen(curve->name));
    buf_printf(out, ", \"epoch\": %d", point->epoch);
    if (r->metric_count > 1) {
        buf_puts(out, ", \"metric\": ");
        buf_json_string(out, c->metric, strlen(c->metric));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        buf_puts(out, ", ");
        buf_json_string(out, numbers[i].name, strlen(numbers[i].name));
        buf_puts(out, ": ");
        if (isnan(numbers[i].value)) {
            buf_puts(out, "null"); // as the table has it
        } else {
            buf_json_number(out, numbers[i].value);
        }
    }
    buf_puts(out, "}\n");
}

/* A row of the table without its header, which goes first once. */
static void put_csv_line(struct buf *out, const struct curves_request *r, const struct curves *c,
                         const struct curve *curve, const struct curve_point *point, bool header) {
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL) {
        mem_exhausted();
    }
    struct table *t = table_new();
    curves_put_columns(t, r, c);
    curves_put_point(t, r, c, curve, point);
    table_print(t, TABLE_CSV, stream);
    table_free(t);
    if (fclose(stream) != 0) {
        mem_exhausted();
    }
    const char *row = strchr(text, '\n'); // no name of a column has one: it would be '?'
    buf_puts(out, header || row == NULL ? text : row + 1);
    free(text);
}

/* The point of that epoch that was there before; NULL: none. */
static const struct curve_point *point_before(const struct curves *before,
                                              const struct curve *curve, int index, int epoch) {
    const struct curve *old = NULL;
    for (int i = 0; i < before->count && old == NULL; i++) { // as a rule it is where it was
        const struct curve *candidate = &before->curves[(index + i) % before->count];
        old = strcmp(candidate->name, curve->name) == 0 ? candidate : NULL;
    }
    if (old == NULL) {
        return NULL;
    }
    int low = 0, high = old->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (old->points[middle].epoch < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < old->count && old->points[low].epoch == epoch ? &old->points[low] : NULL;
}

/* The points that are new, or are the mean over more trials than before. */
static void put_news(struct follow *f, const struct curves *before, const struct curves *now,
                     bool *header) {
    const struct curves_request *r = f->request;
    struct buf out = {0};
    for (int i = 0; i < now->count; i++) {
        const struct curve *curve = &now->curves[i];
        for (int p = 0; p < curve->count; p++) {
            const struct curve_point *point = &curve->points[p];
            const struct curve_point *old = point_before(before, curve, i, point->epoch);
            if (old != NULL && old->n == point->n && num_same_bits(old->mean, point->mean)) {
                continue;
            }
            if (r->format == TABLE_JSON) {
                put_json_line(&out, r, now, curve, point);
            } else if (r->format == TABLE_CSV) {
                put_csv_line(&out, r, now, curve, point, *header);
                *header = false;
            } else {
                put_text_line(&out, now, curve, point);
            }
        }
    }
    (void)fwrite(buf_text(&out), 1, out.len, stdout); // main() looks at ferror(stdout)
    (void)fflush(stdout);
    buf_release(&out);
}

/* ---- looking ---- */

/* A number that changes when another connection commits. */
static int data_version(struct follow *f, int64_t *version, struct err *err) {
    struct query q;
    int rc = query_open(&q, f->store, "PRAGMA data_version", err);
    if (rc == ERR_OK) {
        rc = query_next(&q, err);
        *version = rc > 0 ? query_int(&q, 0) : -1;
        query_close(&q);
    }
    return rc < 0 ? rc : ERR_OK;
}

/* Takes what there is now.  ERR_OK with f->loaded false: there are no values yet. */
static int look(struct follow *f, bool *changed, struct err *err) {
    int64_t version = 0;
    bool have = false;
    *changed = false;
    int rc = data_version(f, &version, err);
    if (rc != ERR_OK || (f->loaded && version == f->version)) {
        return rc;
    }
    rc = curves_have_values(f->store, f->sweep, &have, err);
    if (rc != ERR_OK || !have) {
        return rc;
    }
    struct curves now[CURVES_METRICS_MAX] = {0};
    rc = curves_request_load(f->request, f->store, f->sweep, now, err);
    if (rc != ERR_OK) {
        return rc;
    }
    bool header = !f->loaded;
    for (int m = 0; m < f->request->metric_count; m++) {
        if (!f->animated) {
            put_news(f, &f->curves[m], &now[m], &header);
        }
        curves_release(&f->curves[m]);
        f->curves[m] = now[m];
    }
    f->version = version;
    f->loaded = *changed = true;
    return ERR_OK;
}

static bool is_resized(const struct follow *f) {
    return f->animated && f->loaded &&
           (term_width(stdout) != f->width || term_height(stdout) != f->height);
}

static int follow(struct follow *f, struct err *err) {
    bool was_running = false;
    for (;;) {
        int began_ms = now_ms();
        bool running = cmd_is_running(f->request->out_dir), changed;
        int rc = look(f, &changed, err);
        if (rc != ERR_OK && (rc != ERR_BUSY || !running)) {
            return rc;
        }
        if (f->animated && continued) { // the shell has written below the picture
            continued = 0;
            f->drawn = 0;
            changed = f->loaded;
        }
        bool over = !running || stop_signal != 0 || ferror(stdout);
        if (f->animated && f->loaded && (changed || is_resized(f) || over)) {
            draw(f, over);
        }
        if (!f->loaded && running && !f->told_waiting) {
            fprintf(stderr, "besom: waiting for the first epoch of %s\n", f->sweep);
            f->told_waiting = true;
        }
        if (over) {
            if (!was_running && stop_signal == 0) {
                fprintf(stderr, "besom: no run is going on in %s\n", f->request->out_dir);
            }
            break;
        }
        was_running = true;
        int took_ms = now_ms() - began_ms;
        pause_ms(took_ms > POLL_MS / SHARE ? took_ms * SHARE : POLL_MS);
    }
    if (!f->loaded && stop_signal == 0) { // the run ended without: says that there are none
        struct curves none[CURVES_METRICS_MAX];
        int rc = curves_request_load(f->request, f->store, f->sweep, none, err);
        if (rc == ERR_OK) {
            curves_request_drop(f->request, none);
        }
        return rc;
    }
    return ERR_OK;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_stop,
                               .sa_flags =
                                   SA_RESTART | (int)SA_RESETHAND}; // the second one ends it
    (void)sigemptyset(&action.sa_mask); // these calls fail for numbers that are no signal's alone
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    action.sa_handler = on_continue;
    action.sa_flags = SA_RESTART;
    (void)sigaction(SIGCONT, &action, NULL);
}

int curves_follow(const struct curves_request *request) {
    struct follow f = {.request = request,
                       .animated = request->format == TABLE_TEXT && term_animates(stdout)};
    struct err err;
    catch_signals();
    int rc = find_open(&f.store, request->out_dir, request->sweep, &f.sweep, &stop_signal, &err);
    rc = rc == ERR_OK ? follow(&f, &err) : rc;
    int status = rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
    if (stop_signal != 0) {
        status = EXIT_SIGNAL + stop_signal;
    }
    curves_request_drop(request, f.curves);
    free(f.sweep);
    (void)store_close(f.store, &err); // a reader has nothing to lose
    return status;
}

#include "cli/live.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/wire.h"
#include "cli/term.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR_WIDTH = 36, BAR_WIDTH_MIN = 6, LABEL_WIDTH_MAX = 48, SLOTS_SHOWN_MAX = 32 };

/* ---- the picture ---- */

static void erase(struct live *live) {
    if (live->drawn > 0) {
        fprintf(stderr, "\r\033[%dA\033[J",
                live->drawn); // behind an echoed ^C, too: up to its first line, clear to the end
        live->drawn = 0;
    }
}

/* Steps over one character or a colour code, which takes no room: adds its columns. */
static const char *step_over(const char *text, int *columns) {
    if (*text == '\033') {
        size_t len = strcspn(text, "m");
        return text + len + (text[len] != '\0'); // a label may hold an escape that has no end
    }
    *columns += ((unsigned char)*text & 0xc0) != 0x80; // not within a UTF-8 sequence
    return text + 1;
}

static int columns_of(const char *text) {
    int columns = 0;
    while (*text != '\0') {
        text = step_over(text, &columns);
    }
    return columns;
}

/* As wide as `room` allows; none at all rather than a stump. */
static void put_bar(struct buf *out, const struct run_view *view, int room) {
    int64_t ended = view->complete + view->failed;
    int width = room < BAR_WIDTH ? room : BAR_WIDTH;
    if (width < BAR_WIDTH_MIN) {
        return;
    }
    int filled = view->total > 0 ? (int)(ended * width / view->total) : width;
    buf_puts(out, "[");
    for (int i = 0; i < width; i++) {
        buf_putc(out, i < filled ? '=' : i == filled ? '>' : ' ');
    }
    buf_puts(out, "]  ");
}

/* All of the head behind the bar. */
static void put_figures(struct buf *out, const struct run_view *view) {
    char number[NUM_TEXT_MAX], eta[32];
    buf_printf(out, "%lld/%lld   %d running  ", (long long)(view->complete + view->failed),
               (long long)view->total, view->running);
    if (view->failed > 0) {
        buf_printf(out, "%s%lld failed%s", term_style(stderr, TERM_RED), (long long)view->failed,
                   term_style(stderr, TERM_RESET));
    } else {
        buf_puts(out, "0 failed");
    }
    if (view->has_best) {
        num_steady(number, view->best, 4);
        buf_printf(out, "   best %s%s%s", term_style(stderr, TERM_GREEN), number,
                   term_style(stderr, TERM_RESET));
    }
    if (view->waiting != NULL) {
        buf_printf(out, "   %spaused: %s%s", term_style(stderr, TERM_YELLOW), view->waiting,
                   term_style(stderr, TERM_RESET));
    } else if (view->stopping) {
        buf_puts(out, "   stopping");
    } else {
        buf_printf(out, "   ETA %s", term_duration(eta, view->eta_s));
    }
}

static void put_head(struct buf *out, const struct run_view *view, int width) {
    struct buf figures = {0};
    put_figures(&figures, view);
    buf_puts(out, "  ");
    put_bar(out, view, width - 1 - (int)strlen("  []  ") - columns_of(buf_text(&figures)));
    buf_printf(out, "%s\n", buf_text(&figures));
    buf_release(&figures);
}

/* 11900 -> "11,900" */
static void put_grouped(struct buf *out, double value) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            buf_putc(out, ',');
        }
        buf_putc(out, digits[i]);
    }
}

static void put_slot(struct buf *out, int slot, const struct run_slot_view *view,
                     const char *metric, int label_width) {
    buf_printf(out, "  %-2d ", slot + 1);
    if (!view->busy) {
        buf_printf(out, "%sidle%s\n", term_style(stderr, TERM_DIM), term_style(stderr, TERM_RESET));
        return;
    }
    buf_printf(out, "#%-4lld %-*.*s  epoch %d", (long long)view->trial, label_width, label_width,
               view->label == NULL ? "" : view->label, view->epoch);
    if (view->epochs > 0) {
        buf_printf(out, "/%lld", (long long)view->epochs);
    }
    if (view->has_value) {
        char number[NUM_TEXT_MAX];
        num_steady(number, view->value, 4);
        buf_printf(out, "  %s %s", metric, number);
    }
    if (!isnan(view->samples_per_second)) {
        buf_puts(out, "  ");
        put_grouped(out, view->samples_per_second);
        buf_puts(out, " samples/s");
    }
    buf_putc(out, '\n');
}

static int label_width(const struct run_view *view) {
    int width = 8;
    for (int s = 0; s < view->slot_count; s++) {
        int len = view->slots[s].label == NULL ? 0 : (int)strlen(view->slots[s].label);
        width = len > width ? len : width;
    }
    return width < LABEL_WIDTH_MAX ? width : LABEL_WIDTH_MAX;
}

/* Lines longer than the terminal would wrap and break the counting of lines: cuts each at `width`
 * characters, passing over colour codes, which take no room. */
static void put_cut(struct buf *out, const char *text, int width) {
    int column = 0;
    while (*text != '\0') {
        const char *next = step_over(text, &column);
        if (*text == '\033' || *text == '\n' || column < width) {
            buf_put(out, text, (size_t)(next - text));
        }
        column = *text == '\n' ? 0 : column;
        text = next;
    }
}

/* The slots that have a line: all, or so many that a line for the rest and the cursor's own fit, too.  One
 * line stays free: cleared from its first line on, a terminal may keep a copy of what it showed. */
static int slots_shown(const struct run_view *view, int height) {
    int room = height - 3 < SLOTS_SHOWN_MAX ? height - 3 : SLOTS_SHOWN_MAX;
    if (view->slot_count <= room) {
        return view->slot_count;
    }
    return room > 1 ? room - 1 : 0;
}

int live_picture(struct buf *out, const struct run_view *view, int width, int height) {
    struct buf picture = {0};
    put_head(&picture, view, width);
    int lines = 1, label = label_width(view), shown = slots_shown(view, height);
    for (int s = 0; s < shown; s++, lines++) {
        put_slot(&picture, s, &view->slots[s], view->sweep->metric, label);
    }
    if (shown < view->slot_count && height > 3) {
        buf_printf(&picture, "  ... %d more workers\n", view->slot_count - shown);
        lines++;
    }
    put_cut(out, buf_text(&picture), width);
    buf_release(&picture);
    return lines;
}

static void draw(struct live *live, const struct run_view *view) {
    struct buf picture = {0};
    int lines = live_picture(&picture, view, term_width(stderr), term_height(stderr));
    erase(live);
    (void)fputs(buf_text(&picture), stderr); // a terminal that is gone is told by SIGHUP
    live->drawn = lines;
    buf_release(&picture);
}

/* ---- lines ---- */

static void put_counts(FILE *out, const struct run_view *view) {
    fprintf(out, "[%lld/%lld] ", (long long)(view->complete + view->failed),
            (long long)view->total);
}

/* ": diverged: loss is nan", ": exit status 3", ": killed by signal 9" (which the words "exit" and "signal"
 * before them would only repeat) */
static void put_reason(const struct run_event *event) {
    const char *reason = event->reason == NULL ? "" : event->reason;
    if (event->message == NULL || event->message[0] == '\0') {
        fprintf(stderr, ": %s", reason);
    } else if (strstr(event->message, reason) != NULL) {
        fprintf(stderr, ": %s", event->message);
    } else {
        fprintf(stderr, ": %s: %s", reason, event->message);
    }
}

static void line_ended(const struct run_event *event, const struct run_view *view) {
    const struct run_slot_view *slot = &view->slots[event->slot];
    char number[NUM_TEXT_MAX] = "-";
    if (slot->has_value) {
        num_steady(number, slot->value, 4);
    }
    put_counts(stderr, view);
    fprintf(stderr, "#%lld %s  %s", (long long)event->trial, event->label,
            trial_status_names[event->status]);
    if (event->status == TRIAL_FAILED) {
        put_reason(event);
    } else if (event->stopped != NULL) {
        fprintf(stderr, ", stopped early: %s", event->stopped);
    }
    fprintf(stderr, "  %s %s  epoch %d  %.1f s\n", view->sweep->metric, number, slot->epoch,
            event->seconds);
}

static void line_died(const struct run_event *event) {
    fprintf(stderr, "%s#%lld %s  attempt %d died: %s; trying again%s\n",
            term_style(stderr, TERM_YELLOW), (long long)event->trial, event->label, event->attempt,
            event->message != NULL ? event->message : event->reason,
            term_style(stderr, TERM_RESET));
}

static void line_failed(const struct run_event *event) {
    fprintf(stderr, "%s#%lld %s  failed", term_style(stderr, TERM_RED), (long long)event->trial,
            event->label);
    put_reason(event);
    fprintf(stderr, "%s   (besom log %lld)\n", term_style(stderr, TERM_RESET),
            (long long)event->trial);
}

static void line_status(const struct run_view *view) {
    char eta[32];
    put_counts(stderr, view);
    fprintf(stderr, "%d running, %lld failed, ETA %s\n", view->running, (long long)view->failed,
            term_duration(eta, view->eta_s));
}

/* ---- JSON ---- */

static const char *event_name(enum run_event_kind kind) {
    switch (kind) {
    case RUN_STARTED:
        return "started";
    case RUN_TRIAL_STARTED:
        return "trial_started";
    case RUN_EPOCH:
        return "epoch";
    case RUN_ATTEMPT_DIED:
        return "attempt_died";
    case RUN_TRIAL_ENDED:
        return "trial_ended";
    case RUN_WARNING:
        return "warning";
    case RUN_PAUSED:
        return "paused";
    case RUN_RESUMED:
        return "resumed";
    case RUN_STOPPING:
        return "stopping";
    case RUN_STATUS:
        return "status";
    case RUN_FINISHED:
        return "finished";
    case RUN_TICK:
        break;
    }
    return NULL;
}

static void put_member(struct buf *out, const char *name, const char *text) {
    if (text != NULL) {
        buf_printf(out, ", \"%s\": ", name);
        buf_json_string(out, text, strlen(text));
    }
}

bool live_json(struct buf *out, const struct run_event *event, const struct run_view *view) {
    const char *name = event_name(event->kind);
    if (name == NULL) {
        return false;
    }
    buf_printf(out, "{\"event\": \"%s\"", name);
    if (event->trial > 0) {
        buf_printf(out, ", \"trial\": %lld", (long long)event->trial);
        if (event->kind != RUN_WARNING) { // a warning is about a trial, in no slot
            buf_printf(out, ", \"slot\": %d", event->slot + 1);
        }
        put_member(out, "label", event->label);
    }
    if (event->attempt > 0) {
        buf_printf(out, ", \"attempt\": %d", event->attempt);
    }
    if (event->kind == RUN_TRIAL_ENDED) {
        put_member(out, "status", trial_status_names[event->status]);
    }
    if (event->record != NULL) {
        buf_printf(out, ", \"epoch\": %d, \"metrics\": {", event->epoch);
        for (int m = 0; m < event->record->metric_count; m++) {
            const struct wire_metric *metric = &event->record->metrics[m];
            buf_puts(out, m > 0 ? ", " : "");
            buf_json_string(out, metric->name, strlen(metric->name));
            buf_puts(out, ": ");
            buf_json_number(out, metric->value);
        }
        buf_putc(out, '}');
    }
    put_member(out, "stopped", event->stopped);
    put_member(out, "reason", event->reason);
    put_member(out, "message", event->message);
    buf_printf(out, ", \"complete\": %lld, \"failed\": %lld, \"total\": %lld}",
               (long long)view->complete, (long long)view->failed, (long long)view->total);
    buf_putc(out, '\n');
    return true;
}

static void print_json(const struct run_event *event, const struct run_view *view) {
    struct buf out = {0};
    if (live_json(&out, event, view)) {
        (void)fputs(buf_text(&out), stdout);
        (void)fflush(stdout); // main() looks at ferror(stdout)
    }
    buf_release(&out);
}

/* ---- the observer ---- */

/* What is said in words, whoever listens; true when something was said. */
static void say(const struct live *live, const struct run_event *event,
                const struct run_view *view) {
    switch (event->kind) {
    case RUN_ATTEMPT_DIED:
        line_died(event);
        break;
    case RUN_TRIAL_ENDED:
        if (live->voice == LIVE_PLAIN && !live->quiet) {
            line_ended(event, view);
        } else if (event->status == TRIAL_FAILED) {
            line_failed(event);
        }
        break;
    case RUN_WARNING:
        fprintf(stderr, "%swarning: %s%s\n", term_style(stderr, TERM_YELLOW), event->message,
                term_style(stderr, TERM_RESET));
        break;
    case RUN_PAUSED:
        fprintf(stderr, "%s%s%s\n", term_style(stderr, TERM_YELLOW), event->message,
                term_style(stderr, TERM_RESET));
        break;
    case RUN_RESUMED:
    case RUN_STOPPING:
        fprintf(stderr, "%s\n", event->message);
        break;
    case RUN_STATUS:
        line_status(view);
        break;
    default:
        break;
    }
}

void live_observe(void *context, const struct run_event *event, const struct run_view *view) {
    struct live *live = context;
    if (live->voice == LIVE_JSON) {
        print_json(event, view);
        return;
    }
    bool words = event->kind == RUN_ATTEMPT_DIED || event->kind == RUN_WARNING ||
                 event->kind == RUN_STOPPING || event->kind == RUN_STATUS ||
                 event->kind == RUN_PAUSED || event->kind == RUN_RESUMED ||
                 (event->kind == RUN_TRIAL_ENDED &&
                  (live->voice == LIVE_PLAIN || event->status == TRIAL_FAILED));
    bool animated = live->voice == LIVE_ANIMATED && !live->quiet;
    if (words || event->kind == RUN_FINISHED) {
        erase(live);
    }
    say(live, event, view);
    if (animated && (event->kind == RUN_TICK || words)) {
        draw(live, view);
    }
}

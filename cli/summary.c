#include "cli/summary.h"

#include "base/buf.h"

#include <string.h>

void summary_columns(struct summary *summary) {
    table_column(summary->table, "trial", TABLE_RIGHT);
    table_column(summary->table, "label", TABLE_LEFT);
    table_column(summary->table, "replicate", TABLE_RIGHT);
    table_column(summary->table, "seed", TABLE_RIGHT);
    table_column(summary->table, "plan", TABLE_LEFT);
    table_column(summary->table, "epochs_done", TABLE_RIGHT);
    table_column(summary->table, "epochs", TABLE_RIGHT);
    table_column(summary->table, "key", TABLE_LEFT);
}

static void add_row(struct table *t, const struct store_point *point,
                    const struct store_planned *planned) {
    if (planned->trial > 0) {
        table_int(t, planned->trial);
    } else {
        table_text(t, NULL); // it gets its number when it is stored
    }
    table_text(t, point->label);
    table_int(t, point->replicate);
    table_int(t, point->seed);
    table_text(t, store_plan_names[planned->plan]);
    table_int(t, planned->epochs_done);
    if (point->epochs > 0) {
        table_int(t, point->epochs);
    } else {
        table_text(t, NULL);
    }
    table_text(t, point->key);
}

void summary_add(void *context, const struct store_point *point,
                 const struct store_planned *planned) {
    struct summary *s = context;
    if (s->table != NULL) {
        add_row(s->table, point, planned);
    }
    s->epochs_min = !s->any || point->epochs < s->epochs_min ? point->epochs : s->epochs_min;
    s->epochs_max = !s->any || point->epochs > s->epochs_max ? point->epochs : s->epochs_max;
    s->any = true;
    if (planned->plan == PLAN_DONE || planned->plan == PLAN_FAILED) {
        return;
    }
    if (point->epochs > planned->epochs_done) {
        s->epochs_left += point->epochs - planned->epochs_done;
    }
    if (planned->plan == PLAN_CONTINUE) {
        int done = planned->epochs_done;
        s->continue_min = !s->any_continue || done < s->continue_min ? done : s->continue_min;
        s->continue_max = !s->any_continue || done > s->continue_max ? done : s->continue_max;
        s->any_continue = true;
    }
}

static void print_size(const struct summary *summary, const struct sweep *sweep,
                       const struct plan *plan, FILE *out) {
    fprintf(out, "sweep %s: ", sweep->name);
    for (int a = 0; a < sweep->axis_count; a++) {
        const struct sweep_axis *axis = &sweep->axes[a];
        const char *join = a > 0 ? " x " : "";
        size_t len = strlen(axis->path);
        bool has_s = len > 0 && axis->path[len - 1] == 's'; // "epochs", "loss"
        if (strchr(axis->path, '.') != NULL || has_s) {
            fprintf(out, "%s%d value%s of %s", join, axis->count, axis->count == 1 ? "" : "s",
                    axis->path);
        } else {
            fprintf(out, "%s%d %s%s", join, axis->count, axis->path, axis->count == 1 ? "" : "s");
        }
    }
    if (sweep->replicates > 1) {
        fprintf(out, "%s%d replicates", sweep->axis_count > 0 ? " x " : "", sweep->replicates);
    }
    if (plan->excluded > 0) {
        fprintf(out, " - %lld excluded", (long long)plan->excluded);
    }
    if (plan->merged > 0) {
        fprintf(out, " - %lld the same as others", (long long)plan->merged);
    }
    fprintf(out, "%s%lld trial%s", sweep->axis_count > 0 || sweep->replicates > 1 ? " = " : "",
            (long long)plan->total, plan->total == 1 ? "" : "s");
    if (summary->epochs_max > 0 && summary->epochs_min == summary->epochs_max) {
        fprintf(out, " of %lld epoch%s", (long long)summary->epochs_max,
                summary->epochs_max == 1 ? "" : "s");
    } else if (summary->epochs_max > 0) {
        fprintf(out, " of %lld to %lld epochs", (long long)summary->epochs_min,
                (long long)summary->epochs_max);
    }
    fprintf(out, "\n");
}

static void put_count(struct buf *text, int64_t count, const char *what) {
    if (count > 0) {
        buf_printf(text, "%s%lld %s", text->len > 0 ? ", " : "", (long long)count, what);
    }
}

void summary_print(const struct summary *summary, const struct sweep *sweep,
                   const struct plan *plan, FILE *out) {
    print_size(summary, sweep, plan, out);
    if (sweep->description != NULL) {
        fprintf(out, "%s\n", sweep->description);
    }
    struct buf text = {0};
    put_count(&text, plan->count[PLAN_DONE], "done");
    put_count(&text, plan->count[PLAN_CONTINUE], "continued");
    if (plan->count[PLAN_CONTINUE] > 0 && summary->continue_min == summary->continue_max) {
        buf_printf(&text, " from epoch %d", summary->continue_min);
    } else if (plan->count[PLAN_CONTINUE] > 0) {
        buf_printf(&text, " from epochs %d to %d", summary->continue_min, summary->continue_max);
    }
    put_count(&text, plan->count[PLAN_EXTEND], "extended");
    put_count(&text, plan->count[PLAN_FAILED], "failed before (--retry-failed runs them again)");
    if (text.len > 0 || out == stdout) { // a first run is all new: it needs no line
        put_count(&text, plan->count[PLAN_NEW], "new");
        fprintf(out, "%s\n", buf_text(&text));
    }
    buf_release(&text);
}

/* A word as a shell takes it. */
static void put_word(struct buf *out, const char *word) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:@%+";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        buf_puts(out, word);
        return;
    }
    buf_putc(out, '\'');
    for (; *word != '\0'; word++) {
        buf_puts(out, *word == '\'' ? "'\\'" : "");
        buf_putc(out, *word);
    }
    buf_putc(out, '\'');
}

static void put_out(struct buf *command, const char *out_dir) {
    if (strcmp(out_dir, "besom-out") != 0) {
        buf_puts(command, " --out ");
        put_word(command, out_dir);
    }
}

/* A command and what it is good for, side by side with others. */
struct hint {
    struct buf command;
    const char *purpose;
};

static struct buf *put_command(struct hint *hint, const struct summary_next *next,
                               const char *words, const char *purpose) {
    hint->purpose = purpose;
    put_word(&hint->command, next->program);
    buf_printf(&hint->command, " %s ", words);
    return &hint->command;
}

void summary_next(const struct compare *compare, const char *sweep, const struct summary_next *next,
                  FILE *out) {
    enum { HINTS = 3 };
    struct hint hints[HINTS] = {0};
    int count = 0, width = 0;
    struct buf *command;
    if (next->failed) {
        command = put_command(&hints[count++], next, "status", "why they failed");
        buf_printf(command, "%s -s failed", sweep);
        put_out(command, next->out_dir);
    }
    command = put_command(&hints[count++], next, "curves", "the learning curves");
    buf_puts(command, sweep);
    if (compare->axis_count > 0) {
        buf_puts(command, " --by ");
        put_word(command, compare->axes[0].path);
    }
    put_out(command, next->out_dir);
    command = put_command(&hints[count++], next, "run",
                          "again, after adding values, replicates or epochs");
    put_word(command, next->path);
    put_out(command, next->out_dir);
    for (int i = 0; i < count; i++) {
        width = (int)hints[i].command.len > width ? (int)hints[i].command.len : width;
    }
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s%-*s  %s\n", i == 0 ? "\nNext:  " : "       ", width,
                buf_text(&hints[i].command), hints[i].purpose);
        buf_release(&hints[i].command);
    }

    struct buf db = {0}, file = {0};
    buf_printf(&file, "%s/results.db", next->out_dir);
    put_word(&db, buf_text(&file));
    fprintf(out, "       sqlite3 %s \"SELECT * FROM leaderboard LIMIT 10\"\n", buf_text(&db));
    buf_release(&db);
    buf_release(&file);
}

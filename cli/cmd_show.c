#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "cli/find.h"
#include "cli/options.h"
#include "cli/show_layers.h"
#include "results/query.h"
#include "results/store.h"
#include "results/table.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const char about[] =
    "Shows all that is known of one trial: its settings, how it went, every "
    "epoch, its layers, failed attempts and checkpoints.\n\n"
    "  besom show 38\n"
    "  besom show --json 5f1c9a       by the beginning of its key\n\nOptions:";

struct show_args {
    const char *trial;
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct show_args *args = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        options_take(state, &args->trial, arg, "trial");
        return 0;
    case ARGP_KEY_END:
        if (args->trial == NULL) {
            argp_error(state, "which trial? besom status lists them");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char trial_sql[] = // ?2: as for CMD_ACTUAL_STATUS
    "SELECT trial, sweep, label, key, " CMD_ACTUAL_STATUS(
        "?2") " AS status, replicate, seed, params, config, attempts,"
              " epochs_done, epochs, best_value, best_epoch, last_value, seconds, error, stopped"
              " FROM trials WHERE trial = ?1 ORDER BY sweep";
static const char epochs_sql[] = "SELECT epoch, attempt, seconds, samples_per_second, at"
                                 " FROM epochs WHERE trial = ?1 ORDER BY epoch";
static const char metrics_sql[] = "SELECT DISTINCT metric FROM curves WHERE trial = ?1 ORDER BY 1";
static const char layers_sql[] =
    "SELECT epoch, layer, mean, std, min, max, dead, saturated, histogram, position, histogram_low,"
    " histogram_high, gradient_mean, gradient_std, gradient_histogram, gradient_low, gradient_high,"
    " update_ratio FROM layers WHERE trial = ?1 ORDER BY epoch, position, layer";
static const char failures_sql[] = "SELECT attempt, reason, exit_status, signal, log_tail, class"
                                   " FROM failures WHERE trial = ?1 ORDER BY attempt";
static const char attempts_sql[] = "SELECT attempt, from_epoch, reason, class, seconds, peak_mb,"
                                   " numerics, program FROM attempt WHERE trial = ?1 ORDER BY 1";
static const char memory_sql[] = "SELECT max(peak_mb) FROM attempt WHERE trial = ?1";

/* What trained it, each once, by the first attempt that said so. */
static const char trainers_sql[] = "SELECT min(attempt) AS attempt, program, numerics FROM attempt"
                                   " WHERE trial = ?1 AND coalesce(program, numerics) NOT NULL"
                                   " GROUP BY program, numerics ORDER BY 1";

static int open_for(struct query *q, struct store *store, const char *sql, int64_t trial,
                    struct err *err) {
    int rc = query_open(q, store, sql, err);
    if (rc == ERR_OK) {
        query_bind_int(q, 1, trial);
    }
    return rc;
}

static int open_trial(struct query *q, struct store *store, const char *out_dir, int64_t trial,
                      struct err *err) {
    int rc = open_for(q, store, trial_sql, trial, err);
    if (rc == ERR_OK) {
        query_bind_int(q, 2, cmd_is_running(out_dir));
    }
    return rc;
}

/* epochs x metrics: the curves of the trial turned into a table, a column a metric */
static int epoch_table(struct table *t, struct store *store, int64_t trial, struct err *err) {
    struct buf sql = {0};
    struct query q;
    int rc = open_for(&q, store, metrics_sql, trial, err);
    if (rc != ERR_OK) {
        return rc;
    }
    buf_puts(&sql, "SELECT e.epoch, e.attempt, e.seconds");
    int columns = 3;
    while ((rc = query_next(&q, err)) > 0 && columns < 60) {
        const char *name = query_text(&q, 0);
        buf_puts(&sql, ", max(CASE WHEN c.metric = ");
        for (buf_putc(&sql, '\''); *name != '\0'; name++) {
            buf_printf(&sql, *name == '\'' ? "''" : "%c", *name);
        }
        buf_puts(&sql, "' THEN c.value END) AS \"");
        for (name = query_text(&q, 0); *name != '\0'; name++) {
            buf_printf(&sql, *name == '"' ? "\"\"" : "%c", *name);
        }
        buf_puts(&sql, "\"");
        columns++;
    }
    query_close(&q);
    buf_puts(&sql, " FROM epochs e LEFT JOIN curves c ON c.trial = e.trial AND c.epoch = e.epoch"
                   " WHERE e.trial = ?1 GROUP BY e.epoch ORDER BY e.epoch");
    rc = rc < 0 ? rc : open_for(&q, store, buf_text(&sql), trial, err);
    buf_release(&sql);
    if (rc != ERR_OK) {
        return rc;
    }
    for (int c = 0; c < query_columns(&q); c++) {
        table_column(t, query_name(&q, c), TABLE_RIGHT);
    }
    while ((rc = query_next(&q, err)) > 0) {
        for (int c = 0; c < query_columns(&q); c++) {
            if (c < 2) {
                table_int(t, query_int(&q, c));
            } else {
                table_number(t, query_double(&q, c), c == 2 ? 3 : 4);
            }
        }
    }
    query_close(&q);
    return rc;
}

static int is_checkpoint(const struct dirent *entry) {
    return strncmp(entry->d_name, "cp-", 3) == 0;
}

static int list_checkpoints(const char *dir, struct dirent ***names) {
    int n = scandir(dir, names, is_checkpoint, alphasort);
    return n < 0 ? 0 : n; // no folder: none
}

static void print_config(const char *config) {
    struct json_doc *doc;
    struct err ignored;
    if (json_parse(&doc, "config", config, strlen(config), JSON_STRICT, &ignored) == ERR_OK) {
        struct buf text = {0};
        json_print_pretty(&text, json_root(doc));
        printf("\nconfig %s\n", buf_text(&text));
        buf_release(&text);
        json_free(doc);
    }
}

static void print_head(const struct query *q) {
    printf("trial %s: %s\n\n", query_text(q, 0), query_text(q, 2));
    printf("  sweep      %s\n", query_text(q, 1));
    printf("  status     %s%s%s\n", query_text(q, 4), query_is_null(q, 16) ? "" : ": ",
           query_text(q, 16));
    printf("  epochs     %s of %s, %s attempt%s\n", query_text(q, 10),
           query_is_null(q, 11) ? "?" : query_text(q, 11), query_text(q, 9),
           query_int(q, 9) == 1 ? "" : "s");
    if (!query_is_null(q, 17)) {
        printf("  stopped    by its trainer before the last epoch: %s\n", query_text(q, 17));
    }
    if (!query_is_null(q, 12)) {
        printf("  best       %.4g in epoch %s; last %.4g\n", query_double(q, 12), query_text(q, 13),
               query_double(q, 14));
    }
    printf("  replicate  %s, seed %s\n", query_text(q, 5), query_text(q, 6));
    printf("  key        %s\n", query_text(q, 3));
}

/* A line for each; one alone needs no attempt. */
static int print_trainers(struct store *store, int64_t trial, struct err *err) {
    struct query q;
    int rc = open_for(&q, store, trainers_sql, trial, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char since[64] = "";
    for (bool first = true; (rc = query_next(&q, err)) > 0; first = false) {
        if (!first || query_int(&q, 0) > 1) {
            (void)snprintf(since, sizeof since, " (from attempt %s)", query_text(&q, 0)); // fits
        }
        bool both = !query_is_null(&q, 1) && !query_is_null(&q, 2);
        printf("  %-9s  %s%s%s%s\n", first ? "trainer" : "", query_text(&q, 1), both ? ", " : "",
               query_text(&q, 2), since);
    }
    query_close(&q);
    return rc;
}

static void print_failures(struct query *q, struct err *err, int *rc) {
    for (bool first = true; (*rc = query_next(q, err)) > 0; first = false) {
        printf("%s  attempt %s: %s", first ? "\nattempts that did not complete\n" : "",
               query_text(q, 0), query_text(q, 1));
        if (!query_is_null(q, 5) && strcmp(query_text(q, 5), query_text(q, 1)) != 0) {
            printf(" (%s)", query_text(q, 5));
        }
        if (!query_is_null(q, 2)) {
            printf(", exit status %s", query_text(q, 2));
        }
        if (!query_is_null(q, 3)) {
            printf(", signal %s (%s)", query_text(q, 3), strsignal((int)query_int(q, 3)));
        }
        printf("\n");
        const char *tail = query_text(q, 4);
        while (*tail != '\0') {
            int len = (int)strcspn(tail, "\n");
            printf("    | %.*s\n", len, tail);
            tail += len + (tail[len] == '\n');
        }
    }
}

/* Of a run with a besom that kept no such record there is none. */
static int print_memory(struct store *store, int64_t trial, struct err *err) {
    struct query q;
    int rc = open_for(&q, store, memory_sql, trial, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_next(&q, err);
    if (rc > 0 && !query_is_null(&q, 0)) {
        printf("  memory     at least %.0f MB\n", query_double(&q, 0));
    }
    query_close(&q);
    return rc < 0 ? rc : ERR_OK;
}

static int show_text(struct store *store, const char *out, int64_t trial, struct err *err) {
    struct query q;
    int rc = open_trial(&q, store, out, trial, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char dir[4096] = "";
    rc = query_next(&q, err);
    if (rc > 0) {
        print_head(&q);
        (void)snprintf(dir, sizeof dir, "%s/trials/%s", out, query_text(&q, 3)); // cut: no files
        rc = print_memory(store, trial, err);
        printf("  files      %s\n", dir);
        rc = print_trainers(store, trial, err);
        print_config(query_text(&q, 8));
    }
    query_close(&q);
    if (rc < 0) {
        return rc;
    }

    struct table *t = table_new();
    rc = epoch_table(t, store, trial, err);
    if (rc == ERR_OK && table_rows(t) > 0) {
        printf("\n");
        table_print(t, TABLE_TEXT, stdout);
    }
    table_free(t);
    rc = rc == ERR_OK ? show_layers(store, trial, err) : rc;
    if (rc == ERR_OK && (rc = open_for(&q, store, failures_sql, trial, err)) == ERR_OK) {
        print_failures(&q, err, &rc);
        query_close(&q);
    }
    struct dirent **names = NULL;
    int count = list_checkpoints(dir, &names);
    for (int i = 0; i < count; i++) {
        printf("%s  %s\n", i == 0 ? "\ncheckpoints\n" : "", names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* ---- JSON: the rows of the views as they are, columns that hold JSON as JSON ---- */

static void put_json_value(struct buf *out, const struct query *q, int c) {
    const char *name = query_name(q, c);
    if (query_is_null(q, c)) {
        buf_puts(out, "null");
    } else if (strcmp(name, "params") == 0 || strcmp(name, "config") == 0 ||
               strcmp(name, "histogram") == 0 || strcmp(name, "gradient_histogram") == 0 ||
               query_is_integer(q, c)) {
        buf_puts(out, query_text(q, c));
    } else if (query_is_number(q, c)) {
        buf_json_number(out, query_double(q, c));
    } else {
        buf_json_string(out, query_text(q, c), strlen(query_text(q, c)));
    }
}

/* Closes q. */
static int put_json_rows(struct buf *out, struct query *q, struct err *err) {
    int rc;
    buf_putc(out, '[');
    for (int row = 0; (rc = query_next(q, err)) > 0; row++) {
        buf_puts(out, row > 0 ? ",\n  {" : "\n  {");
        for (int c = 0; c < query_columns(q); c++) {
            buf_printf(out, "%s\"%s\": ", c > 0 ? ", " : "", query_name(q, c));
            put_json_value(out, q, c);
        }
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    query_close(q);
    return rc;
}

static int show_json(struct store *store, const char *out_dir, int64_t trial, struct err *err) {
    static const struct {
        const char *name, *sql;
    } parts[] = {
        {"epochs", epochs_sql},
        {"curves",
         "SELECT epoch, metric, value FROM curves WHERE trial = ?1 ORDER BY epoch, metric"},
        {"layers", layers_sql},
        {"trainers", trainers_sql},
        {"failures", failures_sql},
        {"attempts", attempts_sql},
    };
    struct buf out = {0};
    struct query q;
    buf_puts(&out, "{\"trials\": ");
    int rc = open_trial(&q, store, out_dir, trial, err);
    rc = rc == ERR_OK ? put_json_rows(&out, &q, err) : rc;
    for (size_t i = 0; rc == ERR_OK && i < sizeof parts / sizeof *parts; i++) {
        buf_printf(&out, ",\n\"%s\": ", parts[i].name);
        rc = open_for(&q, store, parts[i].sql, trial, err);
        rc = rc == ERR_OK ? put_json_rows(&out, &q, err) : rc;
    }
    if (rc == ERR_OK) {
        printf("%s}\n", buf_text(&out));
    }
    buf_release(&out);
    return rc;
}

int cmd_show(int argc, char **argv) {
    struct show_args args = {0};
    struct options options = {0};
    const struct argp argp = {NULL, parse, "TRIAL", about, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON | OPTION_COLOR, argc, argv, &options, &args);

    struct store *store;
    int status = cmd_open_store(options.out, &store);
    if (status != EXIT_DONE) {
        return status;
    }
    struct err err;
    int64_t trial;
    int rc = find_trial(store, args.trial, &trial, &err);
    if (rc == ERR_OK) {
        rc = options.format == TABLE_JSON ? show_json(store, options.out, trial, &err)
                                          : show_text(store, options.out, trial, &err);
    }
    status = rc == ERR_OK ? EXIT_DONE : cmd_fail(&err);
    (void)store_close(store, &err); // a reader has nothing to lose
    return status;
}

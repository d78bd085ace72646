#include "base/buf.h"
#include "base/err.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "runner/rebuild.h"

#include <stdio.h>
#include <string.h>

static const char doc[] =
    "Makes results.db anew when it is damaged or lost, equal to what it was, from the copies that "
    "besom run keeps beside it: sweeps/*.jsonl and trials/*/rows.jsonl, and of attempts that were "
    "under way the trials' logs.\n\n"
    "  besom rebuild\n"
    "  besom rebuild --out /data/mine\n\n"
    "Deletes nothing: the damaged file goes to results.db.damaged-TIME.  A results.db that "
    "is intact, or seems to be another application's or of a newer besom, is left alone without "
    "--force; so is one that looks intact but differs from its copies, and what differs is told.  "
    "Copies that are damaged themselves are named; what they had is "
    "brought back by the next besom run, which has trainers tell it again from their checkpoints "
    "or "
    "compute it again.\n\nOptions:";

enum { KEY_FORCE = 0x2000 };

static const struct argp_option list[] = {
    {"force", KEY_FORCE, 0, 0,
     "also when results.db is intact or not ours; it is kept beside the new one", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    bool *force = state->input;
    switch (key) {
    case KEY_FORCE:
        *force = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\": it takes no argument; --out names the folder", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "75 trials" */
static const char *count(char text[64], int64_t n, const char *what) {
    (void)snprintf(text, 64, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s"); // fits
    return text;
}

static void print_text(const struct rebuild_result *r, const struct options *options) {
    char a[64], b[64], c[64];
    const struct restore_report *report = &r->report;
    (void)fputs(buf_text(&report->problems), stderr); // nowhere else to tell
    printf("made %s/results.db anew: %s of %s, %s\n", options->out, count(a, r->trials, "trial"),
           count(b, r->sweeps, "sweep"), count(c, r->epochs, "epoch"));
    if (r->from_logs.attempts > 0) {
        printf("of them %s out of the logs of %s that had not ended\n",
               count(a, r->from_logs.epochs, "epoch"), count(b, r->from_logs.attempts, "attempt"));
    }
    if (report->damaged > 0) {
        printf("%s could not be used, as said above\n", count(a, report->damaged, "file"));
    }
    if (report->reset > 0) {
        printf("%s without a copy of what was measured: it comes back with the next besom run\n",
               count(a, report->reset, "trial"));
    }
    if (report->without > 0) {
        printf("%s without %s: of an earlier besom, or never ended an attempt\n",
               count(a, report->without, "trial folder"), "rows.jsonl");
    }
    if (r->kept != NULL) {
        printf("the one before is %s\n", r->kept);
    }
}

static void put_number(struct buf *out, const char *name, int64_t n) {
    buf_printf(out, ",\"%s\":%lld", name, (long long)n);
}

static void print_json(const struct rebuild_result *r, const struct options *options) {
    struct buf out = {0};
    buf_puts(&out, "{\"results\":");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/results.db", options->out); // a longer one cannot exist
    buf_json_string(&out, path, strlen(path));
    put_number(&out, "sweeps", r->sweeps);
    put_number(&out, "trials", r->trials);
    put_number(&out, "epochs", r->epochs);
    put_number(&out, "attempts_from_logs", r->from_logs.attempts);
    put_number(&out, "epochs_from_logs", r->from_logs.epochs);
    put_number(&out, "damaged", r->report.damaged);
    put_number(&out, "lost", r->report.reset);
    put_number(&out, "without", r->report.without);
    buf_puts(&out, ",\"problems\":[");
    const char *line = buf_text(&r->report.problems), *newline;
    for (bool first = true; (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
        buf_puts(&out, first ? "" : ",");
        buf_json_string(&out, line, (size_t)(newline - line));
        first = false;
    }
    buf_puts(&out, "],\"kept\":");
    if (r->kept != NULL) {
        buf_json_string(&out, r->kept, strlen(r->kept));
    } else {
        buf_puts(&out, "null");
    }
    printf("%s}\n", buf_text(&out));
    buf_release(&out);
}

int cmd_rebuild(int argc, char **argv) {
    bool force = false;
    struct options options = {0};
    const struct argp argp = {list, parse, NULL, doc, NULL, NULL, NULL};
    options_parse(&argp, OPTION_OUT | OPTION_JSON, argc, argv, &options, &force);

    struct rebuild_result result;
    struct err err;
    int rc = rebuild_run(options.out, force, &result, &err);
    int status = EXIT_DONE;
    if (rc != ERR_OK) {
        (void)fputs(buf_text(&result.report.problems), stderr); // nowhere else to tell
        status = cmd_fail(&err);
    } else {
        (options.format == TABLE_JSON ? print_json : print_text)(&result, &options);
        status = result.report.damaged + result.report.reset > 0 ? EXIT_TRIAL_FAILED : EXIT_DONE;
    }
    rebuild_result_release(&result);
    return status;
}

/* cli/cmd.h - the subcommands of besom: one file and one function each.
 *
 * A subcommand gets its own words (argv[0] is "besom run"), reads its options by argp, does its work
 * and returns the exit status.  stdout: what was asked for.  stderr: progress, warnings, errors. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "results/store.h"

#include <stdbool.h>

struct err;
struct options;
struct plan;
struct plan_options;
struct summary;
struct sweep;

/* Exit statuses, see sysexits.h for those from 71. */
enum {
    EXIT_DONE = 0,
    EXIT_TRIAL_FAILED = 1,
    EXIT_MISUSE = 2,
    EXIT_EXHAUSTED = 71, // memory, descriptors or processes; as mem.h leaves
    EXIT_STORAGE = 74,
    EXIT_HELD = 75,
    EXIT_SIGNAL = 128, // + the signal's number
};

struct cmd {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; // one line for `besom --help`
};
extern const struct cmd cmds[]; // ends in a zeroed one

int cmd_check(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_curves(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_rebuild(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_verify(int argc, char **argv);

/* What to type for besom: the path that it was called by, or "besom" where the shell found it.  A path
 * stays as it was typed, relative to the same folder. */
extern const char *cmd_program;

/* Prints "besom: <message>" on stderr and returns the exit status that belongs to the error's code. */
int cmd_fail(const struct err *err);

/* For a writer: waits for other programs' locks until Ctrl-C, says so on stderr when that takes more than a moment, and
 * when it is over.  `said`: false; lives as long as the store. */
struct store_patience cmd_patience(bool *said);

/* "0.1.0" */
const char *cmd_version(void);

/* Whether a run holds the folder at this moment. */
bool cmd_is_running(const char *out_dir);

/* SQL: a trial's status, where the parameter `running` is cmd_is_running().  Without a run nothing runs, whatever a killed
 * one has left in the table: such trials are paused, as the next run will find. */
#define CMD_ACTUAL_STATUS(running)                                                                 \
    "CASE WHEN status = 'running' AND NOT " running " THEN 'paused' ELSE status END"

/* Says that the page of report and serve was not built, and how it is; returns an exit status. */
int cmd_say_no_page(void);

/* Opens the store of `out_dir` for reading.  Prints the error and returns an exit status, or 0. */
int cmd_open_store(const char *out_dir, struct store **store);

/* Steps that run and plan share.  This one prints what is wrong and returns an exit status, or 0. */
int cmd_load_sweep(struct sweep *sweep, const char *path);
/* Prints complaints about configs; what remains to be told is in `err`. */
int cmd_make_plan(struct plan *plan, struct summary *summary, struct store *store,
                  const struct sweep *sweep, const struct plan_options *options, struct err *err);
int cmd_plan_sweep(const char *path, bool retry_failed, const struct options *options);

#endif

/* trainer/commands.h - the subcommands of besom-trainer, and what they share.
 *
 * A subcommand gets its own name as argv[0] ("besom-trainer train"), reads its options with argp, which
 * prints --help and misuse itself, and returns the exit status. */
#ifndef TRAINER_COMMANDS_H
#define TRAINER_COMMANDS_H

#include <argp.h>
#include <stdio.h>

struct buf;
struct config;
struct config_complaint;
struct diag;
struct err;
struct json_doc;

/* Besides WIRE_EXIT_SAVED of base/wire.h. */
enum command_status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,   // diverged, differs, not usable
    STATUS_MISUSE = 2,   // command line, config, or data that cannot be used
    STATUS_STORAGE = 74, // a file could not be read or written (EX_IOERR)
};

int cmd_train(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_export(int argc, char **argv);

/* Prints "besom-trainer: <message>" on stderr and returns the status that fits the error. */
int command_fail(const struct err *err);

/* argp_parse() with `input` for the parser.  Leaves by itself on misuse and after --help. */
void command_parse(const struct argp *argp, int argc, char **argv, void *input);

/* What an argp parser returns for keys that are not its own, of a command with exactly one argument, called
 * `what` in messages and put into `out`. */
error_t command_one_argument(int key, char *arg, struct argp_state *state, const char *what,
                             const char **out);

/* The help text of --cache-dir. */
extern const char command_cache_dir_help[];

/* `given`, or $BESOM_CACHE_DIR, $XDG_CACHE_HOME/besom, ~/.cache/besom, whichever is first; freed by
 * the caller. */
char *command_cache_dir(const char *given);

/* Settles with which kernels this process computes, see trainer/choice.h.  Before the first result, and before
 * command_compute_as_begun(), which may say otherwise. */
void command_choose_kernels(const char *cache_dir);

/* The same by what is known already, and how that came about, in a line without a newline. */
void command_describe_kernels(struct buf *out);

/* A config_complain_fn; `context` is a struct complaint_list. */
struct complaint_list {
    struct diag *diag;
    const struct json_doc *doc;
};
void command_complain(void *context, const struct config_complaint *complaint);

/* Reads a config file (comments are allowed).  Prints what is wrong with it on stderr and returns
 * STATUS_MISUSE, or another status of a failure; `config` is for config_release() in any case. */
int command_load_config(struct config *config, const char *path);

/* Makes this process compute as the training of `trial` began, by the origin.json of its folder `dir`, as far
 * as it can; executes the program again, with `words`, where that takes a new process.  Says on stderr when
 * this is not what the machine would choose now: the training `goes` ("goes on") with it. */
enum command_numerics {
    COMMAND_NUMERICS_BEGUN,   // as it began
    COMMAND_NUMERICS_OTHER,   // that cannot be had
    COMMAND_NUMERICS_UNKNOWN, // no file says how it began
};
enum command_numerics command_compute_as_begun(const char *dir, const char *trial, const char *goes,
                                               const char *const words[]);

/* Flushes stdout at the end of a command; `status`, or STATUS_STORAGE when something got lost. */
int command_finish(int status);

#endif

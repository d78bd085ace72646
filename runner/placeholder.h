/* runner/placeholder.h - {placeholders} in the arguments of a trainer.
 *
 *     {config}          the trial's config, a file           {trial}  its number
 *     {checkpoint_dir}  its folder                           {seed}   its seed
 *     {optimizer.lr}    what the config has at that path
 *
 * A name is a letter or _, then letters, digits, and . _ -.  Braces around anything else are text, so
 * that JSON and shell programs can stand in an argument; {{name}} is the text {name}. */
#ifndef RUNNER_PLACEHOLDER_H
#define RUNNER_PLACEHOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct cJSON;
struct err;

enum { PLACEHOLDER_WORDS = 4 };
extern const char
    *const placeholder_words[PLACEHOLDER_WORDS]; // config, checkpoint_dir, trial, seed

/* true for one of these; any other name is a path. */
bool placeholder_is_word(const char *name);

/* A piece of an argument: text, or a placeholder's name. */
struct placeholder_piece {
    const char *start; // borrowed from the argument
    size_t len;
    bool is_name;
};

/* The next piece at *at, which is moved past it; false at the end. */
bool placeholder_next(const char **at, struct placeholder_piece *piece);

/* What the words stand for, for one trial. */
struct placeholder_trial {
    const char *config_file, *checkpoint_dir, *trial, *seed;
    const struct cJSON *config;
};

/* Appends the argument with its placeholders filled in: strings as they are, numbers in their shortest
 * form, anything else as JSON.  ERR_NOT_FOUND names a path that the config lacks. */
int placeholder_expand(struct buf *out, const char *argument, const struct placeholder_trial *trial,
                       struct err *err);

#endif

/* cli/check_point.h - the one training that `besom check` is about: a command and a config. */
#ifndef CLI_CHECK_POINT_H
#define CLI_CHECK_POINT_H

#include <stdbool.h>
#include <stdint.h>

enum { CHECK_EPOCHS = 6 }; // that a trainer is checked for when nobody says how many

struct check_request {
    const char *sweep;    // a sweep file, or
    char *const *command; // an argv, NULL terminated
    const char *config;   // of the command: a JSON file; NULL: an empty config
    int64_t point;        // of the sweep, from 1, as `besom plan` counts them
    const char *trial;    // of a results folder, in its stead; NULL
    const char *out_dir;  // that folder
    int epochs;           // 0: as many as the config has, CHECK_EPOCHS at most
    bool no_extend;
};

/* All owned. */
struct check_point {
    char *config, *config_extend; // NULL: the epochs are not to be raised
    char **trainer;
    char *label; // "adam relu he_normal"; "" for a command
    int64_t seed;
    int epochs, extend_from;
    bool epochs_promised; // somebody asked for this number
};

/* Prints what is wrong and returns an exit status, or 0.  Checks the config as a run would. */
int check_point_load(struct check_point *point, const struct check_request *request);
void check_point_release(struct check_point *point); // zeroed is fine

#endif

/* runner/sweep.h - the sweep file: reading it, and complaining about it.
 *
 * Keys: name, description, config, grid, exclude, replicates, objective, trainer, retries, order.
 * The runner does not know the trainer's keys: `config`, and what the axes' dotted paths point to, is
 * whatever the trainer takes.
 *
 * All complaints of a file are collected, each with file:line:column. */
#ifndef RUNNER_SWEEP_H
#define RUNNER_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct diag;
struct err;
struct json_doc;

enum { SWEEP_AXIS_MAX = 64, SWEEP_NAME_MAX = 63, SWEEP_REPLICATES_MAX = 100000 };
enum { SWEEP_TRIALS_MAX = 10000000 }; // trials of one sweep; a grid beyond is refused at once

/* An axis, its values already multiplied out: {"values": [...]} inside a value makes several. */
struct sweep_axis {
    const char *path;     // "optimizer", "dataset.train"; borrowed from the document
    struct cJSON **value; // owned: `count` values
    int count;
};

struct sweep_exclude {
    int count; // paths, all of which must match
    const char **path;
    const struct cJSON **value;
};

struct sweep {
    struct json_doc *doc; // owned
    char *text;           // owned: the file as it was read
    const char *name, *description;
    const struct cJSON *config; // borrowed from doc
    struct sweep_axis *axes;    // in the order of the file
    int axis_count;
    struct sweep_exclude *excludes;
    int exclude_count;
    int replicates;
    int64_t seed; // of the first replicate: config.seed, 1
    const char *metric; // "val_accuracy"
    bool maximize;
    char **trainer; // argv, NULL terminated, owned; {"besom-trainer", "train"}
    int retries;    // attempts without progress beyond the first: 2
    bool shuffled;  // order: {"name": "shuffled", "seed": n}; else as the grid is written
    uint64_t order_seed;
    int64_t points; // grid points before excludes, at most SWEEP_TRIALS_MAX
};

/* Reads the file at `path`.  Complaints go to `diag` and the sweep may only be used when there are none.
 * ERR_* when the file cannot be read or is not JSON. */
int sweep_load(struct sweep *sweep, const char *path, struct diag *diag, struct err *err);
void sweep_release(struct sweep *sweep);

/* true when the trainer is besom's own, so that its configs can be checked beforehand. */
bool sweep_uses_besom_trainer(const struct sweep *sweep);

#endif

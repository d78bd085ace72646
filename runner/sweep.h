/* runner/sweep.h - the sweep file: reading it, and complaining about it.
 *
 * Keys: name, description, config, grid, exclude, replicates, objective, trainer, retries,
 * timeout, limits, order.
 * docs/sweep-file.md describes them.  The runner does not know the trainer's keys: `config`, and what
 * the axes' dotted paths point to, is whatever the trainer takes.
 *
 * All complaints of a file are collected, each with file:line:column.
 *
 * Invariants of a sweep without complaints
 *   1. points * replicates is from 1 to SWEEP_TRIALS_MAX.
 *   2. Every axis has a value, no two of them mean the same, and its path can be set in every config:
 *      nothing but objects and strings is on the way.
 *   3. No axis overwrites what a value of another axis states: axes applied in the order of `apply`
 *      (a path after those that it lies in) are all found again in the config. */
#ifndef RUNNER_SWEEP_H
#define RUNNER_SWEEP_H

#include "runner/watchdog.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct diag;
struct err;
struct json_doc;

enum { SWEEP_AXIS_MAX = 64, SWEEP_NAME_MAX = 63, SWEEP_REPLICATES_MAX = 100000 };
enum { SWEEP_VALUES_MAX = 100000 };   // values of one axis
enum { SWEEP_TRIALS_MAX = 10000000 }; // trials of one sweep; a grid beyond is refused at once
enum { SWEEP_RETRIES_MAX = 1000 };
enum { SWEEP_TIMEOUT_MAX = 1000000000, SWEEP_GRACE_S = 30 }; // seconds
#define SWEEP_SEED_MAX INT64_C(9007199254740991) // 2^53 - 1, the last that every JSON reader keeps

/* An axis, its values already multiplied out: {"values": [...]} inside a value makes several. */
struct sweep_axis {
    const char *path;            // "optimizer", "dataset.train"; borrowed from the document
    const struct cJSON *list;    // borrowed: the axis as the file has it
    struct cJSON **value;        // owned: `count` values, in the order of the file
    const struct cJSON **source; // owned array: the element of `list` that each value comes from
    char **label;                // owned: each value in short, "sgd lr=0.1"; different ones
    int count;
};

/* Removes the points that match all of its paths. */
struct sweep_exclude {
    int count;
    const char **path;
    const struct cJSON **value;
};

struct sweep {
    struct json_doc *doc; // owned
    char *text;           // owned: the file as it was read
    const char *name, *description;
    const struct cJSON *config; // borrowed from doc, or `no_config`
    struct cJSON *no_config;    // owned: an empty object when the file has no config
    struct sweep_axis *axes;    // in the order of the file
    int axis_count;
    int apply[SWEEP_AXIS_MAX]; // the axes in the order in which a config is made
    struct sweep_exclude *excludes;
    int exclude_count;
    int replicates;
    int64_t seed;       // of the first replicate: config.seed, 1
    const char *metric; // "val_accuracy"
    bool maximize;
    char **trainer; // argv, NULL terminated, owned; {"besom-trainer", "train"}
    int retries;    // attempts without progress beyond the first: 2
    struct watchdog_limits timeout;
    double memory_mb; // limits.memory_mb, 10^6 bytes of a trainer and what it starts; 0: no limit
    bool shuffled;    // order: {"name": "shuffled", "seed": n}; else as the grid is written
    uint64_t order_seed;
    int64_t points; // grid points before excludes
};

/* Reads the file at `path`.  Complaints go to `diag` and the sweep may only be used when there are none;
 * it is released by the caller in either case.  ERR_* when the file cannot be read or is not JSON: the
 * sweep is then empty. */
int sweep_load(struct sweep *sweep, const char *path, struct diag *diag, struct err *err);

/* The same from a text in memory; `name` is how complaints call it. */
int sweep_parse(struct sweep *sweep, const char *name, const char *text, struct diag *diag,
                struct err *err);
void sweep_release(struct sweep *sweep);

/* true when the trainer is besom's own, so that its configs can be checked beforehand. */
bool sweep_uses_besom_trainer(const struct sweep *sweep);

#endif

/* verify/checks.h - the checks, a file a group of them.  Each tells the report what it has looked at and what
 * does not hold. */
#ifndef VERIFY_CHECKS_H
#define VERIFY_CHECKS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct facts;
struct metrics;
struct verify_report;

struct checking {
    struct verify_report *report;
    struct db *db;
    const struct metrics *metrics;
    const char *dir;
    bool live; // a run is going on
};

/* check_trial.c: ATTEMPTS, STATUS, PROGRESS */
void check_attempts(const struct checking *c, const struct facts *f);
void check_status(const struct checking *c, const struct facts *f);

/* check_values.c: EPOCHS, VALUES, SUMMARIES, SUPERSEDED, LAYERS */
void check_epochs(const struct checking *c, const struct facts *f);
void check_values(const struct checking *c, const struct facts *f);
void check_summaries(const struct checking *c, const struct facts *f);
void check_superseded(const struct checking *c, const struct facts *f);
void check_layers(const struct checking *c, const struct facts *f);

/* check_sweeps.c: SWEEPS, SEEDS */
void check_sweeps(const struct checking *c);

/* check_leaderboard.c: LEADERBOARD */
void check_leaderboard(const struct checking *c);

/* check_folder.c: KEYS, FOLDERS, and the folder's files by check_checkpoints.c: CHECKPOINTS, IDENTITY, HISTORY,
 * RETENTION */
void check_folder(const struct checking *c, const struct facts *f);
/* The key against `config`, canonical JSON with what counts and perhaps the seed; `file` it is from, NULL: the database */
void check_key_of(const struct checking *c, const struct facts *f, const char *config,
                  const char *file);
void check_strangers(const struct checking *c);
/* The names of a trial's folder, from the first on, for closedir(); NULL when it cannot be read. */
DIR *check_names(int folder_fd);
void check_checkpoints(const struct checking *c, const struct facts *f, int folder_fd,
                       const char *config);

/* check_snapshots.c: SNAPSHOTS */
void check_trial_snapshot(const struct checking *c, const struct facts *f, int folder_fd);
void check_sweep_snapshots(const struct checking *c);

/* check_rows.c, likewise: the rows of a copy, `text`, which is read line by line.  `current`: nothing has changed in the
 * database since it was written.  `sweep` is 0 when the database has none of that name. */
void compare_trial_rows(const struct checking *c, const struct facts *f, char *text,
                        const char *path, bool current);
void compare_sweep_rows(const struct checking *c, int64_t sweep, const char *name, char *text,
                        const char *path, bool current);

#endif

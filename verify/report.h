/* verify/report.h - what was checked and what was found. */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The invariants, in the order in which they are told: name, what is counted, what holds. */
#define VERIFY_CHECKS(X)                                                                           \
    X(DATABASE, "database", "tables", "the file is whole, its references lead somewhere")          \
    X(VIEWS, "views", "views", "each documented view is there and can be read")                    \
    X(ATTEMPTS, "attempts", "attempts", "they count from 1, and each but the last has ended")      \
    X(STATUS, "status", "trials", "a trial's status follows from its attempts and epochs")         \
    X(EPOCHS, "epochs", "epochs",                                                                  \
      "each once, with all values, of an attempt that was; a complete trial has 1 to its last")    \
    X(PROGRESS, "progress", "trials", "epochs_done counts the epochs without a gap")               \
    X(VALUES, "values", "values", "each once; its kind, its number and its bits agree")            \
    X(SUMMARIES, "summaries", "summaries", "lowest, highest and last are those of the values")     \
    X(SUPERSEDED, "superseded", "values", "what was set aside was replaced by a later attempt")    \
    X(LAYERS, "layers", "layers", "shares are shares, histograms are counts, epochs are reached")  \
    X(SWEEPS, "sweeps", "points", "order, replicates and parameters are those of the sweep")       \
    X(SEEDS, "seeds", "points", "seeds are s + replicate - 1")                                     \
    X(LEADERBOARD, "leaderboard", "points", "means, spreads and ranks are those of the values")    \
    X(KEYS, "keys", "trials", "a trial's key is the hash of config, seed and trainer")             \
    X(FOLDERS, "folders", "trials", "a trial that began has its folder, with its config")          \
    X(CHECKPOINTS, "checkpoints", "files", "format, shapes and checksum; what the name says")      \
    X(IDENTITY, "identity", "files", "checkpoints are of the trial in whose folder they are")      \
    X(HISTORY, "history", "epochs", "a checkpoint's history has the bits of the database")         \
    X(RETENTION, "retention", "trials",                                                            \
      "a complete trial has its final checkpoint, its best, and no more than are kept")            \
    X(SNAPSHOTS, "snapshots", "files", "the second copy of the rows is whole and says the same")

enum verify_check {
#define X(id, name, unit, sentence) VERIFY_##id,
    VERIFY_CHECKS(X)
#undef X
        VERIFY_CHECK_COUNT,
};

struct verify_check_info {
    const char *name, *unit, *sentence;
};
extern const struct verify_check_info verify_check_info[VERIFY_CHECK_COUNT];

/* Where something was found; what is 0 or NULL is not told. */
struct place {
    int64_t trial, epoch, attempt;
    const char *metric, *file, *sweep;
};

/* A violation or a note, as it is kept; strings are owned. */
struct finding {
    int64_t trial, epoch, attempt;
    char *metric, *file, *sweep, *text;
};

struct findings {
    struct finding *list; // the first few
    int64_t count;        // of all
};

struct verify_report {
    char *dir;
    int show;
    bool run_going_on;
    char *message; // why it is unreadable; NULL
    int64_t version, trials, epochs, values, checkpoints;
    int64_t checked[VERIFY_CHECK_COUNT];
    struct findings bad[VERIFY_CHECK_COUNT];
    struct findings notes;
};

struct verify_report *report_new(const char *dir, int show);
int64_t report_violations(const struct verify_report *report);

void report_count(struct verify_report *report, enum verify_check check, int64_t count);
void report_bad(struct verify_report *report, enum verify_check check, const struct place *place,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
void report_note(struct verify_report *report, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_unreadable(struct verify_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Memory: these abort instead of failing. */
void *checked_alloc(size_t size); // zeroed
void *checked_resize(void *p, size_t count, size_t size);
char *checked_copy(const char *text); // NULL stays NULL
char *checked_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Room for one more element behind `count`. */
#define GROW(list, count)                                                                          \
    ((list) =                                                                                      \
         ((count) & ((count)-1)) != 0                                                              \
             ? (list)                                                                              \
             : checked_resize((list), (count) == 0 ? 1 : 2 * (size_t)(count), sizeof *(list)))

#endif

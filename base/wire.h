/* base/wire.h - the metric line: all that a trainer and the runner share.
 *
 * A trainer writes one JSON object a line to its stdout:
 *
 *     {"epoch": 3, "train_loss": 0.41, "val_accuracy": 0.86}     an epoch record
 *     {"event": "done"}                                          an event
 *     loading the data                                           anything else is log text
 *
 * Reading is total: every byte string yields a kind, never a failure.  The reader is fed by processes
 * that may print anything, so each length has a limit and nothing grows past it. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct json_doc;

enum {
    WIRE_LINE_MAX = 1 << 16, // bytes; what is longer is log text, cut
    WIRE_METRIC_MAX = 256,   // metrics in a record
    WIRE_NAME_MAX = 63,      // bytes of a metric's name
    WIRE_EPOCH_MAX = 1000000000,
};

/* ---- lines out of chunks ---- */

/* Called for each line, without its newline (and without a '\r' before it).  `cut` when the line was
 * longer than WIRE_LINE_MAX: `text` is then its beginning and the rest is dropped. */
typedef void wire_line_fn(void *context, const char *text, size_t len, bool cut);

struct wire_splitter {
    char *line; // WIRE_LINE_MAX bytes, allocated on the first partial line
    size_t len;
    bool cut;         // in the tail of an over-long line that was already delivered
    uint64_t dropped; // bytes of all over-long lines, behind what was delivered
};

void wire_feed(struct wire_splitter *splitter, const char *chunk, size_t len, wire_line_fn *fn,
               void *context);
/* As wire_feed(), up to the end of the first line; returns how much of the chunk that was.  For who may
 * have to stop between two lines. */
size_t wire_feed_line(struct wire_splitter *splitter, const char *chunk, size_t len,
                      wire_line_fn *fn, void *context);
/* The end of the stream: delivers a last line that has no newline. */
void wire_end(struct wire_splitter *splitter, wire_line_fn *fn, void *context);
void wire_splitter_release(struct wire_splitter *splitter);

/* ---- what a line says ---- */

enum wire_kind {
    WIRE_TEXT,  // not an object: log text
    WIRE_EPOCH, // an epoch record
    WIRE_EVENT, // an object with "event" and no epoch
    WIRE_BAD,   // starts with '{' but is neither; `problem` says why
};

struct wire_metric {
    char name[WIRE_NAME_MAX + 1];
    double value; // may be NaN or infinite
};

/* About 20 KB: keep one and reuse it.  Zeroed before first use. */
struct wire_record {
    enum wire_kind kind;
    int epoch; // WIRE_EPOCH: 1 .. WIRE_EPOCH_MAX
    int metric_count;
    struct wire_metric metrics[WIRE_METRIC_MAX];
    double seconds, samples_per_second; // the timings; NaN when absent
    const char *event;                  // WIRE_EVENT: its name; borrowed from `doc`
    struct cJSON *object;               // WIRE_EVENT: the whole object; borrowed from `doc`
    struct json_doc *doc;
    char problem[256]; // WIRE_BAD; holds no control characters
};

/* Members of an epoch record that are neither numbers nor "nan" / "inf" / "-inf" are passed over.  The
 * whole record is WIRE_BAD, and so none of its metrics is kept, when a metric's name is empty, longer
 * than WIRE_NAME_MAX or has control characters, when there are more than WIRE_METRIC_MAX, or when a name
 * comes twice.  An object with an integer "epoch" is a record, also with an "event".  Cost: linear in `len` but for a
 * sort of each object's names. */
void wire_parse(struct wire_record *record, const char *line, size_t len);
void wire_record_release(struct wire_record *record);

/* ---- how the runner calls a trainer ---- */

/* Environment of every trainer. */
#define WIRE_ENV_TRIAL          "BESOM_TRIAL"          // the trial's number
#define WIRE_ENV_ATTEMPT        "BESOM_ATTEMPT"        // from 1
#define WIRE_ENV_SEED           "BESOM_SEED"           // decimal
#define WIRE_ENV_CONFIG         "BESOM_CONFIG"         // a JSON file
#define WIRE_ENV_CHECKPOINT_DIR "BESOM_CHECKPOINT_DIR" // exists
#define WIRE_ENV_SLOT           "BESOM_SLOT"           // from 1, the worker's place in the pool
#define WIRE_ENV_CACHE_DIR      "BESOM_CACHE_DIR"      // for what all trials may share

/* Events that the runner understands:
 *     {"event": "start", "from_epoch": E, "deterministic": B, "numerics": "..."}
 *         E epochs are done already.  B true promises that an epoch computed again has the same bits.
 *     {"event": "failed", "reason": "diverged", "message": "..."}
 *         the trial has failed and calling it again is pointless
 *     {"event": "layers", "at_epoch": E, "layer": "0 conv2d", "mean": ..., "histogram": [...], ...}
 *         what a layer of the network looked like after E epochs, 0: before the first
 *     {"event": "done"}
 *         all epochs are done and the final checkpoint is in place
 *     {"event": "done", "stopped": "patience"}
 *         the final checkpoint is in place, and there will be no more epochs for the reason given
 * A trainer that resumes may repeat the records of the epochs that its checkpoint holds, without
 * timings: the runner compares or adds them. */

/* The exit status of a trainer that was asked to stop, saved its state and wants to be called again. */
enum { WIRE_EXIT_SAVED = 85 };

/* That of a program that ran out of memory, ours and any trainer that wants it known (EX_OSERR). */
enum { WIRE_EXIT_NO_MEMORY = 71 };

#endif

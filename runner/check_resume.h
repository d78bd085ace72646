/* runner/check_resume.h - whether a trainer resumes: the judge of `besom check`.
 *
 * It is told what the trainer said and how its attempts ended, and does no I/O:
 *
 *     two uninterrupted runs --> the reference, and whether the trainer is deterministic at all
 *     every record of every round --> compared with the reference, whenever it is told
 *     every end --> by our hand, done, or the trainer's own failure
 *
 * (Not runner/checker.h, which asks `besom-trainer check` about configs.)
 *
 * Invariants
 *   1. The verdict is EXACT only when each record that was ever told had the bits of the reference and
 *      every round told every epoch of the reference and none beyond.
 *   2. Of several findings that speak against the trainer the one of the lowest round counts, whichever came
 *      first. */
#ifndef RUNNER_CHECK_RESUME_H
#define RUNNER_CHECK_RESUME_H

#include "runner/check_curve.h"

#include <stdbool.h>

struct buf;

enum check_verdict {
    CHECK_EXACT,
    CHECK_WITHIN,      // equal but for rounding: CHECK_CLOSE, or the tolerance where that is larger
    CHECK_STARTS_OVER, // right in the end, but every kill cost all that was done
    CHECK_TELLS_ONCE,  // an epoch that was saved is never told again
    CHECK_DIFFERS,     // other numbers after a resumption
    CHECK_SKIPS,       // an epoch was never told
    CHECK_REPEATS,     // epochs beyond the last
    CHECK_DIES,        // it ended by itself, with an error
    CHECK_HANGS,       // it took longer than the timeout
    CHECK_NONDETERMINISTIC, // two uninterrupted runs differ
    CHECK_FAILS,            // it did not complete although nobody interrupted it
    CHECK_VERDICTS
};

#define CHECK_CLOSE 1e-6 // relative; what loses more has lost more than digits

/* Where in the check something happened.  `how` says how earlier attempts of this round were ended; borrowed. */
struct check_where {
    int round;   // from 1; 0: an uninterrupted run
    int attempt; // from 1; in round 0: which of the two runs
    const char *how;
};

/* What speaks against the trainer. */
struct check_finding {
    enum check_verdict verdict;
    int round, attempt;
    char *how;                          // owned
    struct check_difference difference; // DIFFERS, NONDETERMINISTIC
    int epoch;                          // SKIPS, REPEATS: which
    int exit_status, signal;            // DIES, FAILS; exit_status -1: by the signal
    char *message;                      // owned: in words, where there is more to say; NULL
    char *output;                       // owned: the last that it printed; NULL
};

struct check_resume {
    double tolerance;
    int epochs; // that the config asks for; 0: as many as the trainer makes
    struct check_curve reference;
    bool found;
    struct check_finding finding;

    // the farthest of the differences that were near enough; relative 0: none
    struct check_difference within;
    int within_round;

    long compared; // metrics
    long repeated; // records of epochs that were told before in their round
    int kills, terms, extensions, rounds;
    struct check_finding once; // `lost` > 0: the first of those epochs, by round
    int lost;                  // epochs whose line did not count and that were not told again
    int resumes, restarts; // resumptions that could have kept epochs; those that began at the first
};

/* `epochs` as above. */
void check_resume_init(struct check_resume *judge, double tolerance, int epochs);
void check_resume_release(struct check_resume *judge); // zeroed is fine

/* ---- told by whoever runs the trainer ---- */

/* A record.  In run 1 of round 0 it becomes the reference, else it is compared.  `again`: the epoch was
 * told before in this round. */
void check_resume_told(struct check_resume *judge, const struct check_where *where,
                       const struct wire_record *record, bool again);

/* It left with status 0; `told` is what the round's attempts have told.  `stopped`: it said that it ended early. */
void check_resume_done(struct check_resume *judge, const struct check_where *where,
                       const struct check_curve *told, bool stopped);

/* An epoch was told to nobody, as it were, was saved, and was not told again until the end of the round. */
void check_resume_lost(struct check_resume *judge, const struct check_where *where, int epoch);

/* It ended by itself, unasked and with an error.  `message`, `output`: what there is to say, or NULL. */
void check_resume_died(struct check_resume *judge, const struct check_where *where, int exit_status,
                       int signal, const char *message, const char *output);

void check_resume_hung(struct check_resume *judge, const struct check_where *where,
                       double timeout_s, const char *output);

/* An attempt after a kill, as far as it got. */
struct check_begin {
    int done;          // epochs that were told before it
    int first;         // the epoch of its first record; 0: none came
    int last;          // the highest epoch up to `done` that it told
    int from_epoch;    // of its start event; -1: it told none
    int changes;       // of files, between the records of `first` and `last`
    double seconds;    // between them
    double expected_s; // the same in the uninterrupted run
    bool has_files;    // the folder held something of the trainer's
};

/* A trainer may tell the epochs of its checkpoint again; one that trains them again takes time for it, or
 * saves.  1: started over, 0: went on, -1: cannot be told. */
int check_started_over(const struct check_begin *begin);

void check_resume_began(struct check_resume *judge, const struct check_begin *begin);

/* ---- the answer ---- */

enum check_verdict check_resume_verdict(const struct check_resume *judge);

/* true for exact, and for equal within the tolerance. */
bool check_resume_passed(const struct check_resume *judge);

/* "does-not-resume": a word for programs. */
const char *check_verdict_word(enum check_verdict verdict);

/* What is the matter, in sentences for people, without a newline at the end; the trainer's output is not in
 * it. */
void check_resume_explain(const struct check_resume *judge, struct buf *out);

#endif

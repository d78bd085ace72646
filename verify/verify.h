/* verify/verify.h - holds a results folder to its invariants.
 *
 * A floor of its own: what it knows comes from docs/design.md, docs/schema.md, docs/checkpoint-format.md and
 * docs/protocol.md, and none of the code that writes a folder is used here, so that a mistake of the writer
 * is not repeated by the checker.  It stands on libc, SQLite, cJSON and xxHash alone.
 *
 *     results.db --- trial by trial ---> facts --+--> what rows say of each other
 *                                                +--> trials/<key>/: config.json, checkpoints
 *                --- sweep by sweep -----------------> points, seeds, leaderboard
 *
 * Invariants
 *   1. Nothing is changed: files are opened to be read, the database read-only, in one transaction.
 *   2. While a run is going on, what it has under way is judged leniently: open attempts, epochs that a
 *      checkpoint has and the database does not yet have, files that come and go.
 *   3. What is a violation has lost, doubled or changed something that a page of docs/ promises.  What is only
 *      worth knowing (a temporary that a killed writer left, a folder of no trial) is a note. */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include <stdio.h>

struct verify_report;

enum verify_outcome {
    VERIFY_HOLDS,      // every invariant holds
    VERIFY_VIOLATED,   // some do not
    VERIFY_UNREADABLE, // the folder, or its database, cannot be read: verify_message() says why
    VERIFY_NO_FOLDER,  // there is no such folder; likewise
};

/* Checks the results folder `dir`.  `show` is how many violations of an invariant are kept to be shown, and how
 * many notes; the rest is counted.  *report is always made, and freed by verify_free().  Out of memory aborts.
 *
 * Cost: every row is read twice, every checkpoint once; the memory is that of one trial's rows. */
enum verify_outcome verify_folder(struct verify_report **report, const char *dir, int show);
void verify_free(struct verify_report *report); // NULL is fine

/* Why it is unreadable; "" when it is not. */
const char *verify_message(const struct verify_report *report);

/* A line an invariant, with its violations, then the notes and a summary. */
void verify_print(const struct verify_report *report, FILE *out);
/* The same as one JSON object. */
void verify_print_json(const struct verify_report *report, FILE *out);

#endif

/* results/rows.h - rows of the store as lines of text, and back: what a file has to hold from which a lost
 * results.db can be made anew.
 *
 *     {"besom":"trial","version":1}
 *     {"table":"attempt","columns":["attempt","slot","started_at",...]}
 *     [1,2,1764000000.25,...]
 *     {"table":"value","columns":["epoch","metric","kind","value","bits"]}
 *     [1,"val_accuracy",0,0.8125,4605493369432473600]
 *     {"end":"trial",STAMP,"bytes":N,"xxh3":"..."}
 *
 * A file is about one row, its owner: a trial, or a sweep.  Which tables and which of their rows belong to it is
 * a `struct rows_kind`; which columns there are is asked from SQLite, so that a column that a later schema adds
 * is in the files without a line of code here, and missing ones of an older file are NULL.
 *
 *     a column that refers to a row   its name instead of its number: sweep, metric, heading; of a trial its key
 *     ... to the owner, in a table    not written: the file's owner
 *         of rows without an id
 *     INTEGER beyond 2^53             a string, since JSON readers keep no more
 *     REAL                            the shortest text that reads back to the same bits; "inf", "-inf"
 *
 * Invariants
 *   1. The bytes of a file are a function of the rows and of STAMP.
 *   2. rows_verify() refuses every file that is not wholly what rows_write() wrote: the hash, XXH3-128 over
 *      everything before its own digits, stands at a fixed distance from the end.
 *   3. Reading is total: whatever a file holds, it is read or refused; a refused one leaves the store as it was.
 *      So a file with a good hash can still be refused: by a constraint of the tables, or by a name that is not
 *      there.
 *   4. A row that is there already stays, unless the table's `conflict` says otherwise.
 *   5. What a file has as lasting, the store it was written from has for good: `lasting` says in which form. */
#ifndef RESULTS_ROWS_H
#define RESULTS_ROWS_H

#include <stdint.h>
#include <stdio.h>

struct buf;
struct err;
struct rows_writer;
struct store;

enum { ROWS_VERSION = 1 };

struct rows_table {
    const char *name;
    const char *where;    // SQL: which of its rows, ?1 being the owner's number
    const char *order;    // SQL
    const char *blank;    // a text column that is written empty; NULL: none
    const char *conflict; // SQL, when read: behind an INSERT whose row is there; NULL: DO NOTHING
    // SQL, when compared: what a row that is not there as it was must have left behind, its columns
    // being :NAME, the owner :trial or :sweep, and a trial's attempts when the file was written
    // :attempts.  "0": it stays as it is; NULL: it may change, and is not looked at.
    const char *lasting;
};

/* Names come before the rows that use them. */
struct rows_kind {
    const char *owner; // its table: "trial" or "sweep"
    const struct rows_table *tables;
    int table_count;
};

/* ---- writing ---- */

/* Keeps its statements prepared; they are the store's and have to go before store_close(). */
struct rows_writer *rows_writer_new(struct store *store, const struct rows_kind *kind);
void rows_writer_free(struct rows_writer *writer); // NULL is fine

/* Writes the file of the owner `id` to `fd`, in pieces: memory does not grow with the rows.  `stamp` is a JSON
 * member or several.  ERR_FULL and ERR_IO of the file have no path in their message: the caller puts it there. */
int rows_write(struct rows_writer *writer, int fd, int64_t id, const char *stamp, struct err *err);

/* ---- reading ---- */

/* ERR_CORRUPT when `file` is not complete and unchanged, ERR_IO. */
int rows_verify(FILE *file, struct err *err);

/* Does the file, open as `fd`, end in the stamp `stamp`, and has it the length that it is said to have?  Looks at
 * its last bytes alone. */
int rows_is_current(int fd, const char *owner, const char *stamp);

/* Puts the rows of the kind's tables first .. last - 1 into the store, in the open transaction.  `owner` is the
 * key or the name that the file's owner must have.  ERR_CORRUPT names the line, ERR_VERSION a file of a newer
 * besom.  `file` is at its beginning.  Does not look at the hash. */
int rows_read(struct store *store, FILE *file, const struct rows_kind *kind, const char *owner,
              int first, int last, struct err *err);

/* ---- comparing ---- */

enum rows_extent {
    ROWS_LASTING, // of an older file: what can have changed since may have
    ROWS_ALL      // all its rows, as they are
};

/* Does the store have what a file has?  ERR_DIFFERS names the first row that it has otherwise or not at all: of a value
 * epoch, metric and both; no path.  ERR_CORRUPT, ERR_VERSION: as rows_read().  `like` has the current tables: the store
 * itself, or where that may be an older file another one.  Numbers of rows with names are not compared, a file knows
 * things by their names.  Nothing is written.  Cost: a look-up a row, about 5 us. */
int rows_compare(struct store *store, struct store *like, FILE *file, const struct rows_kind *kind,
                 const char *owner, enum rows_extent extent, struct err *err);

#endif

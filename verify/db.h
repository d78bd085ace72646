/* verify/db.h - results.db, opened so that nothing changes.
 *
 *     the write-ahead log is empty     immutable: not even SQLite's -shm and -wal files are made.  Whoever
 *                                      reads must look at the end whether it changed: db_has_changed()
 *     it is not                        read-only, one transaction; -shm is SQLite's scratch, and shared
 *     ... and the folder is read-only  a copy of both files in a temporary folder, removed by db_close()
 *     ... and there is no room for it  a copy by SQLite into a database without a name, made while no other connection has
 *                                      the file open
 *
 * After the first failure db_ask() gives no more statements: the failure is in the report, as a violation when
 * the file is damaged, as "unreadable" when the file cannot be got at. */
#ifndef VERIFY_DB_H
#define VERIFY_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct verify_report;

enum { DB_APPLICATION_ID = 0x6265736d, DB_VERSION_MAX = 3 };

struct db {
    sqlite3 *db;
    struct verify_report *report;
    char *path, *wal, *copy_dir;
    struct stat seen, seen_wal; // when it was opened; st_ino 0: no file
    bool immutable, failed;
    int version;
};

/* False: it cannot be read, and the report says why.  `live`: a run may start meanwhile, so not as immutable. */
bool db_open(struct db *db, const char *dir, bool live, struct verify_report *report);
void db_close(struct db *db);
bool db_has_changed(const struct db *db);
bool db_wal_is_empty(const struct db *db);

/* A statement, NULL after a failure; db_next() is true for a row and finalizes at the end, so that
 *     for (sqlite3_stmt *q = db_ask(db, sql, id); db_next(db, &q);) { ... }
 * needs no more.  Leaving the loop early: sqlite3_finalize(q).  ?1 is `id`, where the text has it. */
sqlite3_stmt *db_ask(struct db *db, const char *sql, int64_t id);
bool db_next(struct db *db, sqlite3_stmt **stmt);
/* One number, 0 without a row. */
int64_t db_number(struct db *db, const char *sql, int64_t id);
/* A column as text, "" for NULL; valid until the next row. */
const char *db_text(sqlite3_stmt *stmt, int column);
bool db_is_null(sqlite3_stmt *stmt, int column);

/* DATABASE: pages, references, application, version.  VIEWS: they are there and can be read. */
void db_check(struct db *db);

#endif

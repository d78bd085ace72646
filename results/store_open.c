/* Is the file at this path ours?  Everything here only reads: a file that is refused is left as it was,
 * byte for byte. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/snapshot.h"
#include "results/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { THOROUGH_MAX = 64 << 20 }; // bytes; of a larger file a writer leaves indexes out

/* WAL needs memory that all connections share, which a file system between machines does not give. */
const char *store_network_fs(unsigned long magic) {
    static const struct {
        unsigned long magic; // as in linux/magic.h and statfs(2)
        const char *name;
    } systems[] = {
        {0x6969, "NFS"},          {0x517b, "SMB"},        {0xff534d42, "CIFS"},
        {0xfe534d42, "SMB2"},     {0x5346414f, "AFS"},    {0x73757245, "Coda"},
        {0x564c, "NCP"},          {0x00c36400, "Ceph"},   {0x0bd00bd0, "Lustre"},
        {0x47504653, "GPFS"},     {0x19830326, "BeeGFS"}, {0xaad7aaea, "PanFS"},
        {0x20030528, "OrangeFS"},
    };
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        if (systems[i].magic == magic) {
            return systems[i].name;
        }
    }
    return NULL;
}

static int check_folder(const char *dir, const char *path, struct err *err) {
    struct statfs fs;
    if (statfs(dir, &fs) != 0) {
        return err_io(err, errno, "%s", dir);
    }
    // f_type is a signed word; some magic numbers have the top bit of 32 set
    const char *name = store_network_fs((unsigned long)fs.f_type & 0xffffffff);
    if (name == NULL) { // SQLite would only say that it cannot open the file
        return access(dir, W_OK) == 0 ? ERR_OK : err_io(err, errno, "%s: write to %s", path, dir);
    }
    return err_set(err, ERR_IO,
                   "%s: %s is a network file system, on which the database could be "
                   "damaged; choose a folder on a local disk",
                   path, name);
}

/* The size of a regular file, -1 when there is none. */
static int file_size(const char *path, int64_t *size, struct err *err) {
    struct stat st;
    *size = -1;
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? ERR_OK : err_io(err, errno, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_IO, "%s: not a regular file", path);
    }
    *size = st.st_size;
    return ERR_OK;
}

static int wal_size(const char *path, int64_t *size, struct err *err) {
    char *wal = mem_printf("%s-wal", path);
    int rc = file_size(wal, size, err);
    free(wal);
    return rc;
}

/* Whether the folder DIR/sweeps or DIR/trials, whose entries have what is wanted `inside`, or are it, has any. */
static bool has_copy(const char *dir, const char *folder, const char *inside) {
    char *path = mem_printf("%s/%s", dir, folder);
    DIR *entries = opendir(path); // absent as a rule
    bool found = false;
    for (const struct dirent *e; entries != NULL && !found && (e = readdir(entries)) != NULL;) {
        size_t len = strlen(e->d_name), end = strlen(SNAPSHOT_SWEEP_END);
        if (e->d_name[0] == '.') {
            continue; // a temporary
        }
        if (inside == NULL) {
            found = len > end && strcmp(e->d_name + len - end, SNAPSHOT_SWEEP_END) == 0;
        } else {
            char *file = mem_printf("%s/%s/%s", path, e->d_name, inside);
            found = access(file, F_OK) == 0;
            free(file);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries); // only read
    }
    free(path);
    return found;
}

/* Refuses a file without rows beside copies of rows: a new one would be stored in their place, and they are all that is
 * left of what was measured. */
static int check_copies(const struct store *store, const char *dir, const char *what,
                        struct err *err) {
    bool any = has_copy(dir, "sweeps", NULL) || has_copy(dir, "trials", SNAPSHOT_TRIAL_FILE);
    return any ? store_damaged(store, err, "%s, but the copies of its rows are there", what)
               : ERR_OK;
}

/* What can be told from outside.  SQLite takes an empty file for a new database and throws the WAL
 * away, so a file that lost its contents has to be noticed before it is opened. */
static int check_from_outside(const struct store *store, const char *dir, bool *thorough,
                              struct err *err) {
    int64_t size, wal;
    int rc = file_size(store->path, &size, err);
    rc = rc == ERR_OK ? wal_size(store->path, &wal, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    const char *what = size < 0 ? "missing" : "empty";
    if (size <= 0 && wal > 0) {
        return store_damaged(store, err, "%s, but its write-ahead log is not", what);
    }
    if (size <= 0 && check_copies(store, dir, what, err) != ERR_OK) {
        return err->code;
    }
    if (size < 0 && store->mode != STORE_WRITE) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: no such file; \"besom run SWEEP\" makes it, --out names its folder",
                       store->path);
    }
    *thorough = size <= THOROUGH_MAX || wal > 0 || store->mode == STORE_CHECK;
    return ERR_OK;
}

/* ---- from inside ---- */

/* SQLite says of a long path only that it cannot be opened.  Its limit is on the absolute one. */
static int say_path_too_long(struct store *store, int rc, struct err *err) {
    enum { SQLITE_PATH_MAX = 511 };
    char *here = store->path[0] == '/' ? NULL : get_current_dir_name();
    size_t len = strlen(store->path) + (here != NULL ? strlen(here) + 1 : 0);
    free(here);
    if ((rc & 0xff) != SQLITE_CANTOPEN || len <= SQLITE_PATH_MAX) {
        return store_fail(store, rc, err);
    }
    return err_set(
        err, ERR_IO,
        "%s: its path has %zu bytes, and SQLite takes %d: use a folder nearer to the root",
        store->path, len, SQLITE_PATH_MAX);
}

static int connect_uri(struct store *store, const char *uri, int flags, struct err *err) {
    (void)sqlite3_close(store->db); // no statement is open yet
    store->db = NULL;
    int rc = sqlite3_open_v2(uri, &store->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    if (rc != SQLITE_OK) {
        return say_path_too_long(store, rc, err); // db may be NULL: "out of memory" then
    }
    (void)sqlite3_extended_result_codes(store->db, 1);
    // The last one to close would write the WAL into the file: of one that is refused, or fails, too.
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); // valid
    store_wait_init(store);
    return store_exec(store, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", err);
}

/* file:PATH?OPTIONS with what has a meaning in a URI escaped; an absolute path after an empty host */
static char *uri_of(const char *path, const char *options) {
    struct buf uri = {0};
    buf_puts(&uri, path[0] == '/' ? "file://" : "file:");
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr("?#%", *c) != NULL) {
            buf_printf(&uri, "%%%02X", (unsigned char)*c);
        } else {
            buf_putc(&uri, *c);
        }
    }
    buf_puts(&uri, options);
    return buf_detach(&uri);
}

static int read_integer(struct store *store, const char *sql, int64_t *value, struct err *err) {
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_fail(store, rc, err);
    }
    rc = store_step(store, stmt, err);
    if (rc > 0) {
        *value = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt); // the step told what there was to tell
    return rc < 0 ? rc : ERR_OK;
}

struct header {
    int64_t application, version, objects;
};

static int read_header(struct store *store, struct header *h, struct err *err) {
    *h = (struct header){0};
    int rc = read_integer(store, "PRAGMA application_id", &h->application, err);
    rc = rc == ERR_OK ? read_integer(store, "PRAGMA user_version", &h->version, err) : rc;
    return rc == ERR_OK
               ? read_integer(store, "SELECT count(*) FROM sqlite_schema", &h->objects, err)
               : rc;
}

static int check_ours(struct store *store, const char *dir, const struct header *h,
                      struct err *err) {
    if (h->application == 0 && h->version == 0 &&
        h->objects == 0) { // made by a runner that died at once, or by touch(1)
        if (check_copies(store, dir, "empty", err) != ERR_OK) {
            return err->code;
        }
        return store->mode == STORE_WRITE
                   ? ERR_OK
                   : err_set(err, ERR_NOT_FOUND, "%s: empty; \"besom run SWEEP\" fills it",
                             store->path);
    }
    if (h->application != STORE_APPLICATION_ID) {
        return err_set(err, ERR_VERSION,
                       "%s: a database of another application (application_id 0x%08x, besom's is "
                       "0x%08x)",
                       store->path, (unsigned)h->application, (unsigned)STORE_APPLICATION_ID);
    }
    if (h->version > STORE_VERSION) {
        return err_set(err, ERR_VERSION,
                       "%s: written by a newer besom (schema %lld, this one knows %d)", store->path,
                       (long long)h->version, STORE_VERSION);
    }
    int64_t tables = 0;
    int rc = read_integer(store,
                          "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN"
                          " ('sweep', 'trial', 'member', 'attempt', 'epoch', 'metric', 'value')",
                          &tables, err);
    if (rc == ERR_OK && (tables != 7 || h->version < 1)) {
        rc = store_damaged(store, err, "some of its tables are missing");
    }
    return rc;
}

/* Of two kinds of check, on a database of a million values (38 MB, 5 metrics of 100 epochs of 2,000 trials; warm, one
 * core of an EPYC), quick_check took 0.40-0.47 s and integrity_check, which also compares indexes with their
 * tables, 0.61-0.78 s: little beside what they guard.  Both see constraints that a row violates, but not through a
 * connection that SQLite opened read-only, to which it leaves them unknown. */
static int check_whole(struct store *store, bool thorough, struct err *err) {
    sqlite3_stmt *stmt;
    const char *sql = thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)";
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_fail(store, rc, err);
    }
    rc = store_step(store, stmt, err);
    const char *found = rc > 0 ? (const char *)sqlite3_column_text(stmt, 0) : "ok";
    if (found == NULL || strcmp(found, "ok") != 0) {
        rc = store_damaged(store, err, "damaged (%s)", found == NULL ? "?" : found);
    }
    (void)sqlite3_finalize(stmt); // the step told what there was to tell
    return rc < 0 ? rc : ERR_OK;
}

/* A WAL database in a folder that cannot be written to opens only as one that nobody changes, and then
 * without its WAL: fine when that is empty. */
static int connect_immutable(struct store *store, struct header *header, struct err *err) {
    int64_t wal;
    struct err second;
    if (wal_size(store->path, &wal, &second) != ERR_OK) {
        return err->code;
    }
    if (wal > 0) {
        return err_set(
            err, ERR_IO,
            "%s: its folder cannot be written to and part of it is in %s-wal still; copy "
            "both to another folder and read them there",
            store->path, store->path);
    }
    char *uri = uri_of(store->path, "?immutable=1");
    store->dead = false;
    int rc = connect_uri(store, uri, SQLITE_OPEN_READONLY, &second);
    free(uri);
    rc = rc == ERR_OK ? read_header(store, header, &second) : rc;
    if (rc != ERR_OK) {
        *err = second;
    }
    return rc;
}

/* The whole of it, as one transaction sees it, in place of the connection. */
static int copy_aside(struct store *store, struct err *err) {
    sqlite3 *from = store->db;
    store->db = NULL;
    // Without a name: SQLite's own, in its cache, and what is beyond that in a file in TMPDIR that nobody else sees.
    int rc = connect_uri(store, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    rc = rc == ERR_OK ? store_exec(store, "PRAGMA cache_size = -65536", err) : rc;
    if (rc == ERR_OK) {
        sqlite3_backup *backup = sqlite3_backup_init(store->db, "main", from, "main");
        (void)sqlite3_backup_step(backup, -1); // its end tells of it, and of no backup
        int ended = sqlite3_backup_finish(backup);
        rc = ended == SQLITE_OK ? ERR_OK : store_fail(store, ended, err);
    }
    (void)sqlite3_close(from); // lets go of the lock; nothing was written through it
    return rc;
}

/* The file's lock, for this connection alone, and with it the read transaction that it is taken for. */
static int connect_alone(struct store *store, struct header *header, struct err *err) {
    char *uri = uri_of(store->path, "");
    int rc = connect_uri(store, uri, SQLITE_OPEN_READWRITE, err); // for the lock, not to write
    free(uri);
    if (rc == ERR_OK) {
        (void)sqlite3_busy_handler(store->db, NULL, NULL); // see connect_aside()
        rc = store_exec(store, "PRAGMA query_only = ON; PRAGMA locking_mode = EXCLUSIVE", err);
    }
    return rc == ERR_OK ? read_header(store, header, err) : rc;
}

/* The memory that connections share is in results.db-shm, which the first of them makes.  A live run has it; beside what a
 * killed one has left there may be none, and on a full disk none can be made.  But a connection that is alone needs none:
 * with locking_mode=EXCLUSIVE SQLite first takes the file's lock for itself, which fails while anybody else has the file
 * open, and then keeps that memory on its heap (sqlite.org/wal.html#noshm).  Who comes meanwhile waits, as for any lock,
 * no longer than the copying takes; so what comes after, however long it takes, disturbs nobody.
 *
 * Between two tries the connection is given up.  A busy handler would wait inside of it, where in this mode SQLite keeps
 * the shared lock that it has come from: of two that came at one instant each would wait for the other's. */
static int connect_aside(struct store *store, struct header *header, struct err *err) {
    struct err second;
    store->retrying = true;
    int rc = connect_alone(store, header, &second);
    for (int tries = 0; rc == ERR_BUSY; tries++) {
        (void)sqlite3_close(store->db); // nothing was written through it
        store->db = NULL;
        if (!store_wait_again(store, tries)) {
            break;
        }
        rc = connect_alone(store, header, &second);
    }
    store->retrying = false;
    rc = rc == ERR_OK ? copy_aside(store, &second) : rc;
    if (rc == ERR_BUSY || rc == ERR_CORRUPT) {
        *err = second;
    } else if (rc != ERR_OK) {
        const struct err first = *err;
        rc = err_set(err, ERR_FULL,
                     "%.400s; nor can it be copied aside (%.400s): make room on its disk, or name "
                     "a folder with room in TMPDIR",
                     first.msg, second.msg);
    }
    return rc;
}

/* SQLITE_OPEN_ flags */
static int flags_of(enum store_mode mode) {
    return mode == STORE_READ    ? SQLITE_OPEN_READONLY
           : mode == STORE_CHECK ? SQLITE_OPEN_READWRITE
                                 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

/* The check follows the pages of one table after the other, all over the file: of a cold one of 3.1 GB that was 9 MB/s, where
 * the disk gives 350 in order.  So it is read in order first, into the page cache.  Only a large file is, which nobody has open
 * twice in one process: closing a file lets go of all locks that the process has on it (fcntl(2)). */
static void read_ahead(const char *path) {
    enum { PIECE = 1 << 20 };
    struct stat st;
    int fd =
        stat(path, &st) == 0 && st.st_size > THOROUGH_MAX ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    char *piece = mem_zalloc(PIECE, 1);
    while (read(fd, piece, PIECE) > 0) { // of a posix_fadvise() Linux takes a part alone
    }
    free(piece);
    (void)close(fd); // only read
}

int store_connect(struct store *store, const char *dir, int *version, struct err *err) {
    bool reader = store->mode == STORE_READ, thorough = false;
    int rc = reader ? ERR_OK : check_folder(dir, store->path, err);
    rc = rc == ERR_OK ? check_from_outside(store, dir, &thorough, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (!reader) {
        read_ahead(store->path);
    }
    struct header header = {0};
    char *uri = uri_of(store->path, "");
    rc = connect_uri(store, uri, flags_of(store->mode), err);
    free(uri);
    rc = rc == ERR_OK ? read_header(store, &header, err) : rc;
    if (rc != ERR_OK && rc != ERR_CORRUPT && rc != ERR_BUSY && reader && access(dir, W_OK) != 0) {
        rc = connect_immutable(store, &header, err);
    } else if (rc == ERR_FULL && reader) {
        rc = connect_aside(store, &header, err);
    }
    rc = rc == ERR_OK ? check_ours(store, dir, &header, err) : rc;
    if (rc == ERR_OK && !reader && header.version > 0) {
        rc = check_whole(store, thorough, err);
        rc = rc == ERR_OK
                 ? store_schema_check(store, (int)header.version, store->mode == STORE_CHECK, err)
                 : rc;
    }
    if (rc == ERR_OK) {
        *version = (int)header.version; // at most STORE_VERSION
    }
    return rc;
}

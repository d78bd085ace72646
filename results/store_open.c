/* Is the file at this path ours?  Everything here only reads: a file that is refused is left as it was,
 * byte for byte. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "results/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

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

/* What can be told from outside.  SQLite takes an empty file for a new database and throws the WAL
 * away, so a file that lost its contents has to be noticed before it is opened. */
static int check_from_outside(const struct store *store, bool *unclean, struct err *err) {
    int64_t size, wal;
    int rc = file_size(store->path, &size, err);
    rc = rc == ERR_OK ? wal_size(store->path, &wal, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (size <= 0 && wal > 0) {
        return store_damaged(store, err, "%s, but its write-ahead log is not",
                             size < 0 ? "missing" : "empty");
    }
    if (size < 0 && store->mode == STORE_READ) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: no such file; \"besom run SWEEP\" makes it, --out names its folder",
                       store->path);
    }
    *unclean = wal > 0;
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

static int check_ours(struct store *store, const struct header *h, struct err *err) {
    if (h->application == 0 && h->version == 0 &&
        h->objects == 0) { // made by a runner that died at once, or by touch(1)
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

/* After an end that was not clean.  Of two kinds of check, on a database of a million values (38 MB, 5 metrics of 100
 * epochs of 2,000 trials; warm, one core of an EPYC), quick_check took 0.40-0.47 s and integrity_check, which
 * also compares indexes with their tables, 0.61-0.78 s: little beside what it guards. */
static int check_whole(struct store *store, struct err *err) {
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
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

int store_connect(struct store *store, const char *dir, int *version, struct err *err) {
    bool writer = store->mode == STORE_WRITE;
    int rc = writer ? check_folder(dir, store->path, err) : ERR_OK;
    bool unclean = false;
    rc = rc == ERR_OK ? check_from_outside(store, &unclean, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    struct header header = {0};
    char *uri = uri_of(store->path, "");
    rc = connect_uri(store, uri,
                     writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY,
                     err);
    free(uri);
    rc = rc == ERR_OK ? read_header(store, &header, err) : rc;
    if (rc != ERR_OK && rc != ERR_CORRUPT && rc != ERR_BUSY && !writer && access(dir, W_OK) != 0) {
        rc = connect_immutable(store, &header, err);
    }
    rc = rc == ERR_OK ? check_ours(store, &header, err) : rc;
    rc = rc == ERR_OK && writer && unclean ? check_whole(store, err) : rc;
    if (rc == ERR_OK) {
        *version = (int)header.version; // at most STORE_VERSION
    }
    return rc;
}

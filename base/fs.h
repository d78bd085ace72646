/* base/fs.h - files that survive a crash or a kill, and the locks that own them. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;

/* A piece of a file to be written; borrowed. */
struct fs_part {
    const void *data;
    size_t len;
};

/* Puts the parts, one after the other, into the file `name` of the folder `dir`, all or nothing:
 * whatever happens, a reader finds the complete old file or the complete new one.
 *
 *     open .NAME.tmp (O_EXCL, O_NOFOLLOW) -> write -> fdatasync -> close -> rename -> fsync(dir)
 *
 * The barriers: the data is on the disk before its name is, and the name is before the caller tells
 * anybody.  A stale .NAME.tmp of a dead writer is removed first; one writer a name is assumed.
 * A failed fdatasync is not tried again on the same file (the kernel may have dropped the pages).
 * Fails as err_io() says (ERR_FULL on a full disk), naming the step, and leaves no temporary; ERR_RANGE for a name too long
 * to have one (over 250 bytes).  When only the last step failed the new file is there, perhaps not for
 * long: the caller must not count on it. */
int fs_write_atomic(const char *dir, const char *name, const struct fs_part *parts, size_t count,
                    struct err *err);

/* As fs_write_atomic(), without its two flushes: all or nothing for whoever reads now, but after a power cut the file may be
 * there with any content.  For a cache, whose reader verifies what it finds and can make it anew. */
int fs_write_cache(const char *dir, const char *name, const struct fs_part *parts, size_t count,
                   struct err *err);

/* Appends a whole regular file of at most `max` bytes to `out`.  ERR_NOT_FOUND, ERR_IO (also for what is
 * no regular file; a FIFO does not block), or ERR_RANGE when longer.  A failure leaves `out` as it was. */
int fs_read(const char *path, size_t max, struct buf *out, struct err *err);

/* mkdir -p; every folder made is followed by an fsync of the one that holds it.  A folder whose fsync fails is taken
 * away again, and the failure is ERR_IO, whatever its errno. */
int fs_mkdirs(const char *path, struct err *err);

/* A new folder with one file in it. */
struct fs_folder {
    char *path; // of the folder, in `parent`
    struct fs_part parts[2];
    int fd; // fs_make_folders()'s own
};

/* Makes many folders in `parent`, each with the file `name`, as fs_mkdirs() and fs_write_atomic() would make one after
 * the other, with the same barriers, but each step for all of them: then the file system has its journal to write
 * a few times for all and not three times for each.  Where one is there already, or a step fails, it is left to its user,
 * who will meet what was met here: nothing is told, and nothing is left that looks whole and is not durable. */
void fs_make_folders(const char *parent, const char *name, struct fs_folder *folders, size_t count);

/* Takes an exclusive flock on `path`, made if absent.  The descriptor is close-on-exec and the lock lasts
 * until it is closed.  ERR_BUSY when somebody holds it.  Only the holder may unlink the file: who waited for
 * that one notices, and takes the lock of a new file. */
int fs_lock(const char *path, int *fd, struct err *err);

/* As fs_lock(), but while somebody else holds it tries again, for `wait_ms`, or until `stop` says so (NULL: never). */
int fs_lock_wait(const char *path, int wait_ms, bool (*stop)(void *context), void *context, int *fd,
                 struct err *err);

/* Whether somebody holds the lock.  It is only looked at: nobody who wants to take it at this moment is
 * disturbed.  False without a file. */
bool fs_lock_is_held(const char *path);

/* Opens /dev/null in the place of each of stdin, stdout and stderr that is closed.  Without it, a program started with
 * 2>&- would write its messages into the first file that it opens.  Opened the wrong way round, so that writing to
 * what was closed still fails.  To be called before anything is opened. */
void fs_fill_standard_descriptors(void);

/* The folder of the running program (/proc/self/exe), on the heap; NULL where unknown. */
char *fs_program_dir(void);

#endif

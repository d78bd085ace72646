#include "base/fs.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_file(const char *dir, const char *name, const struct fs_part *parts, size_t count,
                      bool durable, struct err *err) {
    char tmp[NAME_MAX + 1];
    if (snprintf(tmp, sizeof tmp, ".%s.tmp", name) >= (int)sizeof tmp) {
        return err_set(err, ERR_RANGE, "%s/%s: the name is too long", dir, name);
    }
    int fd = -1;
    const char *step = "open folder of";
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        goto fail;
    }
    (void)unlinkat(dir_fd, tmp, 0); // of a writer that died; absent as a rule
    step = "open";
    fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        goto fail;
    }
    step = "write";
    for (size_t i = 0; i < count; i++) {
        if (write_all(fd, parts[i].data, parts[i].len) != 0) {
            goto fail;
        }
    }
    step = "fdatasync";
    if (durable && fdatasync(fd) != 0) {
        goto fail;
    }
    step = "close";
    int closing = fd;
    fd = -1; // close() lets go of the descriptor even when it reports an error
    if (close(closing) != 0) {
        goto fail;
    }
    step = "rename";
    if (renameat(dir_fd, tmp, dir_fd, name) != 0) {
        goto fail;
    }
    step = "fsync folder of";
    if (durable && fsync(dir_fd) != 0) {
        goto fail;
    }
    (void)close(dir_fd); // nothing was written through it
    return ERR_OK;

fail:;
    int cause = errno; // the cleanup below may change errno
    if (fd >= 0) {
        (void)close(fd); // the file goes away
    }
    if (dir_fd >= 0) {
        (void)unlinkat(dir_fd, tmp, 0); // absent when the open or the folder's fsync failed
        (void)close(dir_fd);
    }
    return err_io(err, cause, "%s %s/%s", step, dir, name);
}

int fs_write_atomic(const char *dir, const char *name, const struct fs_part *parts, size_t count,
                    struct err *err) {
    return write_file(dir, name, parts, count, true, err);
}

int fs_write_cache(const char *dir, const char *name, const struct fs_part *parts, size_t count,
                   struct err *err) {
    return write_file(dir, name, parts, count, false, err);
}

int fs_read(const char *path, size_t max, struct buf *out, struct err *err) {
    // without O_NONBLOCK the open of a FIFO that nobody writes would never return
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        int cause = errno;
        (void)err_io(err, cause, "open %s", path);
        err->code = cause == ENOENT ? ERR_NOT_FOUND : err->code;
        return err->code;
    }
    struct stat st;
    struct buf read_buf = {0};
    int rc = ERR_OK;
    if (fstat(fd, &st) != 0) {
        rc = err_io(err, errno, "stat %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(err, ERR_IO, "%s: not a regular file", path);
    }
    while (rc == ERR_OK) {
        enum { CHUNK = 1 << 16 };
        ssize_t n = read(fd, buf_reserve(&read_buf, CHUNK), CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = err_io(err, errno, "read %s", path);
        } else if (read_buf.len + (size_t)n > max) {
            rc = err_set(err, ERR_RANGE, "%s: longer than %zu bytes", path, max);
        } else if (n == 0) {
            break;
        } else {
            read_buf.len += (size_t)n;
            read_buf.data[read_buf.len] = '\0';
        }
    }
    (void)close(fd); // only read
    if (rc == ERR_OK) {
        buf_put(out, read_buf.data, read_buf.len);
    }
    buf_release(&read_buf);
    return rc;
}

static int sync_dir(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int rc = fsync(fd), cause = errno;
    (void)close(fd); // nothing was written through it
    errno = cause;
    return rc;
}

/* After a folder was made that could not be made durable.  It goes, so that who tries again makes it, and its name
 * durable, anew; and that a sync failed is never told as a full disk, for which callers do try again. */
static int undo_dir(const char *path, const char *parent, int cause, struct err *err) {
    (void)rmdir(path); // stays where somebody has put something into it
    (void)err_io(err, cause, "fsync folder %s", parent);
    err->code = err->code == ERR_FULL ? ERR_IO : err->code;
    return err->code;
}

/* Makes the one folder `path`, whose parent is there. */
static int make_dir(const char *path, struct err *err) {
    if (mkdir(path, 0755) != 0) {
        int cause = errno;
        struct stat st;
        if (cause == EEXIST && stat(path, &st) == 0) {
            return S_ISDIR(st.st_mode) ? ERR_OK
                                       : err_set(err, ERR_IO, "%s is a file, not a folder", path);
        }
        return err_io(err, cause, "mkdir %s", path);
    }
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? mem_strdup(".")
                   : slash == path ? mem_strdup("/")
                                   : mem_printf("%.*s", (int)(slash - path), path);
    int rc = sync_dir(parent) == 0 ? ERR_OK : undo_dir(path, parent, errno, err);
    free(parent);
    return rc;
}

int fs_mkdirs(const char *path, struct err *err) {
    char *copy = mem_strdup(path);
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/') {
        copy[--len] = '\0';
    }
    int rc = ERR_OK;
    for (char *at = copy + 1; rc == ERR_OK && len > 0 && *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            rc = make_dir(copy, err);
            *at = '/';
        }
    }
    if (rc == ERR_OK) {
        rc = make_dir(copy, err);
    }
    free(copy);
    return rc;
}

/* ---- many folders at a time ---- */

static void path_in(char path[PATH_MAX], const struct fs_folder *folder, const char *before,
                    const char *name, const char *after) {
    // one that is cut is not there, or not a file of ours: what is done with it fails
    (void)snprintf(path, PATH_MAX, "%s/%s%s%s", folder->path, before, name, after);
}

/* Takes back a folder that was made. */
static void undo_folder(struct fs_folder *folder, const char *name) {
    char path[PATH_MAX];
    if (folder->fd >= 0) {
        (void)close(folder->fd); // the file goes away
        folder->fd = -1;
    }
    path_in(path, folder, ".", name, ".tmp"); // of these two one is absent
    (void)unlink(path);
    path_in(path, folder, "", name, "");
    (void)unlink(path);
    (void)rmdir(folder->path);
}

/* The folder and the temporary in it.  Its writing to the disk begins, and is waited for by finish_file(). */
static void begin_folder(struct fs_folder *folder, const char *name) {
    char path[PATH_MAX];
    folder->fd = -1;
    if (mkdir(folder->path, 0755) != 0) {
        return;
    }
    path_in(path, folder, ".", name, ".tmp");
    folder->fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    for (size_t i = 0; i < sizeof folder->parts / sizeof *folder->parts; i++) {
        const struct fs_part *part = &folder->parts[i];
        if (folder->fd < 0 || write_all(folder->fd, part->data, part->len) != 0) {
            undo_folder(folder, name);
            return;
        }
    }
    (void)sync_file_range(folder->fd, 0, 0, SYNC_FILE_RANGE_WRITE); // advice
}

/* The file gets its name.  false: it was taken back. */
static bool finish_file(struct fs_folder *folder, const char *name) {
    char tmp[PATH_MAX], path[PATH_MAX];
    path_in(tmp, folder, ".", name, ".tmp");
    path_in(path, folder, "", name, "");
    bool good = fdatasync(folder->fd) == 0;
    int closing = folder->fd;
    folder->fd = -1;
    good = close(closing) == 0 && good && renameat(AT_FDCWD, tmp, AT_FDCWD, path) == 0;
    if (!good) {
        undo_folder(folder, name);
    }
    return good;
}

void fs_make_folders(const char *parent, const char *name, struct fs_folder *folders,
                     size_t count) {
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        begin_folder(&folders[i], name);
        if (folders[i].fd >= 0) {
            struct fs_folder kept = folders[i]; // those that were made come first
            folders[i] = folders[made];
            folders[made++] = kept;
        }
    }
    size_t named = 0;
    for (size_t i = 0; i < made; i++) {
        if (finish_file(&folders[i], name)) {
            struct fs_folder kept = folders[i];
            folders[i] = folders[named];
            folders[named++] = kept;
        }
    }
    bool good = named > 0;
    for (size_t i = 0; i < named && good; i++) {
        good = sync_dir(folders[i].path) == 0;
    }
    if (named > 0 && !(good && sync_dir(parent) == 0)) {
        for (size_t i = 0; i < named; i++) {
            undo_folder(&folders[i], name);
        }
    }
}

/* ---- locks ---- */

/* A flock can only be tried, which for a moment would keep out who wants it.  So its holder has a record lock of the
 * open file description, too, that F_OFD_GETLK sees without taking anything. */
static struct flock whole_file(short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static int take_flock(int fd) {
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

/* Whether the path still leads to this file: its last holder may have unlinked it. */
static bool is_there(int fd, const char *path) {
    struct stat ours, theirs;
    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

int fs_lock(const char *path, int *fd, struct err *err) {
    for (;;) {
        int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (opened < 0) {
            return err_io(err, errno, "open %s", path);
        }
        if (take_flock(opened) != 0) {
            int cause = errno;
            (void)close(opened); // never locked
            return cause == EWOULDBLOCK
                       ? err_set(err, ERR_BUSY, "%s is held by another process", path)
                       : err_io(err, cause, "lock %s", path);
        }
        if (is_there(opened, path)) {
            struct flock mark = whole_file(F_WRLCK);
            (void)fcntl(opened, F_OFD_SETLK, &mark); // for onlookers; the flock is what counts
            *fd = opened;
            return ERR_OK;
        }
        (void)close(opened); // nothing was written to it
    }
}

int fs_lock_wait(const char *path, int wait_ms, bool (*stop)(void *context), void *context, int *fd,
                 struct err *err) {
    enum { PAUSE_MS = 20 };
    int rc = fs_lock(path, fd, err);
    for (int waited = 0; rc == ERR_BUSY && waited < wait_ms; waited += PAUSE_MS) {
        if (stop != NULL && stop(context)) {
            break;
        }
        const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        (void)nanosleep(&pause, NULL); // cut short by a signal: looks again sooner
        rc = fs_lock(path, fd, err);
    }
    return rc;
}

bool fs_lock_is_held(const char *path) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct flock mark = whole_file(F_WRLCK);
    bool held = fcntl(fd, F_OFD_GETLK, &mark) == 0 && mark.l_type != F_UNLCK;
    (void)close(fd); // nothing was written
    return held;
}

void fs_fill_standard_descriptors(void) {
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
            (void)open("/dev/null", flags); // the lowest free one: fd
        }
    }
}

char *fs_program_dir(void) {
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len <= 0) {
        return NULL;
    }
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return NULL;
    }
    slash[slash == path ? 1 : 0] = '\0';
    return mem_strdup(path);
}

/* tests/faults/inject.c - libinject.so: preloaded, it stands between a program and libc, and makes calls go wrong as
 * inject_rules.h says.  Only what goes through libc's symbols is met: stdio's own writes and libc's own
 * allocations are not, and neither is anything of a program that is linked statically, as besom-shim is. */
#include "tests/faults/inject_rules.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* libc's function of this name; the sanitizers', where they are preloaded behind this library. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) found;                                                            \
        if (found == NULL) {                                                                       \
            found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                    \
        }                                                                                          \
        found;                                                                                     \
    })

/* The rest of a wrapper whose failure is -1 and errno: `made` is the call as it should be. */
#define MEET(call, subject, made)                                                                  \
    do {                                                                                           \
        struct inject_shot shot = inject_meet(call, subject);                                      \
        if (shot.instead) {                                                                        \
            errno = shot.error;                                                                    \
            return shot.error == 0 ? 0 : -1;                                                       \
        }                                                                                          \
        __typeof__(made) rc_ = made;                                                               \
        if (rc_ >= 0) {                                                                            \
            inject_fire(&shot);                                                                    \
        }                                                                                          \
        return rc_;                                                                                \
    } while (0)

/* ---- paths ---- */

/* "" for what has none. */
static const char *path_of(int fd, char out[INJECT_PATH_MAX]) {
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); // fits, and allocates nothing
    ssize_t len = syscall(SYS_readlinkat, AT_FDCWD, link, out, INJECT_PATH_MAX - 1);
    out[len < 0 ? 0 : len] = '\0';
    return out;
}

static const char *path_at(int dir, const char *name, char out[INJECT_PATH_MAX]) {
    if (name[0] == '/' || dir == AT_FDCWD) {
        return name;
    }
    size_t len = strlen(path_of(dir, out));
    if (len + strlen(name) + 2 > INJECT_PATH_MAX) {
        return name;
    }
    out[len] = '/';
    (void)strcpy(out + len + 1, name); // measured above
    return out;
}

/* ---- opening and closing ---- */

#define OPEN_MODE(flags)                                                                           \
    mode_t mode = 0;                                                                               \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, mode_t);                                                               \
        va_end(args);                                                                              \
    }

int open(const char *path, int flags, ...) {
    OPEN_MODE(flags)
    if (!inject_wants(INJECT_open)) {
        return REAL(open)(path, flags, mode);
    }
    MEET(INJECT_open, path, REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    OPEN_MODE(flags)
    if (!inject_wants(INJECT_open)) {
        return REAL(open64)(path, flags, mode);
    }
    MEET(INJECT_open, path, REAL(open64)(path, flags, mode));
}

int openat(int dir, const char *path, int flags, ...) {
    OPEN_MODE(flags)
    if (!inject_wants(INJECT_open)) {
        return REAL(openat)(dir, path, flags, mode);
    }
    char room[INJECT_PATH_MAX];
    MEET(INJECT_open, path_at(dir, path, room), REAL(openat)(dir, path, flags, mode));
}

int openat64(int dir, const char *path, int flags, ...) {
    OPEN_MODE(flags)
    if (!inject_wants(INJECT_open)) {
        return REAL(openat64)(dir, path, flags, mode);
    }
    char room[INJECT_PATH_MAX];
    MEET(INJECT_open, path_at(dir, path, room), REAL(openat64)(dir, path, flags, mode));
}

int close(int fd) {
    if (!inject_wants(INJECT_close)) {
        return REAL(close)(fd);
    }
    char room[INJECT_PATH_MAX];
    struct inject_shot shot = inject_meet(INJECT_close, path_of(fd, room));
    int rc = REAL(close)(fd); // the descriptor is gone, whatever close() says
    if (shot.instead) {
        errno = shot.error;
        return shot.error == 0 ? 0 : -1;
    }
    inject_fire(&shot);
    return rc;
}

int mkdir(const char *path, mode_t mode) {
    MEET(INJECT_mkdir, path, REAL(mkdir)(path, mode));
}

int unlink(const char *path) {
    MEET(INJECT_unlink, path, REAL(unlink)(path));
}

int unlinkat(int dir, const char *path, int flags) {
    char room[INJECT_PATH_MAX];
    MEET(INJECT_unlink, path_at(dir, path, room), REAL(unlinkat)(dir, path, flags));
}

int rename(const char *from, const char *to) {
    MEET(INJECT_rename, to, REAL(rename)(from, to));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    char room[INJECT_PATH_MAX];
    MEET(INJECT_rename, path_at(to_dir, to, room), REAL(renameat)(from_dir, from, to_dir, to));
}

/* ---- reading and writing ---- */

/* The wrappers of read() and its like: only for descriptors of which a rule could be about. */
#define MEET_FD(call, fd, made)                                                                    \
    if (!inject_wants(call)) {                                                                     \
        return made;                                                                               \
    }                                                                                              \
    char room[INJECT_PATH_MAX];                                                                    \
    MEET(call, path_of(fd, room), made)

ssize_t read(int fd, void *to, size_t len) {
    MEET_FD(INJECT_read, fd, REAL(read)(fd, to, len));
}

ssize_t pread(int fd, void *to, size_t len, off_t at) {
    MEET_FD(INJECT_read, fd, REAL(pread)(fd, to, len, at));
}

ssize_t pread64(int fd, void *to, size_t len, off64_t at) {
    MEET_FD(INJECT_read, fd, REAL(pread64)(fd, to, len, at));
}

/* A write that is skipped says that all was written; one that is torn writes half. */
#define MEET_WRITE(fd, len, whole, half)                                                           \
    do {                                                                                           \
        if (!inject_wants(INJECT_write)) {                                                         \
            return whole;                                                                          \
        }                                                                                          \
        char room[INJECT_PATH_MAX];                                                                \
        struct inject_shot shot = inject_meet(INJECT_write, path_of(fd, room));                    \
        if (shot.instead) {                                                                        \
            errno = shot.error;                                                                    \
            return shot.error == 0 ? (ssize_t)(len) : -1;                                          \
        }                                                                                          \
        ssize_t written = shot.torn ? half : whole;                                                \
        if (written >= 0) {                                                                        \
            inject_fire(&shot);                                                                    \
        }                                                                                          \
        return written;                                                                            \
    } while (0)

ssize_t write(int fd, const void *from, size_t len) {
    MEET_WRITE(fd, len, REAL(write)(fd, from, len), REAL(write)(fd, from, len / 2));
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at) {
    MEET_WRITE(fd, len, REAL(pwrite)(fd, from, len, at), REAL(pwrite)(fd, from, len / 2, at));
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) {
    MEET_WRITE(fd, len, REAL(pwrite64)(fd, from, len, at), REAL(pwrite64)(fd, from, len / 2, at));
}

int fsync(int fd) {
    MEET_FD(INJECT_fsync, fd, REAL(fsync)(fd));
}

int fdatasync(int fd) {
    MEET_FD(INJECT_fdatasync, fd, REAL(fdatasync)(fd));
}

int ftruncate(int fd, off_t len) {
    MEET_FD(INJECT_ftruncate, fd, REAL(ftruncate)(fd, len));
}

int ftruncate64(int fd, off64_t len) {
    MEET_FD(INJECT_ftruncate, fd, REAL(ftruncate64)(fd, len));
}

int flock(int fd, int how) {
    MEET_FD(INJECT_flock, fd, REAL(flock)(fd, how));
}

/* ---- lines on stdout ---- */

/* Set between the fwrite() or fputs() of a line and the fflush() behind it, when it is said. */
static __thread struct inject_shot to_be_said;

/* Whether the line goes out; else *error says why not. */
static bool meet_line(FILE *file, const char *text, int *error) {
    if (!inject_wants(INJECT_say) || file != stdout) {
        return true;
    }
    struct inject_shot shot = inject_meet(INJECT_say, text);
    if (shot.torn) {
        (void)REAL(fwrite)(text, 1, strlen(text) / 2, file); // killed right after
        (void)REAL(fflush)(file);
        inject_fire(&shot);
    }
    to_be_said = shot;
    *error = shot.error;
    return !shot.instead;
}

size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
    int error = 0;
    if (!meet_line(file, from, &error)) {
        errno = error;
        return error == 0 ? count : 0;
    }
    return REAL(fwrite)(from, size, count, file);
}

int fputs(const char *text, FILE *file) {
    int error = 0;
    if (!meet_line(file, text, &error)) {
        errno = error;
        return error == 0 ? 0 : EOF;
    }
    return REAL(fputs)(text, file);
}

int fflush(FILE *file) {
    int rc = REAL(fflush)(file);
    if (file == stdout && to_be_said.after != 0) {
        struct inject_shot said = to_be_said;
        to_be_said = (struct inject_shot){0};
        inject_fire(&said);
    }
    return rc;
}

/* ---- memory ---- */

/* Whether there is to be none this time. */
static bool no_memory(void) {
    if (!inject_wants(INJECT_malloc)) {
        return false;
    }
    struct inject_shot shot = inject_meet(INJECT_malloc, "");
    if (shot.instead) {
        errno = ENOMEM;
    }
    return shot.instead;
}

void *malloc(size_t len) {
    return no_memory() ? NULL : REAL(malloc)(len);
}

void *calloc(size_t count, size_t len) {
    return no_memory() ? NULL : REAL(calloc)(count, len);
}

void *realloc(void *old, size_t len) {
    return no_memory() ? NULL : REAL(realloc)(old, len);
}

void *aligned_alloc(size_t alignment, size_t len) {
    return no_memory() ? NULL : REAL(aligned_alloc)(alignment, len);
}

int posix_memalign(void **out, size_t alignment, size_t len) {
    return no_memory() ? ENOMEM : REAL(posix_memalign)(out, alignment, len);
}

static void *met_mmap(int fd, bool *instead) {
    char room[INJECT_PATH_MAX];
    struct inject_shot shot = inject_meet(INJECT_mmap, fd < 0 ? "" : path_of(fd, room));
    *instead = shot.instead;
    errno = shot.instead ? shot.error : errno;
    return MAP_FAILED;
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset) {
    bool instead = false;
    void *failed = inject_wants(INJECT_mmap) ? met_mmap(fd, &instead) : NULL;
    return instead ? failed : REAL(mmap)(at, len, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset) {
    bool instead = false;
    void *failed = inject_wants(INJECT_mmap) ? met_mmap(fd, &instead) : NULL;
    return instead ? failed : REAL(mmap64)(at, len, protection, flags, fd, offset);
}

/* ---- processes, threads, pipes ---- */

int pipe(int fd[2]) {
    MEET(INJECT_pipe, "", REAL(pipe)(fd));
}

int pipe2(int fd[2], int flags) {
    MEET(INJECT_pipe, "", REAL(pipe2)(fd, flags));
}

int socketpair(int domain, int type, int protocol, int fd[2]) {
    MEET(INJECT_pipe, "", REAL(socketpair)(domain, type, protocol, fd));
}

pid_t fork(void) {
    struct inject_shot shot = inject_meet(INJECT_fork, "");
    if (shot.instead) {
        errno = shot.error;
        return -1;
    }
    pid_t pid = REAL(fork)();
    if (pid > 0) {
        inject_fire(&shot);
    }
    return pid;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[]) {
    struct inject_shot shot = inject_meet(INJECT_fork, "");
    if (shot.instead) {
        return shot.error;
    }
    int rc = REAL(posix_spawn)(pid, path, files, attributes, argv, env);
    if (rc == 0) {
        inject_fire(&shot);
    }
    return rc;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *context) {
    struct inject_shot shot = inject_meet(INJECT_thread, "");
    return shot.instead ? shot.error : REAL(pthread_create)(thread, attributes, run, context);
}

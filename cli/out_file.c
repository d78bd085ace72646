#include "cli/out_file.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void split(struct out_file *file, const char *path) {
    char *real = realpath(path, NULL); // behind a link it is the file that changes
    const char *whole = real != NULL ? real : path;
    const char *slash = strrchr(whole, '/');
    file->name = mem_strdup(slash != NULL ? slash + 1 : whole);
    file->dir = slash == NULL    ? mem_strdup(".")
                : slash == whole ? mem_strdup("/")
                                 : mem_printf("%.*s", (int)(slash - whole), whole);
    free(real);
}

int out_file_open(struct out_file *file, const char *path, bool replace, struct err *err) {
    struct stat st;
    bool there = stat(path, &st) == 0;
    *file = (struct out_file){.path = path};
    if ((there && S_ISDIR(st.st_mode)) || path[strlen(path) - 1] == '/') {
        return err_set(err, ERR_RANGE, "write %s: that is a folder", path);
    }
    if (there && !S_ISREG(st.st_mode)) {
        file->out = fopen(path, "we");
        return file->out != NULL ? ERR_OK : err_io(err, errno, "open %s", path);
    }
    if (there && st.st_size > 0 && !replace) {
        return err_set(err, ERR_RANGE, "%s is there already; --force replaces it", path);
    }
    split(file, path);
    if (strlen(file->name) + strlen("..tmp") > NAME_MAX) {
        int rc = err_set(err, ERR_RANGE, "%s: the name is too long", path);
        out_file_close(file);
        return rc;
    }
    char *tmp = mem_printf("%s/.%s.tmp", file->dir, file->name);
    (void)unlink(tmp); // of a command that was killed; absent as a rule
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    file->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file->out == NULL) {
        int rc = err_io(err, errno, "write %s", path);
        if (fd >= 0) {
            (void)close(fd); // nothing was written
            (void)unlink(tmp);
        }
        free(tmp);
        out_file_close(file);
        return rc;
    }
    file->tmp = tmp; // from here on closing takes it back
    return ERR_OK;
}

static int sync_dir(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd), cause = errno;
    if (fd >= 0) {
        (void)close(fd); // nothing was written through it
    }
    errno = cause;
    return rc;
}

int out_file_commit(struct out_file *file, struct err *err) {
    FILE *out = file->out;
    bool good = fflush(out) == 0 && !ferror(out);
    // the descriptor is of the file, whoever has written to it
    good = good && (file->tmp == NULL || fsync(fileno(out)) == 0);
    int cause = errno;
    file->out = NULL;
    if (fclose(out) != 0 && good) {
        good = false;
        cause = errno;
    }
    if (!good) {
        return err_io(err, cause, "write %s", file->path);
    }
    if (file->tmp == NULL) {
        return ERR_OK;
    }
    char *whole = mem_printf("%s/%s", file->dir, file->name);
    good = rename(file->tmp, whole) == 0;
    cause = errno;
    free(whole);
    if (!good) {
        return err_io(err, cause, "rename %s", file->path);
    }
    free(file->tmp);
    file->tmp = NULL;
    return sync_dir(file->dir) == 0 ? ERR_OK : err_io(err, errno, "fsync folder %s", file->dir);
}

void out_file_close(struct out_file *file) {
    if (file->out != NULL) {
        (void)fclose(file->out); // the file goes away
    }
    if (file->tmp != NULL) {
        (void)unlink(file->tmp);
    }
    free(file->tmp);
    free(file->dir);
    free(file->name);
    *file = (struct out_file){0};
}

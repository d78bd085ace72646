#include "trainer/checkpoint_folder.h"

#include "base/err.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int position_compare(struct position a, struct position b) {
    return a.epoch != b.epoch ? (a.epoch > b.epoch) - (a.epoch < b.epoch)
                              : (a.step > b.step) - (a.step < b.step);
}

static char *path_at(const char *dir, struct position at) {
    char name[64];
    checkpoint_name(name, at);
    return mem_printf("%s/%s", dir, name);
}

/* ---- what is there ---- */

/* Calls `each` for every name in the folder. */
static int each_name(const char *dir, void (*each)(void *context, int fd, const char *name),
                     void *context, struct err *err) {
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_io(err, errno, "open folder %s", dir);
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL) {
            break;
        }
        each(context, dirfd(d), entry->d_name);
    }
    int cause = errno;
    (void)closedir(d); // only read
    return cause == 0 ? ERR_OK : err_io(err, cause, "read folder %s", dir);
}

static int newest_first(const void *a, const void *b) {
    return -position_compare(*(const struct position *)a, *(const struct position *)b);
}

static void note_position(void *context, int fd, const char *name) {
    (void)fd;
    struct checkpoint_list *list = context;
    struct position at;
    if (checkpoint_parse_name(name, &at)) {
        list->at = mem_resize(list->at, (size_t)list->count + 1, sizeof *list->at);
        list->at[list->count++] = at;
    }
}

int checkpoint_list_read(struct checkpoint_list *list, const char *dir, struct err *err) {
    *list = (struct checkpoint_list){0};
    int rc = each_name(dir, note_position, list, err);
    if (rc != ERR_OK) {
        checkpoint_list_release(list);
    } else if (list->count > 0) {
        qsort(list->at, (size_t)list->count, sizeof *list->at, newest_first);
    }
    return rc;
}

void checkpoint_list_release(struct checkpoint_list *list) {
    free(list->at);
    *list = (struct checkpoint_list){0};
}

static void remove_if_stale(void *context, int fd, const char *name) {
    (void)context;
    size_t len = strlen(name); // ".cp-....tmp" of a writer that died
    if (strncmp(name, ".cp-", 4) == 0 && len > 8 && strcmp(name + len - 4, ".tmp") == 0) {
        (void)unlinkat(fd, name, 0); // the next writer tries again
    }
}

int checkpoint_remove_stale(const char *dir, struct err *err) {
    return each_name(dir, remove_if_stale, NULL, err);
}

/* ---- opening ---- */

int checkpoint_open_at(struct checkpoint **checkpoint, const char *dir, struct position at,
                       const char *identity, struct err *err) {
    char *path = path_at(dir, at);
    struct checkpoint *c = NULL;
    int rc = checkpoint_open(&c, path, err);
    const struct checkpoint_state *state = rc == ERR_OK ? checkpoint_state(c) : NULL;
    if (rc == ERR_OK && identity != NULL && strcmp(state->identity, identity) != 0) {
        rc = err_set(err, ERR_DIFFERS, "%s: belongs to another trial (%s, this one is %s)", path,
                     state->identity, identity);
    }
    if (rc == ERR_OK && position_compare(state->at, at) != 0) {
        rc = err_set(err, ERR_CORRUPT, "%s: holds epoch %d and batch %d", path, state->at.epoch,
                     state->at.step);
    }
    if (rc == ERR_OK) {
        *checkpoint = c;
    } else {
        checkpoint_close(c);
    }
    free(path);
    return rc;
}

/* NULL when the one at `at` is not good, or not wanted. */
static struct checkpoint *try_at(const char *dir, struct position at,
                                 const struct checkpoint_wanted *wanted, checkpoint_skip_fn *skip,
                                 void *context) {
    if (wanted->before != NULL && position_compare(at, *wanted->before) >= 0) {
        return NULL;
    }
    struct checkpoint *checkpoint = NULL;
    struct err reason;
    if (checkpoint_open_at(&checkpoint, dir, at, wanted->identity, &reason) != ERR_OK) {
        char name[64];
        checkpoint_name(name, at);
        if (skip != NULL) {
            skip(context, name, &reason);
        }
        return NULL;
    }
    if (wanted->whole && checkpoint_state(checkpoint)->content != CHECKPOINT_WHOLE) {
        checkpoint_close(checkpoint);
        return NULL;
    }
    return checkpoint;
}

int checkpoint_open_latest(struct checkpoint **checkpoint, const char *dir,
                           const struct checkpoint_wanted *wanted, checkpoint_skip_fn *skip,
                           void *context, struct err *err) {
    struct checkpoint_list list;
    int rc = checkpoint_list_read(&list, dir, err);
    if (rc != ERR_OK) {
        return rc;
    }
    *checkpoint = NULL;
    for (int i = 0; i < list.count && *checkpoint == NULL; i++) {
        *checkpoint = try_at(dir, list.at[i], wanted, skip, context);
    }
    checkpoint_list_release(&list);
    return ERR_OK;
}

int checkpoint_latest_path(char **path, const char *given, struct err *err) {
    struct stat st;
    if (stat(given, &st) != 0 || !S_ISDIR(st.st_mode)) {
        *path = mem_strdup(given); // what is wrong with it is said by opening it
        return ERR_OK;
    }
    struct checkpoint *checkpoint = NULL;
    const struct checkpoint_wanted any = {.identity = NULL};
    int rc = checkpoint_open_latest(&checkpoint, given, &any, NULL, NULL, err);
    if (rc == ERR_OK && checkpoint == NULL) {
        rc = err_set(err, ERR_NOT_FOUND,
                     "%s: no valid checkpoint; \"besom-trainer list %s\" says what is there", given,
                     given);
    }
    if (rc == ERR_OK) {
        *path = path_at(given, checkpoint_state(checkpoint)->at);
    }
    checkpoint_close(checkpoint);
    return rc;
}

/* ---- retention ---- */

static int remove_at(const char *dir, struct position at, struct err *err) {
    char *path = path_at(dir, at);
    int rc = ERR_OK;
    if (unlink(path) != 0 && errno != ENOENT) {
        rc = err_io(err, errno, "remove %s", path);
    }
    free(path);
    return rc;
}

static bool has_position(const struct checkpoint_list *list, struct position at) {
    for (int i = 0; i < list->count; i++) {
        if (position_compare(list->at[i], at) == 0) {
            return true;
        }
    }
    return false;
}

/* A removal that a power cut undoes would leave a finished trial with a file too many for good. */
static int sync_folder(const char *dir, struct err *err) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_io(err, errno, "open folder %s", dir);
    }
    int rc = fsync(fd) == 0 ? ERR_OK : err_io(err, errno, "fsync folder %s", dir);
    (void)close(fd); // nothing was written through it
    return rc;
}

int checkpoint_prune(const char *dir, struct position now,
                     const struct checkpoint_retention *retention, struct err *err) {
    struct checkpoint_list list;
    int rc = checkpoint_list_read(&list, dir, err);
    if (rc != ERR_OK) {
        return rc;
    }
    bool safe = has_position(&list, now); // the invariant: only behind a newer one that is there
    int kept = 0, removed = 0;
    for (int i = 0; i < list.count && rc == ERR_OK && safe; i++) {
        struct position at = list.at[i];
        int order = position_compare(at, now);
        // a later one could not be used: left until its epoch comes again
        bool stays = order >= 0 || position_compare(at, retention->whole) == 0;
        if (order <= 0 && retention->is_scheduled(retention->context, at)) {
            bool best = at.step == 0 && at.epoch > 0 && at.epoch == retention->best_epoch;
            stays = stays || kept < retention->keep || best;
            kept++;
        }
        rc = stays ? ERR_OK : remove_at(dir, at, err);
        removed += !stays;
    }
    checkpoint_list_release(&list);
    return rc == ERR_OK && removed > 0 ? sync_folder(dir, err) : rc;
}

#include "runner/program.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* A copy of `folder`/`name` when there is such a program, NULL otherwise. */
static char *in_folder(const char *folder, size_t len, const char *name) {
    char *path = len == 0 ? mem_printf("./%s", name) // an empty part of PATH is this folder
                          : mem_printf("%.*s/%s", (int)len, folder, name);
    if (is_program(path)) {
        return path;
    }
    free(path);
    return NULL;
}

static char *in_path(const char *name) {
    const char *at = getenv("PATH");
    at = at != NULL ? at : "/usr/local/bin:/usr/bin:/bin";
    while (true) {
        size_t len = strcspn(at, ":");
        char *found = in_folder(at, len, name);
        if (found != NULL || at[len] == '\0') {
            return found;
        }
        at += len + 1;
    }
}

static int find_file(char **path, const char *name, struct err *err) {
    struct stat st;
    if (stat(name, &st) != 0) {
        return err_set(err, ERR_NOT_FOUND, "%s: %s", name, strerror(errno));
    }
    if (!is_program(name)) {
        return err_set(err, ERR_RANGE, "%s: is no program that may be executed", name);
    }
    *path = mem_strdup(name);
    return ERR_OK;
}

int program_find(char **path, const char *name, struct err *err) {
    if (strchr(name, '/') != NULL) {
        return find_file(path, name, err);
    }
    char *found = NULL;
    bool ours = strncmp(name, "besom-", 6) == 0;
    char *beside = ours ? fs_program_dir() : NULL;
    if (beside != NULL) {
        found = in_folder(beside, strlen(beside), name);
    }
    found = found != NULL ? found : in_path(name);
    if (found == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "%s: no such program in %s%sthe folders of PATH", name,
                      beside != NULL ? beside : "", beside != NULL ? " nor in " : "");
    }
    free(beside);
    if (found == NULL) {
        return err->code;
    }
    *path = found;
    return ERR_OK;
}

#include "cli/cmd.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "results/store.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *cmd_program = "besom";

int cmd_fail(const struct err *err) {
    fprintf(stderr, "besom: %s\n", err->msg);
    switch (err->code) {
    case ERR_IO:
    case ERR_FULL:
    case ERR_CORRUPT:
        return EXIT_STORAGE;
    case ERR_EXHAUSTED:
        return EXIT_EXHAUSTED;
    case ERR_BUSY:
        return EXIT_HELD;
    default:
        return EXIT_MISUSE;
    }
}

static bool wait_for_lock(void *context, const struct store *store, int waited_ms) {
    bool *said = context;
    if (waited_ms >= STORE_SAY_MS && !*said) {
        *said = true;
        char *text = store_describe_lock(store);
        fprintf(stderr, "besom: %s; waiting until it is free, Ctrl-C to stop\n", text);
        free(text);
    }
    return true;
}

static void lock_is_gone(void *context, const struct store *store) {
    bool *said = context;
    (void)store;
    if (*said) {
        *said = false;
        fprintf(stderr, "besom: the database is free again: going on\n");
    }
}

struct store_patience cmd_patience(bool *said) {
    return (struct store_patience){wait_for_lock, lock_is_gone, said};
}

const char *cmd_version(void) {
    return strchr(argp_program_version, ' ') + 1; // "besom 0.1.0"
}

bool cmd_is_running(const char *out_dir) {
    char *path = mem_printf("%s/lock", out_dir);
    bool held = fs_lock_is_held(path);
    free(path);
    return held;
}

int cmd_say_no_page(void) {
    fprintf(stderr, "besom: this program was built without the report's page, which takes "
                    "Node.js 18 or later, npm and "
                    "its registry.\nInstall them (Debian: apt-get install nodejs npm), then "
                    "configure and build again.  "
                    "besom report --json prints the report's data without it.\n");
    return EXIT_MISUSE;
}

int cmd_open_store(const char *out_dir, struct store **store) {
    struct err err;
    int rc = store_open(store, out_dir, STORE_READ, &err);
    if (rc == ERR_OK) {
        return EXIT_DONE;
    }
    int status = cmd_fail(&err);
    return rc == ERR_BUSY ? EXIT_STORAGE : status; // no other run: those do not keep readers out
}

#include "cli/cmd.h"

#include "base/err.h"
#include "results/store.h"

#include <stdio.h>

const char *cmd_program = "besom";

int cmd_fail(const struct err *err) {
    fprintf(stderr, "besom: %s\n", err->msg);
    switch (err->code) {
    case ERR_IO:
    case ERR_FULL:
    case ERR_EXHAUSTED:
    case ERR_CORRUPT:
        return EXIT_STORAGE;
    case ERR_BUSY:
        return EXIT_HELD;
    default:
        return EXIT_MISUSE;
    }
}

int cmd_open_store(const char *out_dir, struct store **store) {
    struct err err;
    return store_open(store, out_dir, STORE_READ, &err) == ERR_OK ? EXIT_DONE : cmd_fail(&err);
}

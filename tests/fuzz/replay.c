/* Runs every file of a folder through a fuzz target.
 *
 *     fuzz_NAME FOLDER       or, for one input:  fuzz_NAME FILE
 *
 * Fails by dying: the last name printed is the input that did it. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20 };

static bool replay(const char *path) {
    struct buf bytes = {0};
    struct err err;
    (void)printf("%s\n", path); // shown when it fails
    (void)fflush(stdout);       // before it can die
    if (fs_read(path, INPUT_MAX, &bytes, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.msg); // the status says it as well
        return false;
    }
    // A copy of exactly that size, so that the sanitizer sees a read behind it.
    uint8_t *data = mem_resize(NULL, bytes.len, 1);
    memcpy(data, buf_text(&bytes), bytes.len);
    (void)LLVMFuzzerTestOneInput(data, bytes.len); // always 0
    free(data);
    buf_release(&bytes);
    return true;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER|FILE\n", argv[0]); // the status says it as well
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[1], &entries, visible, alphasort), failed = 0;
    if (count < 0) {
        return replay(argv[1]) ? 0 : 1;
    }
    for (int i = 0; i < count; i++) {
        char *path = mem_printf("%s/%s", argv[1], entries[i]->d_name);
        failed += !replay(path);
        free(path);
        free(entries[i]);
    }
    free(entries);
    (void)printf("%d inputs\n", count); // for the log
    return failed == 0 && count > 0 ? 0 : 1;
}

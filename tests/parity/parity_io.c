#include "tests/parity/parity_io.h"

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void parity_fail(const char *message) {
    (void)fprintf(stderr, "parity_driver: %s\n", message); // nobody left to tell
    exit(2);
}

static void complain(void *context, const struct config_complaint *complaint) {
    (void)context;
    (void)fprintf(stderr, "%s: %s\n", complaint->path, complaint->message); // as above
}

void parity_config(struct config *config, const char *text) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "config", text, strlen(text), JSON_STRICT, &err) != ERR_OK) {
        parity_fail(err.msg);
    }
    if (config_parse(config, json_root(doc), complain, NULL) != ERR_OK) {
        parity_fail("the config is no good");
    }
    json_free(doc);
}

size_t parity_count(const char *text) {
    char *end = NULL;
    long count = text != NULL ? strtol(text, &end, 10) : 0;
    if (count < 1 || count > 100000000 || *end != '\0') {
        parity_fail("a count is missing or no good");
    }
    return (size_t)count;
}

void parity_read(void *values, size_t size, size_t n) {
    if (fread(values, size, n, stdin) != n) {
        parity_fail("the input is too short");
    }
}

float *parity_read_floats(size_t n) {
    float *values = mem_aligned(n, sizeof *values);
    parity_read(values, sizeof *values, n);
    return values;
}

void parity_write(const void *values, size_t size, size_t n) {
    if (fwrite(values, size, n, stdout) != n) {
        parity_fail("cannot write");
    }
}

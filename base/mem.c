#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t count, size_t size) {
    if (p == NULL) {
        fprintf(stderr, "out of memory: %zu x %zu bytes\n", count, size);
        abort();
    }
    return p;
}

/* The product, at least 1 so that no allocator may answer NULL to an empty request. */
static size_t bytes(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX) {
        checked(NULL, count, size);
    }
    return total > 0 ? total : 1;
}

void *mem_zalloc(size_t count, size_t size) {
    return checked(calloc(1, bytes(count, size)), count, size);
}

void *mem_resize(void *old, size_t count, size_t size) {
    return checked(realloc(old, bytes(count, size)), count, size);
}

void *mem_aligned(size_t count, size_t size) {
    size_t total = (bytes(count, size) + 63) / 64 * 64;
    void *p = checked(aligned_alloc(64, total), count, size);
    return memset(p, 0, total);
}

char *mem_strdup(const char *text) {
    size_t len = strlen(text) + 1;
    return memcpy(mem_resize(NULL, len, 1), text, len);
}

char *mem_printf(const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = mem_resize(NULL, len < 0 ? 1 : (size_t)len + 1, 1);
    text[0] = '\0';
    if (len > 0) {
        (void)vsnprintf(text, (size_t)len + 1, fmt, again); // measured above
    }
    va_end(again);
    return text;
}

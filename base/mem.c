#include "base/mem.h"

#include "base/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20 }; // of x86-64, and of AArch64 where small ones have 4 KiB

/* Nothing here may want memory in its turn, and what waits in stdio's buffers stays there: it may be half a line. */
static _Noreturn void give_up(const char *what) {
    char text[256];
    int len =
        snprintf(text, sizeof text, "%s: out of memory%s\n", program_invocation_short_name, what);
    if (len > 0) {
        size_t most = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        (void)!write(STDERR_FILENO, text, most); // there is no other place to say it
    }
    _exit(WIRE_EXIT_NO_MEMORY);
}

_Noreturn void mem_exhausted(void) {
    give_up("");
}

static void *checked(void *p, size_t count, size_t size) {
    if (p == NULL) {
        char what[80];
        (void)snprintf(what, sizeof what, ": %zu x %zu bytes were needed", count, size); // fits
        give_up(what);
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
    const size_t total = (bytes(count, size) + 63) / 64 * 64;
    const bool huge = total >= HUGE_PAGE;
    const size_t align = huge ? HUGE_PAGE : 64; // C has the size be a multiple of it
    void *p = checked(aligned_alloc(align, (total + align - 1) / align * align), count, size);
    if (huge) {
        (void)madvise(p, total, MADV_HUGEPAGE); // a kernel without them gives small ones
    }
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

void *mem_malloc(size_t size) {
    return checked(malloc(bytes(1, size)), 1, size);
}

void *mem_calloc(size_t count, size_t size) {
    return mem_zalloc(count, size);
}

void *mem_realloc(void *old, size_t size) {
    return mem_resize(old, 1, size);
}

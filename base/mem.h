/* base/mem.h - allocation that cannot fail.
 *
 * Out of memory aborts with a message: a dead worker is an ordinary event for the pool, and a dead
 * runner is resumed.  So no caller checks for NULL.  free() releases all of it. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* `count * size` bytes, zeroed.  Aborts when the product overflows. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes to `count * size` bytes; `old` may be NULL. */
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));

/* Zeroed, on a cache line (64 bytes), for tensors. */
void *mem_aligned(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

/* A formatted string on the heap. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif

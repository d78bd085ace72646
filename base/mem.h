/* base/mem.h - allocation that cannot fail.
 *
 * Out of memory ends the process with a message and status WIRE_EXIT_NO_MEMORY: a dead worker is an ordinary
 * event for the pool, and a dead runner is resumed.  So no caller checks for NULL.  No core is dumped: nothing is
 * wrong with the program.  free() releases all of it. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* `count * size` bytes, zeroed.  A product that overflows is more than there is. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes to `count * size` bytes; `old` may be NULL. */
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));

/* Zeroed, on a cache line (64 bytes), for tensors.  Of 2 MiB and more it begins on a huge page and asks the kernel for
 * such: a convolution goes through many distant places at once, more than the processor keeps translations for. */
void *mem_aligned(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

/* A formatted string on the heap. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* ---- for libraries ---- */

/* As malloc(), calloc() and realloc(), for libraries that let themselves be given an allocator: so that none has to be
 * asked whether it ran out of memory, and none mistakes that for something else. */
void *mem_malloc(size_t size);
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *old, size_t size);

/* For calls of libraries that failed for want of memory. */
_Noreturn void mem_exhausted(void);

#endif

/* tests/fuzz/fuzz.h - what the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, that defines LLVMFuzzerTestOneInput().  It is built twice:
 *
 *     with libFuzzer (preset fuzz)     looks for inputs that crash or break a FUZZ_REQUIRE
 *     with replay.c (other presets)    ctest fuzz.NAME: runs what lies in corpus/NAME
 *
 * A target may be slow, but does the same for the same bytes, and frees what it allocates. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0: every input is worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, saying what does not hold, in every build type. */
#define FUZZ_REQUIRE(holds) ((holds) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #holds))
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* A file with these bytes, in memory: its path.  There is one; the next call overwrites it. */
const char *fuzz_file(const void *data, size_t size);

/* No control character: neither C0, nor DEL, nor a newline. */
void fuzz_require_printable(const char *text, size_t len);

/* Random mutation cannot guess a hash.  Puts the right one where a safetensors header has besom's
 * checksum, 32 characters behind the first "checksum":", if it has one. */
void fuzz_mend_checksum(uint8_t *file, size_t size);

#endif

/* tests/parity/parity_io.h - what the modes of parity_driver share.  Everything that does not fit ends the
 * program with status 2 and a message. */
#ifndef TESTS_PARITY_PARITY_IO_H
#define TESTS_PARITY_PARITY_IO_H

#include "trainer/config.h"

#include <stddef.h>

void parity_fail(const char *message) __attribute__((noreturn));

/* A trial's config from JSON text. */
void parity_config(struct config *config, const char *text);

/* A number from 1 to 10^8. */
size_t parity_count(const char *text);

/* n elements of stdin, of stdout. */
void parity_read(void *values, size_t size, size_t n);
float *parity_read_floats(size_t n); // on a cache line, to be freed by the caller
void parity_write(const void *values, size_t size, size_t n);

/* ---- parity_net.c: the modes about whole networks ---- */

/* argv: CONFIG C H W CLASSES */
void parity_tensors(const struct config *config, char **argv);
/* argv: CONFIG C H W CLASSES BATCH STEPS */
void parity_train(const struct config *config, char **argv);
/* argv: CONFIG COUNT EPOCH */
void parity_order(const struct config *config, char **argv);

/* ---- parity_augment.c ---- */

enum { PARITY_DRAW_LEN = 10 };

/* argv: CONFIG N C H W */
void parity_augment(const struct config *config, char **argv);
/* argv: CONFIG COUNT */
void parity_shares(const struct config *config, char **argv);

#endif

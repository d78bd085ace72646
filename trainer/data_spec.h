/* trainer/data_spec.h - the config's `dataset`. */
#ifndef TRAINER_DATA_SPEC_H
#define TRAINER_DATA_SPEC_H

#include "trainer/config_table.h"
#include "trainer/spec.h"

/* The config's member "dataset", as table_read_fn; `out` is a struct dataset_spec, zeroed or read
 * before. */
struct cJSON *dataset_read(struct table_reader *reader, const struct cJSON *json, void *out);
void dataset_spec_release(struct dataset_spec *spec);

/* Of sets that are read, and of sets that are made. */
extern const struct table dataset_file_table, dataset_made_table;

#endif

/* runner/label.h - the values of an axis in few words, for people.
 *
 *     "adam"                                                  adam
 *     {"name": "sgd", "lr": 0.1}                              sgd lr=0.1   what differs between the sgds
 *     10000, of the axis dataset.train                        train=10000
 *     {"layers": [{"type": "dense", "units": 512}, "relu"]}   dense512-relu
 *
 * The values of one axis get different labels: where four digits or LABEL_MAX bytes are too little for
 * that, all digits and bytes are shown. */
#ifndef RUNNER_LABEL_H
#define RUNNER_LABEL_H

struct sweep;
struct sweep_axis;

enum { LABEL_MAX = 60 }; // bytes of a value's label, when it can be helped

/* How numbers of an axis are called: the last part of its path, or all of it when the last part of
 * another axis is the same.  Borrowed. */
const char *label_path_in_short(const struct sweep *sweep, int axis);

/* Makes axis->label. */
void label_axis(struct sweep_axis *axis, const char *number_name);

#endif

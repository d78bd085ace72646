/* results/level.h - what the values of an axis are called where they stand side by side. */
#ifndef RESULTS_LEVEL_H
#define RESULTS_LEVEL_H

/* Cuts "sgd lr=0.1" and "adam lr=0.001" to "sgd" and "adam" when the first words alone tell all `count`
 * names from each other; leaves all as they are otherwise. */
void level_shorten(char **names, int count);

#endif

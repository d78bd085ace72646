#include "results/level.h"

#include <string.h>

void level_shorten(char **names, int count) {
    for (int i = 0; i < count; i++) {
        size_t len = strcspn(names[i], " ");
        for (int j = 0; j < i; j++) {
            if (strcspn(names[j], " ") == len && strncmp(names[i], names[j], len) == 0) {
                return; // the same word twice
            }
        }
    }
    for (int i = 0; i < count; i++) {
        names[i][strcspn(names[i], " ")] = '\0';
    }
}

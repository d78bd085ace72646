#include "runner/keymap.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256 };

/* 16 hexadecimal digits */
static uint64_t half(const char *digits) {
    char text[17] = {0};
    memcpy(text, digits, 16);
    return strtoull(text, NULL, 16);
}

/* The place of a key, or the free one where it belongs. */
static struct keymap_entry *probe(const struct keymap *map, uint64_t high, uint64_t low) {
    size_t i = low & (map->cap - 1);
    while ((map->entry[i].high != 0 || map->entry[i].low != 0) &&
           (map->entry[i].high != high || map->entry[i].low != low)) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->entry[i];
}

static void grow(struct keymap *map) {
    struct keymap old = *map;
    map->cap = old.cap == 0 ? FIRST_CAP : 2 * old.cap;
    map->entry = mem_zalloc(map->cap, sizeof *map->entry);
    for (size_t i = 0; i < old.cap; i++) {
        const struct keymap_entry *e = &old.entry[i];
        if (e->high != 0 || e->low != 0) {
            *probe(map, e->high, e->low) = *e;
        }
    }
    free(old.entry);
}

int64_t *keymap_at(struct keymap *map, const char key[HASH_HEX_LEN + 1]) {
    if (2 * (map->count + 1) > map->cap) {
        grow(map);
    }
    uint64_t high = half(key), low = half(key + 16);
    struct keymap_entry *e = probe(map, high, low);
    if (e->high == 0 && e->low == 0) {
        *e = (struct keymap_entry){high, low, 0};
        map->count++;
    }
    return &e->value;
}

void keymap_release(struct keymap *map) {
    free(map->entry);
    *map = (struct keymap){0};
}

/* SQLite allocates as everything else does here: what it does not get ends the process (base/mem.h).  Its own way is
 * SQLITE_NOMEM from most calls, but NULL from sqlite3_column_text() and silence from others, each of which would
 * have to be told from an empty answer. */
#include "base/mem.h"
#include "results/store_internal.h"

#include <pthread.h>

static sqlite3_mem_methods plain; // SQLite's own

static void *demand(int size) {
    void *p = plain.xMalloc(size);
    if (p == NULL) {
        mem_exhausted();
    }
    return p;
}

static void *demand_again(void *old, int size) {
    void *p = plain.xRealloc(old, size);
    if (p == NULL) {
        mem_exhausted();
    }
    return p;
}

static void replace(void) {
    // Both fail only when SQLite is in use already, by a program that is not besom.
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) == SQLITE_OK) {
        sqlite3_mem_methods ours = plain;
        ours.xMalloc = demand;
        ours.xRealloc = demand_again;
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    }
}

void store_use_our_memory(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, replace); // cannot fail
}

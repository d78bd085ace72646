/* trainer/config_table.h - the objects of a config, read by tables of their keys.
 *
 *     JSON object + struct table  -->  a C struct, complaints, what differs from the defaults
 *
 * A table has a row for each key: name, type, range, default, the place in the struct, and the kinds
 * that have it ("momentum" is a key of the kinds momentum and nesterov of the table optimizer).  A key
 * may have several rows, for different kinds: that is how adam's lr has another default than sgd's.
 *
 * Invariants
 *   1. Whatever the JSON says, every field of the struct is set: to a value of its range, or to its
 *      default.  So reading goes on after a complaint, and all complaints come at once.
 *   2. The identity that table_read() returns is the same for all spellings of the same values. */
#ifndef TRAINER_CONFIG_TABLE_H
#define TRAINER_CONFIG_TABLE_H

#include "base/buf.h"

#include <stddef.h>

struct cJSON;
struct table;

/* Something wrong with a config. */
struct config_complaint {
    const char *path;          // "optimizer.lr", "model.layers[2].units", "" for the whole
    const char *message;       // "must be a number above 0, not -1"
    const struct cJSON *value; // what it is about, for its place; NULL where there is none
};

typedef void config_complain_fn(void *context, const struct config_complaint *complaint);

struct table_reader {
    config_complain_fn *complain;
    void *context;
    struct buf path; // of the value being read
    int complaints;  // so far
};

enum table_type {
    TABLE_NUMBER,  // double
    TABLE_FLOAT,   // float
    TABLE_INTEGER, // int
    TABLE_SEED,    // uint64_t
    TABLE_BOOL,    // bool
    TABLE_TEXT,    // char *, owned by the struct
    TABLE_OBJECT,  // a struct with a table of its own
    TABLE_CUSTOM,  // whatever `read` makes of it
};

enum table_flags {
    TABLE_ABOVE_MIN = 1, // min itself is outside
    TABLE_BELOW_MAX = 2, // max itself is outside
    TABLE_REQUIRED = 4,  // no default
    TABLE_AUTO = 16,     // TABLE_NUMBER: or the string "auto", which is stored as NAN
    TABLE_COUNTS = 8,    // an object that is given is part of the identity, also at its defaults
};

/* Reads `json`, NULL when absent, into the field `out` and returns its part of the identity, owned by
 * the caller; NULL when that is the default. */
typedef struct cJSON *table_read_fn(struct table_reader *reader, const struct cJSON *json,
                                    void *out);

struct table_key {
    const char *name;
    enum table_type type;
    unsigned kinds; // bit k: kind k has it; 0: all have it
    size_t offset;  // of the field
    double min, max;
    unsigned flags;
    double value;              // the default of a number or boolean
    const char *text;          // the default of a text
    const struct table *table; // TABLE_OBJECT; TABLE_CUSTOM: of its parts
    table_read_fn *read;       // TABLE_CUSTOM
};

struct table {
    const char *what;       // "optimizer", for messages
    const char *name_key;   // a string "x" stands for {name_key: "x"}; NULL: it does not
    const char *number_key; // likewise a number
    const char *const *kinds;
    int kind_count; // 0: all objects are of one kind
    int kind;       // the default one; -1: must be named
    size_t kind_offset;
    const struct table_key *keys;
    int key_count;
};

/* Reads an object, NULL when absent, into the struct `out`.  Members named `skip` (may be NULL) are
 * passed over.  Returns the identity: NULL when all is at its defaults, a string when only the kind is
 * not, otherwise an object with the kind's name and all keys that are not at their defaults. */
struct cJSON *table_read(struct table_reader *reader, const struct table *table,
                         const struct cJSON *json, const char *skip, void *out);

/* Reports a complaint at reader->path. */
void table_complain(struct table_reader *reader, const struct cJSON *value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Lengthens reader->path by a member or by an index; table_leave() with the result shortens it. */
size_t table_enter(struct table_reader *reader, const char *key);
size_t table_enter_index(struct table_reader *reader, int index);
void table_leave(struct table_reader *reader, size_t mark);

#endif

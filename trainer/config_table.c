#include "trainer/config_table.h"

#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 64, SHOWN_MAX = 60 };

/* ---- complaints ---- */

void table_complain(struct table_reader *reader, const struct cJSON *value, const char *fmt, ...) {
    char message[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args); // a cut message is still a message
    va_end(args);
    reader->complaints++;
    const struct config_complaint complaint = {buf_text(&reader->path), message, value};
    reader->complain(reader->context, &complaint);
}

size_t table_enter(struct table_reader *reader, const char *key) {
    size_t mark = reader->path.len;
    buf_printf(&reader->path, "%s%s", mark == 0 ? "" : ".", key);
    return mark;
}

size_t table_enter_index(struct table_reader *reader, int index) {
    size_t mark = reader->path.len;
    buf_printf(&reader->path, "[%d]", index);
    return mark;
}

void table_leave(struct table_reader *reader, size_t mark) {
    assert(mark <= reader->path.len);
    if (reader->path.len > mark) { // an empty one may have no memory
        reader->path.len = mark;
        reader->path.data[mark] = '\0';
    }
}

/* "must be <wanted>, not <value>", the value cut to a length that can be read */
static void complain_value(struct table_reader *reader, const struct cJSON *value,
                           const char *wanted) {
    struct buf shown = {0};
    json_print(&shown, value);
    bool cut = shown.len > SHOWN_MAX;
    table_complain(reader, value, "must be %s, not %.*s%s", wanted, SHOWN_MAX, buf_text(&shown),
                   cut ? "..." : "");
    buf_release(&shown);
}

/* "a number above 0 and at most 1", "an integer from 1 to 65536" */
static void describe_range(struct buf *out, const struct table_key *key, const char *noun) {
    char min[NUM_TEXT_MAX], max[NUM_TEXT_MAX];
    (void)num_format(min, key->min); // only the text is of use
    (void)num_format(max, key->max);
    bool above = key->flags & TABLE_ABOVE_MIN, below = key->flags & TABLE_BELOW_MAX;
    if (isinf(key->max)) {
        buf_printf(out, "%s %s %s", noun, above ? "above" : "of at least", min);
    } else if (above || below) {
        buf_printf(out, "%s %s %s and %s %s", noun, above ? "above" : "of at least", min,
                   below ? "below" : "at most", max);
    } else {
        buf_printf(out, "%s from %s to %s", noun, min, max);
    }
}

/* ---- which rows there are ---- */

static bool has_kind(const struct table_key *key, int kind) {
    return key->kinds == 0 || (kind >= 0 && (key->kinds >> kind & 1) != 0);
}

/* The row for `name`.  `kind` -1, not known, takes the first of any kind. */
static const struct table_key *find_key(const struct table *table, const char *name, int kind) {
    for (int i = 0; i < table->key_count; i++) {
        const struct table_key *key = &table->keys[i];
        if ((kind < 0 || has_kind(key, kind)) && strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

/* The keys that objects of this kind may have, for "did you mean". */
static size_t list_keys(const struct table *table, int kind, const char *names[NAMES_MAX]) {
    size_t count = 0;
    if (table->kind_count > 0 && table->name_key != NULL) {
        names[count++] = table->name_key;
    }
    for (int i = 0; i < table->key_count && count < NAMES_MAX; i++) {
        const struct table_key *key = &table->keys[i];
        if (find_key(table, key->name, kind) == key) {
            names[count++] = key->name;
        }
    }
    return count;
}

static void complain_unknown(struct table_reader *reader, const struct table *table, int kind,
                             const char *name, const struct cJSON *value) {
    struct buf text = {0};
    if (find_key(table, name, -1) == NULL) {
        const char *names[NAMES_MAX];
        size_t count = list_keys(table, kind, names);
        buf_printf(&text, "unknown key \"%s\"", name);
        diag_suggest(&text, name, names, count);
    } else {
        buf_printf(&text, "\"%s\" is not a key of %s \"%s\", only of", name, table->what,
                   table->kinds[kind]);
        const char *separator = " ";
        for (int i = 0; i < table->kind_count; i++) {
            if (find_key(table, name, i) != NULL) {
                buf_printf(&text, "%s\"%s\"", separator, table->kinds[i]);
                separator = ", ";
            }
        }
    }
    table_complain(reader, value, "%s", buf_text(&text));
    buf_release(&text);
}

/* ---- values ---- */

static void store_number(const struct table_key *key, double number, void *out) {
    void *field = (char *)out + key->offset;
    switch (key->type) {
    case TABLE_NUMBER:
        *(double *)field = number;
        break;
    case TABLE_FLOAT:
        *(float *)field = (float)number;
        break;
    case TABLE_INTEGER:
        *(int *)field = (int)number;
        break;
    case TABLE_SEED:
        *(uint64_t *)field = (uint64_t)number;
        break;
    case TABLE_BOOL:
        *(bool *)field = number != 0;
        break;
    case TABLE_TEXT:
    case TABLE_OBJECT:
    case TABLE_CUSTOM:
        assert(!"a number's row");
    }
}

static void store_text(const struct table_key *key, const char *text, void *out) {
    char **field = (char **)(void *)((char *)out + key->offset);
    free(*field);
    *field = mem_strdup(text);
}

static struct cJSON *read_number(struct table_reader *reader, const struct table_key *key,
                                 const struct cJSON *json, void *out) {
    if ((key->flags & TABLE_AUTO) && json_type(json) == JSON_STRING &&
        json_is_string(json, "auto")) {
        store_number(key, NAN, out);
        return json_new_string("auto");
    }
    bool whole = key->type == TABLE_INTEGER || key->type == TABLE_SEED, good = false;
    double number = 0;
    if (whole) {
        int64_t integer = 0;
        good = json_integer(json, (int64_t)key->min, (int64_t)key->max, &integer);
        number = (double)integer;
    } else if (json_type(json) == JSON_NUMBER) {
        number = json_number(json) + 0.0; // -0.0 becomes 0.0: one spelling
        good = (key->flags & TABLE_ABOVE_MIN ? number > key->min : number >= key->min) &&
               (key->flags & TABLE_BELOW_MAX ? number < key->max : number <= key->max);
    }
    if (!good) {
        struct buf wanted = {0};
        describe_range(&wanted, key, whole ? "an integer" : "a number");
        buf_puts(&wanted, key->flags & TABLE_AUTO ? ", or \"auto\"" : "");
        complain_value(reader, json, buf_text(&wanted));
        buf_release(&wanted);
        return NULL;
    }
    store_number(key, number, out);
    bool at_default = !(key->flags & TABLE_REQUIRED) && number == key->value;
    return at_default ? NULL : json_new_number(number);
}

static struct cJSON *read_bool(struct table_reader *reader, const struct table_key *key,
                               const struct cJSON *json, void *out) {
    if (json_type(json) != JSON_BOOL) {
        complain_value(reader, json, "true or false");
        return NULL;
    }
    bool value = json_bool(json);
    store_number(key, value ? 1 : 0, out);
    return value == (key->value != 0) ? NULL : json_new_bool(value);
}

static struct cJSON *read_text(struct table_reader *reader, const struct table_key *key,
                               const struct cJSON *json, void *out) {
    bool may_be_empty = *key->text == '\0';
    if (json_type(json) != JSON_STRING || (*json_text(json) == '\0' && !may_be_empty)) {
        complain_value(reader, json, may_be_empty ? "a text" : "a name");
        return NULL;
    }
    store_text(key, json_text(json), out);
    return strcmp(json_text(json), key->text) == 0 ? NULL : json_new_string(json_text(json));
}

/* `json` NULL: absent, the default is taken. */
static struct cJSON *read_object(struct table_reader *reader, const struct table_key *key,
                                 const struct cJSON *json, void *out) {
    void *field = (char *)out + key->offset;
    struct cJSON *identity = table_read(reader, key->table, json, NULL, field);
    if (identity == NULL && json != NULL && (key->flags & TABLE_COUNTS)) {
        return json_new_string(key->table->kinds[key->table->kind]);
    }
    return identity;
}

static struct cJSON *read_value(struct table_reader *reader, const struct table_key *key,
                                const struct cJSON *json, void *out) {
    switch (key->type) {
    case TABLE_NUMBER:
    case TABLE_FLOAT:
    case TABLE_INTEGER:
    case TABLE_SEED:
        return read_number(reader, key, json, out);
    case TABLE_BOOL:
        return read_bool(reader, key, json, out);
    case TABLE_TEXT:
        return read_text(reader, key, json, out);
    case TABLE_OBJECT:
        return read_object(reader, key, json, out);
    case TABLE_CUSTOM:
        return key->read(reader, json, (char *)out + key->offset);
    }
    return NULL;
}

static void set_default(struct table_reader *reader, const struct table_key *key, void *out) {
    switch (key->type) {
    case TABLE_NUMBER:
    case TABLE_FLOAT:
    case TABLE_INTEGER:
    case TABLE_SEED:
    case TABLE_BOOL:
        store_number(key, key->value, out);
        break;
    case TABLE_TEXT:
        store_text(key, key->text, out);
        break;
    case TABLE_OBJECT:
        json_delete(read_object(reader, key, NULL, out)); // NULL: the defaults
        break;
    case TABLE_CUSTOM:
        json_delete(key->read(reader, NULL, (char *)out + key->offset)); // as above
        break;
    }
}

/* ---- objects ---- */

/* The kind that `json` names; table->kind when it names none; -1, with a complaint, when there is no
 * telling. */
static int read_kind(struct table_reader *reader, const struct table *table,
                     const struct cJSON *json) {
    bool is_object = json != NULL && json_type(json) == JSON_OBJECT;
    const struct cJSON *name = is_object ? json_get(json, table->name_key) : json;
    if (name == NULL) {
        if (table->kind < 0) {
            table_complain(reader, json, "needs \"%s\"", table->name_key);
        }
        return table->kind;
    }
    size_t mark = is_object ? table_enter(reader, table->name_key) : reader->path.len;
    int kind = -1;
    if (json_type(name) != JSON_STRING) {
        complain_value(reader, name, "a name");
    } else {
        for (int i = 0; i < table->kind_count && kind < 0; i++) {
            kind = json_is_string(name, table->kinds[i]) ? i : -1;
        }
        if (kind < 0) {
            struct buf text = {0};
            buf_printf(&text, "unknown %s \"%s\"", table->what, json_text(name));
            diag_suggest(&text, json_text(name), table->kinds, (size_t)table->kind_count);
            table_complain(reader, name, "%s", buf_text(&text));
            buf_release(&text);
        }
    }
    table_leave(reader, mark);
    return kind;
}

static void read_member(struct table_reader *reader, const struct table *table, int kind,
                        const char *name, const struct cJSON *value, struct cJSON *identity,
                        void *out) {
    size_t mark = table_enter(reader, name);
    const struct table_key *key = find_key(table, name, kind);
    if (key == NULL) {
        complain_unknown(reader, table, kind, name, value);
    } else if (kind >= 0 || table->kind_count == 0) { // else it is not known whose key this is
        struct cJSON *part = read_value(reader, key, value, out);
        if (part != NULL) {
            json_set(identity, name, part);
        }
    }
    table_leave(reader, mark);
}

static void read_members(struct table_reader *reader, const struct table *table, int kind,
                         const struct cJSON *json, const char *skip, struct cJSON *identity,
                         void *out) {
    for (const struct cJSON *m = json_first(json); m != NULL; m = json_next(m)) {
        bool is_kind = table->kind_count > 0 && strcmp(json_key(m), table->name_key) == 0;
        if (!is_kind && (skip == NULL || strcmp(json_key(m), skip) != 0)) {
            read_member(reader, table, kind, json_key(m), m, identity, out);
        }
    }
}

/* Defaults come first, so that the struct is whole whatever follows. */
static void set_defaults(struct table_reader *reader, const struct table *table, int kind,
                         const struct cJSON *json, void *out) {
    bool is_object = json != NULL && json_type(json) == JSON_OBJECT;
    for (int i = 0; i < table->key_count; i++) {
        const struct table_key *key = &table->keys[i];
        if (kind >= 0 || table->kind_count == 0 ? has_kind(key, kind) : true) {
            set_default(reader, key, out);
            bool missing = !is_object || json_get(json, key->name) == NULL;
            if (missing && (key->flags & TABLE_REQUIRED) && kind >= 0) {
                table_complain(reader, json, "%s \"%s\" needs \"%s\"", table->what,
                               table->kinds[kind], key->name);
            }
        }
    }
}

/* The one spelling of what was gathered: nothing, a name alone, or an object with all of it. */
static struct cJSON *finish_identity(const struct table *table, int kind, struct cJSON *identity) {
    bool has_name = kind >= 0 && (kind != table->kind || json_count(identity) > 0);
    if (has_name) {
        json_set(identity, table->name_key, json_new_string(table->kinds[kind]));
    }
    const struct cJSON *name = table->name_key ? json_get(identity, table->name_key) : NULL;
    struct cJSON *result = identity;
    if (json_count(identity) == 0) {
        result = NULL;
    } else if (json_count(identity) == 1 && name != NULL) {
        result = json_new_string(json_text(name));
    }
    if (result != identity) {
        json_delete(identity);
    }
    return result;
}

struct cJSON *table_read(struct table_reader *reader, const struct table *table,
                         const struct cJSON *json, const char *skip, void *out) {
    enum json_type type = json == NULL ? JSON_OBJECT : json_type(json);
    bool named = type == JSON_STRING && table->name_key != NULL;
    bool counted = type == JSON_NUMBER && table->number_key != NULL;
    bool usable = type == JSON_OBJECT || named || counted;
    if (!usable) {
        complain_value(reader, json,
                       table->name_key != NULL     ? "a name or an object"
                       : table->number_key != NULL ? "a number or an object"
                                                   : "an object");
        json = NULL;
    }
    int kind = -1;
    if (table->kind_count > 0) {
        kind = usable ? read_kind(reader, table, json) : table->kind;
        *(int *)(void *)((char *)out + table->kind_offset) = kind < 0 ? 0 : kind;
    }
    set_defaults(reader, table, kind, json, out);

    struct cJSON *identity = json_new_object();
    const char *only =
        counted ? table->number_key : table->name_key; // the member that it stands for
    if (counted || (named && table->kind_count == 0)) {
        struct cJSON *part = read_value(reader, find_key(table, only, -1), json, out);
        if (part != NULL) {
            json_set(identity, only, part);
        }
    } else if (json != NULL && type == JSON_OBJECT) {
        read_members(reader, table, kind, json, skip, identity, out);
    }
    return finish_identity(table, kind, identity);
}

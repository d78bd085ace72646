/* base/json.h - strict JSON with places, over cJSON.  The only module that knows cJSON.
 *
 * What it adds to the library:
 *   - strictness: repeated names, leading zeros, control characters, invalid UTF-8, "\u0000",
 *     numbers that overflow a double, and nesting deeper than JSON_DEPTH_MAX are errors;
 *   - places: every error names file:line:column, and json_where() tells those of any value;
 *   - // comments, where asked for (sweep files);
 *   - numbers printed in their shortest round-trip form, and the canonical form that identities
 *     are hashed from.
 *
 * `struct cJSON` is opaque everywhere else.  Values inside a document are borrowed from it. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct cJSON;
struct err;

enum {
    JSON_DEPTH_MAX = 64,
    JSON_FILE_MAX = 64 << 20, // bytes json_load() reads at most
};
enum json_flags { JSON_STRICT = 0, JSON_COMMENTS = 1 };
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* ---- documents ---- */

struct json_doc; // a parsed text, its tree and the place of every value

/* `name` is how errors call the text, usually a path.  ERR_PARSE with "name:line:column: ...". */
int json_parse(struct json_doc **doc, const char *name, const char *text, size_t len, int flags,
               struct err *err);
int json_load(struct json_doc **doc, const char *path, int flags, struct err *err);
void json_free(struct json_doc *doc); // NULL is fine

struct cJSON *json_root(const struct json_doc *doc);
const char *json_name(const struct json_doc *doc);

/* Line and column (from 1, in bytes) at which `value` of this document starts; for a member that is
 * where its name starts.  0, 0 for a value that is not of this document. */
void json_where(const struct json_doc *doc, const struct cJSON *value, int *line, int *column);

/* ---- reading ---- */

enum json_type json_type(const struct cJSON *value);
const char *json_type_name(enum json_type type);         // "an object", "a number", ...
const char *json_key(const struct cJSON *value);         // of a member; NULL otherwise
struct cJSON *json_first(const struct cJSON *container); // NULL when empty
struct cJSON *json_next(const struct cJSON *value);
int json_count(const struct cJSON *container);
struct cJSON *json_get(const struct cJSON *object, const char *key); // NULL if absent; case matters

const char *json_text(const struct cJSON *string);                // the value must be a string
double json_number(const struct cJSON *number);                   // the value must be a number
bool json_bool(const struct cJSON *boolean);                      // the value must be a boolean
bool json_is_string(const struct cJSON *value, const char *text); // a string equal to `text`

/* A number without fraction within [min, max], |value| at most 2^53; false otherwise. */
bool json_integer(const struct cJSON *value, int64_t min, int64_t max, int64_t *out);

/* A metric's value: a number, or one of the strings "nan", "inf", "-inf". */
bool json_metric(const struct cJSON *value, double *out);

bool json_equal(const struct cJSON *a, const struct cJSON *b); // order of members does not count

/* ---- building; what is made is owned by the caller until it is put into a container ---- */

struct cJSON *json_new_object(void);
struct cJSON *json_new_array(void);
struct cJSON *json_new_null(void);
struct cJSON *json_new_bool(bool value);
struct cJSON *json_new_number(double value); // NaN and infinities become "nan", "inf", "-inf"
struct cJSON *json_new_string(const char *text);
struct cJSON *json_copy(const struct cJSON *value); // deep, without the member name
void json_delete(struct cJSON *value);              // NULL is fine

void json_set(struct cJSON *object, const char *key, struct cJSON *value); // replaces; takes over
void json_append(struct cJSON *array, struct cJSON *value);                // takes over
void json_remove(struct cJSON *object, const char *key);                   // absent is fine

/* ---- dotted paths: "optimizer.lr" ---- */

/* NULL when absent.  A string on the way stands for {"name": string}, so "optimizer.name" of
 * {"optimizer": "adam"} is found. */
const struct cJSON *json_path_get(const struct cJSON *object, const char *path);

/* Makes objects where the path needs them; a string on the way becomes {"name": string}.  Takes
 * over `value`, also when it fails: ERR_RANGE when something else than an object is in the way. */
int json_path_set(struct cJSON *object, const char *path, struct cJSON *value, struct err *err);

/* ---- printing ---- */

void json_print(struct buf *out, const struct cJSON *value);        // one line, order as it is
void json_print_pretty(struct buf *out, const struct cJSON *value); // 2 spaces an indent
/* One line without spaces, members sorted by name (bytes), numbers in shortest round-trip form.
 * Equal values print equal bytes. */
void json_print_canonical(struct buf *out, const struct cJSON *value);

#endif

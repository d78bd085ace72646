#include "verify/hash128.h"

#include "verify/report.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void hash128_init(struct hash128 *hash) {
    hash->state = XXH3_createState();
    if (hash->state == NULL || XXH3_128bits_reset(hash->state) != XXH_OK) {
        abort(); // out of memory
    }
}

void hash128_add(struct hash128 *hash, const void *data, size_t len) {
    (void)XXH3_128bits_update(hash->state, data, len); // fails only for a NULL state
}

void hash128_finish(struct hash128 *hash, char out[HASH128_DIGITS + 1]) {
    XXH128_hash_t h = XXH3_128bits_digest(hash->state);
    (void)snprintf(out, HASH128_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64,
                   (uint64_t)h.low64); // fits
    (void)XXH3_freeState(hash->state); // cannot fail
    hash->state = NULL;
}

void hash128_text(char out[HASH128_DIGITS + 1], const char *text) {
    struct hash128 hash;
    hash128_init(&hash);
    hash128_add(&hash, text, strlen(text));
    hash128_finish(&hash, out);
}

/* ---- canonical JSON, as text: numbers keep their digits ---- */

/* Behind the string that begins at `s`; NULL when it has no end. */
static const char *skip_string(const char *s) {
    for (s++; *s != '"'; s++) {
        if (*s == '\\' && s[1] != '\0') {
            s++;
        }
        if (*s == '\0') {
            return NULL;
        }
    }
    return s + 1;
}

/* Behind the value that begins at `s`: at the comma or bracket that follows it. */
static const char *skip_value(const char *s) {
    int depth = 0;
    while (s != NULL && *s != '\0') {
        if (depth == 0 && (*s == ',' || *s == '}' || *s == ']')) {
            return s;
        }
        depth += (*s == '{' || *s == '[') - (*s == '}' || *s == ']');
        s = *s == '"' ? skip_string(s) : s + 1;
    }
    return NULL;
}

static bool is_among(const char *name, size_t len, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strlen(*names) == len && strncmp(*names, name, len) == 0) {
            return true;
        }
    }
    return false;
}

char *canonical_without(const char *object, const char *const *names) {
    if (object[0] != '{') {
        return NULL;
    }
    char *out = checked_alloc(strlen(object) + 1), *to = out;
    const char *s = object + 1;
    *to++ = '{';
    while (s != NULL && *s == '"') {
        const char *key_end = skip_string(s);
        const char *end = key_end != NULL && *key_end == ':' ? skip_value(key_end + 1) : NULL;
        if (end == NULL) {
            break;
        }
        if (!is_among(s + 1, (size_t)(key_end - s - 2), names)) {
            *to++ = ',';
            to = mempcpy(to, s, (size_t)(end - s));
        }
        s = *end == ',' ? end + 1 : end;
    }
    if (s == NULL || strcmp(s, "}") != 0) {
        free(out);
        return NULL;
    }
    if (out[1] == ',') {
        memmove(out + 1, out + 2, (size_t)(to - out - 2));
        to--;
    }
    *to++ = '}';
    *to = '\0';
    return out;
}

/* A string as canonical JSON has it: escaped are quotes, backslashes and control characters. */
static void put_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fprintf(out, "\\%c", *c);
        } else if (*c == '\n' || *c == '\t') {
            fputs(*c == '\n' ? "\\n" : "\\t", out);
        } else if (*c < 0x20 || *c == 0x7f) {
            fprintf(out, "\\u%04x", *c);
        } else if (*c == 0xc2 && c[1] < 0xa0) { // U+0080 to U+009F
            fprintf(out, "\\u%04x", *++c);
        } else {
            fputc(*c, out);
        }
    }
    fputc('"', out);
}

bool trial_key(char out[HASH128_DIGITS + 1], const char *config, int64_t seed,
               const char *trainer) {
    cJSON *argv = cJSON_Parse(trainer);
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL) {
        abort();
    }
    bool good = cJSON_IsArray(argv);
    fprintf(memory, "{\"config\":%s,\"seed\":\"%" PRId64 "\",\"trainer\":[", config, seed);
    for (const cJSON *arg = good ? argv->child : NULL; arg != NULL && good; arg = arg->next) {
        good = cJSON_IsString(arg);
        if (good) {
            fputs(arg == argv->child ? "" : ",", memory);
            put_string(memory, arg->valuestring);
        }
    }
    fputs("]}", memory);
    if (fclose(memory) != 0) {
        abort(); // out of memory
    }
    hash128_text(out, text);
    free(text);
    cJSON_Delete(argv);
    return good;
}

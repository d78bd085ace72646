#include "runner/start_event.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

char *event_text(const struct cJSON *value, size_t max) {
    if (value == NULL || json_type(value) != JSON_STRING) {
        return NULL;
    }
    const char *text = json_text(value);
    size_t len = strlen(text);
    len = len < max ? len : max;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--; // not within a character
    }
    char *copy = mem_printf("%.*s", (int)len, text);
    for (unsigned char *c = (unsigned char *)copy; *c != '\0'; c++) {
        if (utf8_is_control(c)) {
            bool two = *c == 0xc2;
            *c = ' ';
            c += two;
            *c = ' ';
        }
    }
    return copy;
}

void start_event_read(struct start_event *start, const struct cJSON *event) {
    enum { NUMERICS_MAX = 1000, PROGRAM_MAX = 200 };
    int64_t from = 0;
    const struct cJSON *from_epoch = json_get(event, "from_epoch");
    const struct cJSON *promise = json_get(event, "deterministic");
    if (from_epoch != NULL && !json_integer(from_epoch, 0, WIRE_EPOCH_MAX, &from)) {
        from = 0;
    }
    *start = (struct start_event){
        .from_epoch = (int)from,
        .deterministic = promise != NULL && json_type(promise) == JSON_BOOL && json_bool(promise),
        .numerics = event_text(json_get(event, "numerics"), NUMERICS_MAX),
        .program = event_text(json_get(event, "program"), PROGRAM_MAX)};
}

void start_event_release(struct start_event *start) {
    free(start->numerics);
    free(start->program);
    *start = (struct start_event){0};
}

#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/sweep_internal.h"
#include "runner/value.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 160 }; // bytes of the values that are there

/* The strings among what may be there, then did-you-mean; other values are listed. */
static void suggest_value(struct buf *out, const struct sweep_candidates *found,
                          const struct cJSON *wanted) {
    const char **names = mem_zalloc(found->count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++) {
        if (json_type(found->value[i]) == JSON_STRING) {
            names[count++] = json_text(found->value[i]);
        }
    }
    const char *nearest =
        json_type(wanted) == JSON_STRING ? diag_nearest(json_text(wanted), names, count) : NULL;
    free(names);
    if (nearest != NULL) {
        buf_printf(out, "; did you mean \"%s\"?", nearest);
        return;
    }
    for (size_t i = 0; i < found->count && out->len < SHOWN_MAX; i++) {
        buf_puts(out, i == 0 ? "; there are: " : ", ");
        json_print(out, found->value[i]);
    }
}

/* true when a value of the path is an object that `name` names, with more in it. */
static bool is_name_of_object(const struct sweep_candidates *found, const struct cJSON *name) {
    for (size_t i = 0; i < found->count && json_type(name) == JSON_STRING; i++) {
        const struct cJSON *other =
            json_type(found->value[i]) == JSON_OBJECT ? json_get(found->value[i], "name") : NULL;
        if (other != NULL && json_is_string(other, json_text(name))) {
            return true;
        }
    }
    return false;
}

static void complain_no_match(struct sweep_reader *reader, const struct cJSON *member,
                              const struct sweep_candidates *found) {
    struct buf text = {0};
    buf_printf(&text, "no point has \"%s\": ", json_key(member));
    json_print(&text, member);
    if (is_name_of_object(found, member)) {
        buf_printf(&text, "; to match every object of this name, write \"%s.name\"",
                   json_key(member));
    } else {
        struct buf hint = {0};
        suggest_value(&hint, found, member);
        buf_puts(&text, buf_text(&hint));
        buf_release(&hint);
    }
    sweep_complain(reader, member, "%s", buf_text(&text));
    buf_release(&text);
}

/* An entry that can match nothing is a slip: a path that no point has, or a value. */
static void check_member(struct sweep_reader *reader, const struct cJSON *member) {
    struct sweep_candidates found;
    sweep_candidates_find(&found, reader->sweep, json_key(member));
    bool matched = found.open;
    for (size_t i = 0; i < found.count && !matched; i++) {
        matched = value_same(found.value[i], member);
    }
    if (found.count == 0 && !found.open) {
        struct buf text = {0};
        sweep_suggest_path(&text, reader->sweep, json_key(member), NULL, 0);
        sweep_complain(reader, member, "no point has a \"%s\" to exclude%s", json_key(member),
                       buf_text(&text));
        buf_release(&text);
    } else if (!matched) {
        complain_no_match(reader, member, &found);
    }
    sweep_candidates_release(&found);
}

static void read_entry(struct sweep_reader *reader, const struct cJSON *entry,
                       struct sweep_exclude *exclude) {
    if (json_type(entry) != JSON_OBJECT) {
        sweep_complain_value(reader, entry, "an entry of \"exclude\"",
                             "an object of paths and values");
        return;
    }
    size_t count = (size_t)json_count(entry);
    if (count == 0) {
        sweep_complain(reader, entry, "an empty entry would exclude every point");
        return;
    }
    exclude->path = mem_zalloc(count, sizeof *exclude->path);
    exclude->value = mem_zalloc(count, sizeof *exclude->value);
    for (const struct cJSON *m = json_first(entry); m != NULL; m = json_next(m)) {
        check_member(reader, m);
        exclude->path[exclude->count] = json_key(m);
        exclude->value[exclude->count++] = m;
    }
}

void sweep_read_excludes(struct sweep_reader *reader) {
    struct sweep *sweep = reader->sweep;
    const struct cJSON *list = json_get(reader->root, "exclude");
    if (list == NULL) {
        return;
    }
    if (json_type(list) != JSON_ARRAY) {
        sweep_complain_value(reader, list, "\"exclude\"", "a list of objects");
        return;
    }
    sweep->excludes = mem_zalloc((size_t)json_count(list) + 1, sizeof *sweep->excludes);
    for (const struct cJSON *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
        read_entry(reader, entry, &sweep->excludes[sweep->exclude_count++]);
    }
}

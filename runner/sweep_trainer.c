#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/placeholder.h"
#include "runner/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

static bool some_point_has(const struct sweep *sweep, const char *path) {
    struct sweep_candidates found;
    sweep_candidates_find(&found, sweep, path);
    bool has = found.open || found.count > 0;
    sweep_candidates_release(&found);
    return has;
}

static void check_placeholders(struct sweep_reader *reader, const struct cJSON *argument) {
    const char *at = json_text(argument);
    struct placeholder_piece piece;
    while (placeholder_next(&at, &piece)) {
        if (!piece.is_name) {
            continue;
        }
        char *name = mem_printf("%.*s", (int)piece.len, piece.start);
        if (!placeholder_is_word(name) && !some_point_has(reader->sweep, name)) {
            struct buf text = {0};
            sweep_suggest_path(&text, reader->sweep, name, placeholder_words, PLACEHOLDER_WORDS);
            sweep_complain(reader, argument, "unknown placeholder {%s}%s ({{%s}} is the text {%s})",
                           name, buf_text(&text), name, name);
            buf_release(&text);
        }
        free(name);
    }
}

static void read_argv(struct sweep_reader *reader, const struct cJSON *list) {
    char **argv = mem_zalloc((size_t)json_count(list) + 1, sizeof *argv);
    int count = 0;
    for (const struct cJSON *arg = json_first(list); arg != NULL; arg = json_next(arg)) {
        if (json_type(arg) != JSON_STRING || json_text(arg)[0] == '\0') {
            sweep_complain_value(reader, arg, "an argument of \"trainer\"",
                                 "a string that is not empty");
            continue;
        }
        check_placeholders(reader, arg);
        argv[count++] = mem_strdup(json_text(arg));
    }
    reader->sweep->trainer = argv;
}

void sweep_read_trainer(struct sweep_reader *reader) {
    const struct cJSON *list = json_get(reader->root, "trainer");
    if (list == NULL) {
        reader->sweep->trainer = mem_zalloc(3, sizeof(char *));
        reader->sweep->trainer[0] = mem_strdup("besom-trainer");
        reader->sweep->trainer[1] = mem_strdup("train");
        return;
    }
    if (json_type(list) == JSON_ARRAY && json_first(list) == NULL) {
        sweep_complain(reader, list, "\"trainer\" is empty: it names a program and its arguments");
        return;
    }
    if (json_type(list) != JSON_ARRAY) {
        sweep_complain_value(reader, list, "\"trainer\"",
                             "a list of the program and its arguments, such as "
                             "[\"python3\", \"train.py\", \"{config}\"]");
        return;
    }
    read_argv(reader, list);
}

bool sweep_uses_besom_trainer(const struct sweep *sweep) {
    const char *program = sweep->trainer[0], *slash = strrchr(program, '/');
    return strcmp(slash != NULL ? slash + 1 : program, "besom-trainer") == 0;
}

#include "runner/placeholder.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *const placeholder_words[PLACEHOLDER_WORDS] = {"config", "checkpoint_dir", "trial",
                                                          "seed"};

/* Its place among the words, PLACEHOLDER_WORDS when it is none. */
static int word_index(const char *name) {
    int w = 0;
    while (w < PLACEHOLDER_WORDS && strcmp(name, placeholder_words[w]) != 0) {
        w++;
    }
    return w;
}

bool placeholder_is_word(const char *name) {
    return word_index(name) < PLACEHOLDER_WORDS;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";

/* The length of the name in "{name}" at `text`; 0 when that is not what stands there. */
static size_t name_length(const char *text) {
    if (text[0] != '{' || text[1] == '\0' || strchr(letters, text[1]) == NULL) {
        return 0;
    }
    size_t len = strspn(text + 1, others);
    return text[1 + len] == '}' ? len : 0;
}

/* The same for "{{name}}". */
static size_t escaped_length(const char *text) {
    size_t len = text[0] == '{' ? name_length(text + 1) : 0;
    return len > 0 && text[len + 3] == '}' ? len : 0;
}

bool placeholder_next(const char **at, struct placeholder_piece *piece) {
    const char *start = *at;
    if (*start == '\0') {
        return false;
    }
    size_t escaped = escaped_length(start), name = name_length(start);
    if (escaped > 0) {
        *piece = (struct placeholder_piece){start + 1, escaped + 2, false};
        *at = start + escaped + 4;
    } else if (name > 0) {
        *piece = (struct placeholder_piece){start + 1, name, true};
        *at = start + name + 2;
    } else {
        const char *end = start + 1;
        while (*end != '\0' && escaped_length(end) == 0 && name_length(end) == 0) {
            end++;
        }
        *piece = (struct placeholder_piece){start, (size_t)(end - start), false};
        *at = end;
    }
    return true;
}

static int put_path(struct buf *out, const char *path, const struct cJSON *config,
                    struct err *err) {
    const struct cJSON *value = json_path_get(config, path);
    if (value == NULL) {
        return err_set(err, ERR_NOT_FOUND, "{%s}: the config has nothing there", path);
    }
    if (json_type(value) == JSON_STRING) {
        buf_puts(out, json_text(value));
    } else {
        json_print(out, value);
    }
    return ERR_OK;
}

int placeholder_expand(struct buf *out, const char *argument, const struct placeholder_trial *trial,
                       struct err *err) {
    const char *const words[PLACEHOLDER_WORDS] = {trial->config_file, trial->checkpoint_dir,
                                                  trial->trial, trial->seed};
    struct placeholder_piece piece;
    int rc = ERR_OK;
    while (rc == ERR_OK && placeholder_next(&argument, &piece)) {
        if (!piece.is_name) {
            buf_put(out, piece.start, piece.len);
            continue;
        }
        char *name = mem_printf("%.*s", (int)piece.len, piece.start);
        int w = word_index(name);
        if (w < PLACEHOLDER_WORDS) {
            buf_puts(out, words[w]);
        } else {
            rc = put_path(out, name, trial->config, err);
        }
        free(name);
    }
    return rc;
}

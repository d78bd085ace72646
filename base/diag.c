#include "base/diag.h"

#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void diag_add(struct diag *diag, const struct json_doc *doc, const struct cJSON *value,
              const char *fmt, ...) {
    if (diag->count++ >= DIAG_SHOWN_MAX) {
        return;
    }
    if (doc != NULL) {
        int line = 0, column = 0;
        if (value != NULL) {
            json_where(doc, value, &line, &column);
        }
        buf_puts(&diag->text, json_name(doc));
        if (line > 0) {
            buf_printf(&diag->text, ":%d:%d", line, column);
        }
        buf_puts(&diag->text, ": ");
    }
    char what[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args); // a longer complaint is cut
    va_end(args);
    for (char *c = what; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c; // one line, and no escape sequences
    }
    buf_printf(&diag->text, "%s\n", what);
}

void diag_finish(struct diag *diag) {
    if (diag->count > DIAG_SHOWN_MAX) {
        buf_printf(&diag->text, "and %d more\n", diag->count - DIAG_SHOWN_MAX);
    }
}

void diag_release(struct diag *diag) {
    buf_release(&diag->text);
    *diag = (struct diag){0};
}

static int min3(int a, int b, int c) {
    int least = a < b ? a : b;
    return least < c ? least : c;
}

enum { WORD_MAX = 63 }; // longer words are nobody's slip

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each 1. */
static int distance(const char *a, const char *b) {
    int la = (int)strlen(a), lb = (int)strlen(b);
    int d[WORD_MAX + 1][WORD_MAX + 1];
    for (int i = 0; i <= la; i++) {
        d[i][0] = i;
    }
    for (int j = 0; j <= lb; j++) {
        d[0][j] = j;
    }
    for (int i = 1; i <= la; i++) {
        for (int j = 1; j <= lb; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[la][lb];
}

const char *diag_nearest(const char *word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    int least = WORD_MAX;
    size_t len = strlen(word);
    for (size_t i = 0; i < count && len <= WORD_MAX; i++) {
        size_t longer = strlen(names[i]) > len ? strlen(names[i]) : len;
        if (longer > WORD_MAX) {
            continue;
        }
        int allowed = longer / 3 > 1 ? (int)(longer / 3) : 1;
        int d = distance(word, names[i]);
        if (d <= allowed && d < least) {
            least = d;
            nearest = names[i];
        }
    }
    return nearest;
}

void diag_suggest(struct buf *out, const char *word, const char *const *names, size_t count) {
    const char *nearest = diag_nearest(word, names, count);
    if (nearest != NULL) {
        buf_printf(out, "; did you mean \"%s\"?", nearest);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s", i == 0 ? "; known: " : ", ", names[i]);
    }
}

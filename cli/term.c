#include "cli/term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color; // what --color said

bool term_set_color(const char *when) {
    static const char *const words[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(when, words[i]) == 0) {
            color = i;
            return true;
        }
    }
    return false;
}

static bool is_dumb(void) {
    const char *term = getenv("TERM");
    return term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;
}

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static bool is_colored(FILE *stream) {
    if (color != COLOR_AUTO) {
        return color == COLOR_ALWAYS;
    }
    return isatty(fileno(stream)) && !is_set("NO_COLOR") && !is_dumb();
}

const char *term_style(FILE *stream, enum term_style style) {
    static const char *const codes[] = {
        [TERM_RESET] = "\033[0m",  [TERM_BOLD] = "\033[1m",     [TERM_DIM] = "\033[2m",
        [TERM_GREEN] = "\033[32m", [TERM_RED] = "\033[31m",     [TERM_YELLOW] = "\033[33m",
        [TERM_CYAN] = "\033[36m",  [TERM_MAGENTA] = "\033[35m", [TERM_BLUE] = "\033[94m",
    };
    return is_colored(stream) ? codes[style] : "";
}

bool term_animates(FILE *stream) {
    const char *ci = getenv("CI");
    return isatty(fileno(stream)) && !is_dumb() && !(ci != NULL && strcmp(ci, "true") == 0);
}

int term_width(FILE *stream) {
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

int term_height(FILE *stream) {
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
        return size.ws_row;
    }
    return 24;
}

/* Steps over a character; adds its columns. */
static size_t step(const char *text, size_t left, mbstate_t *state, int *columns) {
    wchar_t c;
    size_t len = mbrtowc(&c, text, left, state);
    if (len == 0 || len > left) { // a NUL, or no character of the locale: a byte
        *state = (mbstate_t){0};
        *columns += 1;
        return 1;
    }
    int width = wcwidth(c);
    *columns += width > 0 ? width : 0;
    return len;
}

size_t term_fit(const char *text, int columns) {
    size_t len = strlen(text), at = 0;
    mbstate_t state = {0};
    int used = 0;
    while (at < len) {
        size_t next = at + step(text + at, len - at, &state, &used);
        if (used > columns) {
            break;
        }
        at = next;
    }
    return at;
}

int term_columns(const char *text) {
    size_t len = strlen(text);
    mbstate_t state = {0};
    int columns = 0;
    for (size_t at = 0; at < len;) {
        at += step(text + at, len - at, &state, &columns);
    }
    return columns;
}

const char *term_duration(char out[32], double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) {
        return strcpy(out, "?");
    }
    long s = lround(seconds);
    if (s >= 3600) {
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
    }
    return out;
}

#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *special(double value) {
    return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

size_t num_format(char out[NUM_TEXT_MAX], double value) {
    if (!isfinite(value)) {
        return (size_t)snprintf(out, NUM_TEXT_MAX, "%s", special(value));
    }
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, NUM_TEXT_MAX, "%.*g", digits, value);
        if (num_same_bits(strtod(out, NULL), value)) {
            break; // %.17g always comes back
        }
    }
    return (size_t)len;
}

size_t num_human(char out[NUM_TEXT_MAX], double value, int digits) {
    if (!isfinite(value)) {
        return (size_t)snprintf(out, NUM_TEXT_MAX, "%s", special(value));
    }
    return (size_t)snprintf(out, NUM_TEXT_MAX, "%.*g", digits, value);
}

size_t num_steady(char out[NUM_TEXT_MAX], double value, int digits) {
    if (!isfinite(value)) {
        return (size_t)snprintf(out, NUM_TEXT_MAX, "%s", special(value));
    }
    if (fabs(value) >= 0.001 && fabs(value) < 1) {
        return (size_t)snprintf(out, NUM_TEXT_MAX, "%.*f", digits, value);
    }
    size_t len = (size_t)snprintf(out, NUM_TEXT_MAX, "%#.*g", digits, value);
    if (out[len - 1] == '.') { // "1234.": the # makes it
        out[--len] = '\0';
    }
    return len;
}

bool num_parse(const char *text, double *value) {
    static const struct {
        const char *text;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].text) == 0) {
            *value = words[i].value;
            return true;
        }
    }
    // strtod() also takes leading blanks, hexadecimal and spelled-out infinities
    if (strspn(text, "0123456789+-.eE") != strlen(text) || text[0] == '\0') {
        return false;
    }
    char *end;
    double parsed = strtod(text, &end);
    if (*end != '\0' || !isfinite(parsed)) {
        return false;
    }
    *value = parsed;
    return true;
}

bool num_parse_int(const char *text, int64_t min, int64_t max, int64_t *value) {
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits)) {
        return false;
    }
    errno = 0;
    long long parsed = strtoll(text, NULL, 10);
    if (errno == ERANGE || parsed < min || parsed > max) {
        return false;
    }
    *value = parsed;
    return true;
}

bool num_same_bits(double a, double b) {
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

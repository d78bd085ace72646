#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct err *err) {
    memcpy(err->msg + sizeof err->msg - 4, "...", 4);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...) {
    assert(code < 0);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    if (len >= (int)sizeof err->msg) {
        mark_cut(err);
    }
    err->code = code;
    return code;
}

static enum err_code code_of(int errno_value) {
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERR_EXHAUSTED;
    default:
        return ERR_IO;
    }
}

int err_io(struct err *err, int errno_value, const char *fmt, ...) {
    char what[sizeof err->msg];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args); // cut: err_set() marks it
    va_end(args);
    return err_set(err, code_of(errno_value), "%s: %s", what, strerror(errno_value));
}

int err_wrap(struct err *err, const char *fmt, ...) {
    assert(err->code < 0); // there is an error to explain
    char cause[sizeof err->msg];
    memcpy(cause, err->msg, sizeof cause);

    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    size_t used = len < 0 ? 0 : (size_t)len;
    if (used >= sizeof err->msg || (size_t)snprintf(err->msg + used, sizeof err->msg - used, ": %s",
                                                    cause) >= sizeof err->msg - used) {
        mark_cut(err);
    }
    return err->code;
}

const char *err_name(int code) {
    switch (code) {
    case ERR_OK:
        return "ERR_OK";
#define X(name, value)                                                                             \
    case ERR_##name:                                                                               \
        return "ERR_" #name;
        ERR_MAP(X)
#undef X
    default:
        return "ERR_?";
    }
}

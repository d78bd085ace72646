/* base/err.h - how a function says what went wrong.
 *
 * A function that can fail returns 0 or a negative ERR_* code and takes `struct err *err` last.
 * The function that meets the failure calls err_set(); a caller that knows what was being attempted
 * puts it in front with err_wrap().  So the text reads from the intention down to the cause:
 *
 *     save trial 7: open besom-out/trials/5f1c/.cp-0005.tmp: No space left on device
 *
 * Outputs are written on success only.  Library code never prints and never exits: main() prints.
 * Broken invariants are asserted, not reported here.  The caller owns the struct, usually on its
 * stack; there is no global error state. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MAP(X)                                                                                 \
    X(IO, -1)         /* a system call failed; the message ends in its strerror() */               \
    X(PARSE, -2)      /* input is not well formed */                                               \
    X(RANGE, -3)      /* a value is outside its allowed range, or of the wrong type */             \
    X(NOT_FOUND, -4)  /* no such item */                                                           \
    X(CORRUPT, -5)    /* stored data fails its checks */                                           \
    X(BUSY, -6)       /* somebody else holds the thing */                                          \
    X(VERSION, -7)    /* written by another application, or by a newer version of this one */      \
    X(DIVERGED, -8)   /* the arithmetic left the finite numbers */                                 \
    X(FULL, -9)       /* no space left; trying again later can succeed */                          \
    X(DIFFERS, -10)   /* what was recomputed differs from what was stored */                       \
    X(EXHAUSTED, -11) /* out of processes, descriptors or memory; later there may be some */

enum err_code {
    ERR_OK = 0,
#define X(name, value) ERR_##name = (value),
    ERR_MAP(X)
#undef X
};

struct err {
    enum err_code code;
    char msg[1024]; // NUL terminated; text that did not fit ends in "..."
};

/* Records `code` and a message.  Returns `code`, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set() with ": <strerror(errno_value)>" at the end.  The code says whether trying again can help:
 * ERR_FULL (ENOSPC, EDQUOT), ERR_EXHAUSTED (EAGAIN, EMFILE, ENFILE, ENOMEM), else ERR_IO. */
int err_io(struct err *err, int errno_value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the recorded message.  Returns the recorded code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "ERR_IO" for ERR_IO.  Static storage. */
const char *err_name(int code);

#endif

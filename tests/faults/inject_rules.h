/* tests/faults/inject_rules.h - which calls of a program go wrong, and how; told by its environment.
 *
 * BESOM_INJECT holds up to INJECT_RULE_MAX rules, one a line, of six fields:
 *
 *     PROGRAM TAB CALL TAB PATTERN TAB WHEN TAB NTH TAB ACTION
 *
 *     PROGRAM  the base name of the executable, "*": any
 *     CALL     a name of INJECT_CALL_MAP
 *     PATTERN  what the path that the call is about must match, '*' being any characters; of "say" what is said
 *     WHEN     before, after (a call that succeeded)
 *     NTH      the how manieth such call, over all processes: "3"; "3+" is that one and all that follow
 *     ACTION   kill           SIGKILL of this process
 *              kill-runner    of the runner, then of this process
 *              cut            the power of the file system BESOM_INJECT_FS, and then kill-runner; before it, the
 *                             length of BESOM_INJECT_LINES is noted: what was shown before the cut
 *              tear           half of what is written is, then kill
 *              skip           nothing is done, and success returned
 *              ERRNO          fails with it: ENOMEM, EIO, ...
 *
 * BESOM_INJECT_STATE is a file of INJECT_STATE_LEN bytes that all processes map; it outlives them and says
 * how often each rule was met and fired.
 *
 * Counting begins when the program does: what its libraries do while they are loaded is not counted. */
#ifndef TESTS_FAULTS_INJECT_RULES_H
#define TESTS_FAULTS_INJECT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each stands for the whole family: open for openat and open64, malloc for calloc, realloc and so on.  "say" is a write
 * of a line to stdout by stdio, which calls no write() that could be caught. */
#define INJECT_CALL_MAP(X)                                                                         \
    X(open)                                                                                        \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(close)                                                                                       \
    X(fsync)                                                                                       \
    X(fdatasync)                                                                                   \
    X(ftruncate)                                                                                   \
    X(rename)                                                                                      \
    X(unlink)                                                                                      \
    X(mkdir)                                                                                       \
    X(flock)                                                                                       \
    X(mmap)                                                                                        \
    X(malloc)                                                                                      \
    X(pipe)                                                                                        \
    X(fork)                                                                                        \
    X(thread)                                                                                      \
    X(say)

enum inject_call {
#define X(name) INJECT_##name,
    INJECT_CALL_MAP(X)
#undef X
        INJECT_CALL_COUNT
};

enum { INJECT_RULE_MAX = 96, INJECT_STATE_LEN = 4096, INJECT_PATH_MAX = 4096 };

_Static_assert(INJECT_RULE_MAX <= 128, "a rule is a bit of inject_shot.after");

/* The mapped file: 64-bit numbers in the machine's order. */
struct inject_state {
    _Atomic uint64_t met[INJECT_RULE_MAX], fired[INJECT_RULE_MAX];
    _Atomic uint64_t lines_len; // when the power was cut
};

/* What is to become of a call that was met. */
struct inject_shot {
    bool instead; // it is not made: it fails with `error`, or with 0 succeeds
    bool torn;    // half of it is written, then inject_fire() is called
    int error;
    unsigned __int128 after; // a bit for each rule that is about calls that have succeeded
};

/* Whether any rule is about this call: when not, its path need not be found out. */
bool inject_wants(enum inject_call call);

/* Counts the call, and does what is to be done before it, which may be the end of the process. */
struct inject_shot inject_meet(enum inject_call call, const char *subject);
void inject_fire(const struct inject_shot *shot); // what is to be done after it

#endif

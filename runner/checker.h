/* runner/checker.h - a process that says whether configs can be trained: `besom-trainer check`.
 *
 *     runner                                  checker
 *       | -- a config a line ----- socket -----> | stdin
 *       | <-- an answer a line --- pipe -------- | stdout     in the order of the configs
 *       | <-- what it complains -- pipe -------- | stderr     its end is put into our errors
 *
 * The caller keeps a bounded number of configs under way: checker_put() only queues, checker_get()
 * moves bytes in both directions at once until an answer is there, so that neither side ever waits for
 * the other with a full pipe.
 *
 * Invariants
 *   1. Memory is bounded: by CHECKER_ANSWER_MAX, CHECKER_TAIL_MAX and what the caller has under way.
 *   2. The process ends with the runner: its stdin closes, and it is killed by its parent's death.
 *   3. No signal is raised here when it dies (its stdin is a socket, written with MSG_NOSIGNAL). */
#ifndef RUNNER_CHECKER_H
#define RUNNER_CHECKER_H

#include <stdbool.h>

struct cJSON;
struct checker;
struct err;
struct json_doc;

enum {
    CHECKER_ANSWER_MAX = 4 << 20, // bytes of a line
    CHECKER_TAIL_MAX = 400,       // bytes of its last words on stderr
    CHECKER_SILENCE_MS =
        600000, // no byte for so long: it hangs.  The first answer may decode a data set
};

/* Starts argv[0], a file's path, with its arguments.  Main thread only: the child dies with the thread
 * that made it.  ERR_IO when it cannot be started. */
int checker_open(struct checker **checker, char *const argv[], int silence_ms, struct err *err);

/* Queues a config. */
void checker_put(struct checker *checker, const struct cJSON *config);

/* The next answer, an object with a boolean "ok"; the caller json_free()s it.  ERR_PARSE when the
 * process died, hangs, or answered something else; the message has its last words. */
int checker_get(struct checker *checker, struct json_doc **answer, struct err *err);

/* Ends the process, by force where needed.  NULL is fine. */
void checker_close(struct checker *checker);

#endif

/* What a run waits for, and who is told.
 *
 * Several may wait for the same at once: the ledger, slots that want to start a trainer, trainers that want to save.
 * The user is told when the first begins to and when the last has ended. */
#include "base/mem.h"
#include "runner/run_internal.h"

#include <stdlib.h>

static const struct {
    const char *brief; // for the live view
    const char *begin; // %s: the folder, or what was met
    const char *end;   // %s: the folder
} words[RUN_WAIT_COUNT] = {
    [RUN_WAIT_ROOM] =
        {"disk full",
         "no space left on the disk of %s: paused; goes on by itself when there is room, "
         "Ctrl-C to stop",
         "there is room again on the disk of %s: going on"},
    [RUN_WAIT_LOCK] = {"results.db is locked",
                       "%s: paused; goes on by itself when it is free, Ctrl-C to stop",
                       "%s/results.db is free again: going on"},
    [RUN_WAIT_RESOURCES] = {"no trainer can be started",
                            "%s: paused; tries again by itself, Ctrl-C to stop",
                            "trainers can be started again: going on"},
};

static const char *brief_of_waits(const struct run *run) {
    for (int i = 0; i < RUN_WAIT_COUNT; i++) {
        if (run->waits[i] > 0) {
            return words[i].brief;
        }
    }
    return NULL;
}

static char *phrase(const char *format, const char *word) {
    // The formats are ours, above.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return mem_printf(format, word);
#pragma GCC diagnostic pop
}

char *run_room_words(const char *out_dir, bool is_over) {
    return phrase(is_over ? words[RUN_WAIT_ROOM].end : words[RUN_WAIT_ROOM].begin, out_dir);
}

static void tell(struct run *run, enum run_event_kind kind, const char *format, const char *word) {
    char *message = phrase(format, word);
    run->view.waiting = brief_of_waits(run);
    run_emit(run, &(struct run_event){.kind = kind, .message = message});
    free(message);
}

void run_wait_begin(struct run *run, enum run_wait what, const char *met) {
    if (run->waits[what]++ == 0) {
        tell(run, RUN_PAUSED, words[what].begin,
             what == RUN_WAIT_ROOM ? run->options->out_dir : met);
    }
}

void run_wait_end(struct run *run, enum run_wait what) {
    if (--run->waits[what] == 0 && !run->failed) { // else nothing goes on
        tell(run, RUN_RESUMED, words[what].end, run->options->out_dir);
    }
}

/* Computing as a training began, for the commands that repeat some of it. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "trainer/commands.h"
#include "trainer/numerics.h"
#include "trainer/origin.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

/* Holds our process id when the program was executed again for its numerics. */
static const char AGAIN[] = "BESOM_TRAINER_AGAIN";

static bool is_executed_again(void) {
    const char *value = getenv(AGAIN);
    bool again = value != NULL && strtol(value, NULL, 10) == (long)getpid();
    (void)unsetenv(AGAIN); // whoever else left it there did not mean us
    if (again) {
        (void)prctl(PR_SET_NAME, "besom-trainer"); // else ps would say "exe"
    }
    return again;
}

/* Returns only when it fails. */
static void execute_again(const char *const words[]) {
    char *argv[WORDS_MAX + 1] = {NULL};
    for (int i = 0; words[i] != NULL; i++) {
        assert(i < WORDS_MAX);
        argv[i] = mem_strdup(words[i]);
    }
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    (void)setenv(AGAIN, pid, 1);         // out of memory: it would fail likewise there
    (void)execv("/proc/self/exe", argv); // this very program, also when its file was replaced
    (void)fprintf(stderr, "besom-trainer: execute it again: %s\n", strerror(errno)); // a note
    (void)unsetenv(AGAIN);
    for (int i = 0; argv[i] != NULL; i++) {
        free(argv[i]);
    }
}

/* Says what the training began with, and what it `goes` on with. */
static void tell(const struct origin *origin, const char *goes, const char *obstacles) {
    struct buf text = {0};
    buf_puts(&text, "besom-trainer: this training began with ");
    numerics_print(&text, &origin->numerics);
    if (*obstacles != '\0') {
        buf_printf(&text, " and %s with ", goes);
        numerics_describe(&text);
        buf_printf(&text, ", so its bits may differ: %s", obstacles);
    } else {
        buf_printf(&text, " and %s with it, other than this machine would choose now", goes);
    }
    (void)fprintf(stderr, "%s\n", buf_text(&text)); // a note
    buf_release(&text);
}

enum command_numerics command_compute_as_begun(const char *dir, const char *trial, const char *goes,
                                               const char *const words[]) {
    struct origin origin;
    struct err err;
    bool again = is_executed_again();
    if (origin_load(&origin, dir, &err) != ERR_OK || strcmp(origin.trial, trial) != 0) {
        return COMMAND_NUMERICS_UNKNOWN;
    }
    struct buf obstacles = {0};
    enum numerics_adopted adopted = numerics_adopt(&origin.numerics, again, &obstacles);
    if (adopted == NUMERICS_AGAIN) {
        execute_again(words);
        buf_puts(&obstacles, "it could not be executed again");
        adopted = NUMERICS_OTHER;
    }
    if (adopted != NUMERICS_SAME || again) {
        tell(&origin, goes, adopted == NUMERICS_OTHER ? buf_text(&obstacles) : "");
    }
    buf_release(&obstacles);
    return adopted == NUMERICS_OTHER ? COMMAND_NUMERICS_OTHER : COMMAND_NUMERICS_BEGUN;
}

#include "cli/room_wait.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "runner/ledger.h"
#include "runner/room.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* Leaves as a run does that was stopped, with 128 + the signal, and not by the signal.  Only what a handler may do. */
static void leave(int number) {
    static const char words[] = "stopped.  Nothing is lost; the same command goes on.\n";
    (void)!write(STDERR_FILENO, words, sizeof words - 1); // nowhere else to tell
    _exit(EXIT_SIGNAL + number);
}

/* Those that are ignored stay so: nohup means it. */
static void catch_signals(struct sigaction before[NUMBERS]) {
    struct sigaction action = {.sa_handler = leave};
    (void)sigfillset(&action.sa_mask); // these all succeed: the signals exist and can be caught
    for (int i = 0; i < NUMBERS; i++) {
        (void)sigaction(numbers[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN || numbers[i] == SIGTERM) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

static void let_signals_go(const struct sigaction before[NUMBERS]) {
    for (int i = 0; i < NUMBERS; i++) {
        (void)sigaction(numbers[i], &before[i], NULL); // was in force before
    }
}

/* By the voice that speaks of the run: no picture, of what nothing is known yet. */
static void tell(const char *out_dir, enum live_voice voice, bool is_over) {
    char *words = run_room_words(out_dir, is_over);
    struct live live = {.voice = voice == LIVE_JSON ? LIVE_JSON : LIVE_PLAIN};
    const struct run_view nothing = {0};
    live_observe(&live,
                 &(struct run_event){.kind = is_over ? RUN_RESUMED : RUN_PAUSED, .message = words},
                 &nothing);
    free(words);
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void pause_for(int64_t ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL); // cut short by a signal: looks again sooner
}

int room_wait(const char *out_dir, enum live_voice voice, room_step_fn *step, void *context,
              struct err *err) {
    int64_t pause_ms = LEDGER_RETRY_MS;
    bool waits = false;
    struct sigaction before[NUMBERS];
    int rc;
    for (;;) {
        int64_t start_ms = now_ms();
        rc = step(context, err);
        if (rc != ERR_FULL) {
            break;
        }
        if (!waits) {
            waits = true;
            catch_signals(before);
            tell(out_dir, voice, false);
        }
        // A try may check a large file, or write until the disk is full: no more than every other second goes to that.
        int64_t took_ms = now_ms() - start_ms;
        do {
            pause_for(took_ms > pause_ms ? took_ms : pause_ms);
        } while (room_is_none(out_dir));
        pause_ms = pause_ms < LEDGER_RETRY_MAX_MS ? 2 * pause_ms : LEDGER_RETRY_MAX_MS;
    }
    if (waits) {
        let_signals_go(before);
        if (rc == ERR_OK) {
            tell(out_dir, voice, true);
        }
    }
    return rc;
}

/* The runner's own signals. */
#include "runner/run_internal.h"

#include <signal.h>

/* Workers are stopped first, so that nothing runs while we do not; the time does not count. */
static void pause_all(struct run *run) {
    uint64_t begin_ns = uv_hrtime();
    for (int i = 0; i < run->slot_count; i++) {
        slot_signal(&run->slots[i], SIGTSTP);
    }
    (void)raise(SIGSTOP); // comes back when somebody continues us
    run->paused_ns += uv_hrtime() - begin_ns;
    uv_update_time(&run->loop);
    if (uv_is_active((uv_handle_t *)&run->grace)) {
        (void)uv_timer_again(&run->grace); // workers have had no time to leave; it repeats
    }
    for (int i = 0; i < run->slot_count; i++) {
        slot_signal(&run->slots[i], SIGCONT);
    }
}

static void on_signal(uv_signal_t *handle, int number) {
    struct run *run = handle->data;
    switch (number) {
    case SIGUSR1:
        run_emit(run, &(struct run_event){.kind = RUN_STATUS});
        break;
    case SIGTSTP:
        pause_all(run);
        break;
    case SIGINT:
        if (run->signal != 0) {
            run_kill(run);
            break;
        }
        run_stop(run, number, "Ctrl-C again to kill");
        break;
    case SIGTERM:
        // After its own kind it says nothing new: schedulers send it to the group and to each process.
        if (run->signal == SIGINT) {
            run_kill(run);
            break;
        }
        run_stop(run, number, "SIGTERM");
        break;
    default:
        run_stop(run, number, "SIGHUP");
        break;
    }
}

/* nohup and a shell's background jobs have them ignored, and mean it. */
static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void run_signals_init(struct run *run) {
    for (int i = 0; i < RUN_SIGNALS; i++) {
        (void)uv_signal_init(&run->loop, &run->signals[i]); // the loop has one already: succeeds
        run->signals[i].data = run;
    }
}

int run_signals_start(struct run *run, struct err *err) {
    static const int numbers[RUN_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGUSR1};
    int rc = 0;
    for (int i = 0; i < RUN_SIGNALS && rc == 0; i++) {
        if (!is_ignored(numbers[i]) || numbers[i] == SIGTERM) {
            rc = uv_signal_start(&run->signals[i], on_signal, numbers[i]);
        }
    }
    return rc == 0 ? ERR_OK : err_io(err, -rc, "catch signals"); // libuv negates errno
}

void run_signals_close(struct run *run) {
    for (int i = 0; i < RUN_SIGNALS; i++) {
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    }
}

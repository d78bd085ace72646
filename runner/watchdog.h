/* runner/watchdog.h - the clocks of an attempt, and the ladder that an overdue one is sent down.
 *
 *     WAITING -- no epoch for epoch_s, or trial_s used up --> ASKED -- grace_s --> KILLED -- WATCHDOG_KILL_S
 *        ^                                                                                     | --> GIVEN_UP
 *        +-- an epoch record --+ (only while WAITING: what is on the ladder stays there)
 *
 * Times are nanoseconds of a clock that the caller reads, one that stands still while the runner cannot look
 * (run_watch_clock()).  While the attempt is held, all of them stand still, the ladder's too.
 *
 * No I/O and no process: the caller does what watchdog_check() answers. */
#ifndef RUNNER_WATCHDOG_H
#define RUNNER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

enum { WATCHDOG_KILL_S = 15 }; // for the shim to have killed all, before it is killed itself

/* Seconds; 0: no limit.  Of a sweep, the same for all of its trials. */
struct watchdog_limits {
    double epoch_s; // without an epoch record
    double trial_s; // that the attempts at a trial run together
    double grace_s; // to save and leave after SIGTERM; a limit also when it is 0
};

enum watchdog_cause { WATCHDOG_NONE, WATCHDOG_HANG, WATCHDOG_TIMEOUT };

/* What is to be done now, told once each. */
enum watchdog_step {
    WATCHDOG_WAIT,     // nothing
    WATCHDOG_ASK,      // ask it to save and leave
    WATCHDOG_KILL,     // kill everything below the shim
    WATCHDOG_KILL_SHIM // it has not managed that
};

struct watchdog {
    struct watchdog_limits limits;
    double ran_before_s; // in earlier attempts
    uint64_t start_ns, mark_ns, step_ns, held_since_ns;
    bool running, held;
    enum watchdog_cause cause;
    enum watchdog_step step; // the last that was told
};

/* An attempt begins: none of its process yet when trial_s is used up already, which `cause` then says. */
void watchdog_begin(struct watchdog *watchdog, const struct watchdog_limits *limits,
                    double ran_before_s, uint64_t now_ns);

/* An epoch record came. */
void watchdog_progress(struct watchdog *watchdog, uint64_t now_ns);

/* The runner holds the attempt up (it does not read what is printed, say); it goes on.  Not nested: a second
 * call changes nothing. */
void watchdog_hold(struct watchdog *watchdog, uint64_t now_ns);
void watchdog_go_on(struct watchdog *watchdog, uint64_t now_ns);

enum watchdog_step watchdog_check(struct watchdog *watchdog, uint64_t now_ns);

/* The process has ended: nothing more comes of watchdog_check(), and the seconds stand. */
void watchdog_end(struct watchdog *watchdog, uint64_t now_ns);

/* Seconds that this attempt has run; 0 before it began. */
double watchdog_ran_s(const struct watchdog *watchdog, uint64_t now_ns);

#endif

#include "runner/check_plan.h"

#include "base/rng.h"

/* The moments that matter, in turn.  The first change of a save empties or makes a file, the last one as a rule
 * puts it in place. */
enum moment { FIRST_CHANGE, LAST_CHANGE, SECOND_CHANGE, ANY_CHANGE, LINE };
static const enum moment moments[] = {FIRST_CHANGE, LAST_CHANGE, SECOND_CHANGE, LINE,
                                      FIRST_CHANGE, LAST_CHANGE, ANY_CHANGE};
enum { MOMENTS = sizeof moments / sizeof *moments };

enum { LOST_FIRST = 4, LOST_EVERY = 6 }; // rounds 4, 10, 16, ...

enum check_round check_plan_round(int round, int rounds, bool can_extend) {
    if (round == 2 || (round == rounds && rounds >= 8)) {
        return CHECK_ROUND_TERM;
    }
    if (round % LOST_EVERY == LOST_FIRST) {
        return CHECK_ROUND_LOST;
    }
    return round == 3 && can_extend ? CHECK_ROUND_EXTEND : CHECK_ROUND_KILL;
}

/* What is left after `done` epochs takes at most so long, getting ready included. */
static double seconds_left(const struct check_profile *p, int done) {
    int known = done < p->epochs ? done : p->epochs;
    double left = p->seconds - p->told_s[known];
    return (known > 0 ? p->told_s[1] : 0.0) + (left > 0.0 ? left : 0.0);
}

static struct check_stop at_time(const struct check_profile *p, struct rng *rng, int done) {
    return (struct check_stop){.kind = CHECK_AT_TIME,
                               .after_s = (double)rng_uniform(rng) * seconds_left(p, done)};
}

/* A line that is new: of the epochs that are left. */
static struct check_stop at_line(const struct check_profile *p, struct rng *rng, int done) {
    int left = p->epochs - done;
    return (struct check_stop){.kind = CHECK_AT_LINE,
                               .epoch = done + 1 + (int)rng_below(rng, (uint32_t)left)};
}

static int which_change(enum moment moment, int changes, struct rng *rng) {
    switch (moment) {
    case FIRST_CHANGE:
        return 1;
    case LAST_CHANGE:
        return changes;
    case SECOND_CHANGE:
        return changes < 2 ? changes : 2;
    default:
        return 1 + (int)rng_below(rng, (uint32_t)changes);
    }
}

/* A change after one of the epochs from `from` on that have any; none at all: a line. */
static struct check_stop at_change(const struct check_profile *p, struct rng *rng,
                                   enum moment moment, int from, int done) {
    int candidates = 0, epoch = done;
    for (int e = from; e <= p->epochs; e++) {
        if (p->changes[e] > 0 && rng_below(rng, (uint32_t)++candidates) == 0) {
            epoch = e; // each stays with the same probability
        }
    }
    if (candidates == 0) {
        return at_line(p, rng, done);
    }
    return (struct check_stop){.kind = CHECK_AT_CHANGE,
                               .epoch = epoch,
                               .change = which_change(moment, p->changes[epoch], rng)};
}

struct check_stop check_plan_stop(const struct check_profile *profile, uint64_t seed, int round,
                                  enum check_round kind, int attempt, int done) {
    if (kind == CHECK_ROUND_EXTEND || attempt > CHECK_KILLS) {
        return (struct check_stop){.kind = CHECK_GO_ON};
    }
    struct rng rng;
    rng_init(&rng, seed, RNG_CHECK, (uint32_t)round, (uint32_t)attempt);
    if (done >= profile->epochs) {
        return at_time(profile, &rng, done);
    }
    if (kind == CHECK_ROUND_TERM) {
        return attempt % 2 == 1 ? at_line(profile, &rng, done) : at_time(profile, &rng, done);
    }
    if (kind == CHECK_ROUND_LOST) {
        return at_change(profile, &rng, LAST_CHANGE, done + 1, done);
    }
    int lost = (round + LOST_EVERY - LOST_FIRST - 1) / LOST_EVERY;
    int before = round <= 3 ? 0 : round - 3 - lost; // rounds of kills
    int ordinal = before * CHECK_KILLS + attempt - 1;
    if (ordinal % 2 == 1) {
        return at_time(profile, &rng, done);
    }
    enum moment moment = moments[ordinal / 2 % MOMENTS];
    return moment == LINE ? at_line(profile, &rng, done)
                          : at_change(profile, &rng, moment, done, done);
}

/* A round of kills takes two trainings or so, and 20 seconds are seconds. */
int check_plan_count(double seconds) {
    double count = 20.0 / (2.0 * seconds + 0.01);
    return count < CHECK_ROUNDS_MIN   ? CHECK_ROUNDS_MIN
           : count > CHECK_ROUNDS_MAX ? CHECK_ROUNDS_MAX
                                      : (int)count;
}

double check_plan_seconds(const struct check_profile *profile, int rounds) {
    double ready = profile->epochs > 0 ? profile->told_s[1] : profile->seconds;
    return rounds * (1.5 * profile->seconds + 2.0 * ready);
}

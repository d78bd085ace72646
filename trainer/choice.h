/* trainer/choice.h - which kernels to compute with, where the widest vectors may not be the fastest.
 *
 *     BESOM_KERNELS names a set                     that one
 *     the processor runs x86-64-v4                  measured once: x86-64-v4, or x86-64-v3 where v4 takes
 *                                                   more than CHOICE_MARGIN percent longer
 *     else                                          the widest set that it runs
 *
 * Sets differ in their last bits, so one machine must never choose now this one and now that:
 *   1. What was measured is kept in a file, and the file decides from then on.  Who finds none takes a lock, looks
 *      again, measures, writes it: of many that start at one instant one measures, and the first file stays.
 *   2. There are two places for it, the cache folder that the trainer was given (of a sweep: the one in its folder) and
 *      the user's.  The first one decides; one that has no file gets that of the user's.  So the trials of a folder agree
 *      even when the user's cache is cleared, and folders agree with each other.
 *   3. What cannot be kept does not count: x86-64-v4, unmeasured.
 *   4. Where both are about as fast, as on most processors, the margin is more than measuring errs by: 3%, and 6% at
 *      most, on a crowded machine (trainer/kernels/race.h).  So even a machine that lost its files finds the same, unless
 *      its v4 is slower by just about the margin.
 * A training that goes on does not ask: it computes as it began (trainer/numerics.h).
 *
 * The file, kernels-XXXXXXXX.json with a hash of processor and program in its name:
 *     {"program": "besom-trainer 0.1.0", "processor": "AuthenticAMD 25 17 1 AMD EPYC", "kernels": "x86-64-v4",
 *      "ns": {"x86-64-v4": 1210034, "x86-64-v3": 1312240}, "check": <hash of the rest>}
 * A file that is not, byte for byte, what would be written for its two times is none: damaged, or of another processor
 * or program.  It is measured anew, and replaced.
 *
 * OpenBLAS chooses its code for the processor by itself, by the processor's name, when it is loaded.  It is not
 * measured: only dense layers of more than 256 samples use it, and another choice takes another process.
 * Both choices are recorded, side by side, with each attempt. */
#ifndef TRAINER_CHOICE_H
#define TRAINER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct kernels;

enum { CHOICE_MARGIN = 10 };

/* Nanoseconds over the same course. */
struct choice_times {
    int64_t wide, narrow;
};

enum choice_how {
    CHOICE_FORCED,     // BESOM_KERNELS
    CHOICE_ONLY,       // there is nothing to choose between
    CHOICE_MEASURED,   // by `times`
    CHOICE_UNMEASURED, // nothing is kept, or can be
};

struct choice {
    const struct kernels *set;
    enum choice_how how;
    struct choice_times times; // CHOICE_MEASURED
};

/* Chooses, and measures where that is due.  `dirs`: the folders that may hold the file, the one that decides
 * first; made if absent.  `program`: with its version.  Cannot fail.  Cost: a small file is read; measured, 20 ms. */
void choice_settle(struct choice *out, const char *program, const char *const dirs[], int count);

/* As choice_settle() would by what is kept: measures nothing and writes nothing. */
void choice_look(struct choice *out, const char *program, const char *const dirs[], int count);

/* One line for people, without a newline: how it was chosen. */
void choice_describe(struct buf *out, const struct choice *choice);

/* ---- its parts, for tests ---- */

/* Two sets to choose between. */
struct choice_rivals {
    const struct kernels *wide, *narrow; // other vectors, other speed
    const char *program, *processor;
    void (*measure)(const struct kernels *const sets[2], int64_t ns[2]); // as kernels_race()
};

/* Whether the narrow set is to be taken. */
bool choice_is_narrow(const struct choice_times *times);

/* The times that are kept in the first of the folders, after choice_settle() or choice_look(); false: none. */
bool choice_keep(const struct choice_rivals *rivals, const char *const dirs[], int count,
                 struct choice_times *times);
bool choice_kept(const struct choice_rivals *rivals, const char *const dirs[], int count,
                 struct choice_times *times);

/* The path of the file in `dir`, on the heap. */
char *choice_path(const struct choice_rivals *rivals, const char *dir);

/* The processor's maker, family, model, stepping and name, of the text of /proc/cpuinfo; "" where it does not say. */
void choice_processor(struct buf *out, const char *cpuinfo);

#endif

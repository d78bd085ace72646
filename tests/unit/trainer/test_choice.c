/* Which kernels are chosen: by the times, by what is kept, by one of many that ask at once. */
#include "trainer/choice.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/race.h"

// cmocka.h wants these four before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64], first[96], second[96];

static int set_up(void **state) {
    (void)state;
    strcpy(root, "/tmp/choice-XXXXXX");
    bool made = mkdtemp(root) != NULL;
    (void)snprintf(first, sizeof first, "%s/trials/cache", root); // neither is there yet
    (void)snprintf(second, sizeof second, "%s/home/cache", root);
    return !made;
}

static int tear_down(void **state) {
    (void)state;
    char command[192];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

/* ---- a measuring that says what it is told, and how often it was asked ---- */

static int64_t told_wide, told_narrow;
static int *asked; // shared with children

static void tell(const struct kernels *const sets[2], int64_t ns[2]) {
    assert_string_equal(sets[0]->name, "x86-64-v4");
    assert_string_equal(sets[1]->name, "x86-64-v3");
    (void)__atomic_add_fetch(asked, 1, __ATOMIC_SEQ_CST);
    (void)usleep(2000); // as long as others need to come, too
    ns[0] = told_wide;
    ns[1] = told_narrow;
}

static const struct kernels wide = {.name = "x86-64-v4"}, narrow = {.name = "x86-64-v3"};
static const struct choice_rivals rivals = {&wide, &narrow, "besom-trainer 1.2.3",
                                            "Maker 25 17 1 \"Name\" of it", tell};

static void begin(int64_t wide_ns, int64_t narrow_ns) {
    told_wide = wide_ns;
    told_narrow = narrow_ns;
    *asked = 0;
}

/* What is kept in `dirs` is these times; they were measured `times_asked` times since begin(). */
static void keeps(const char *const dirs[], int count, int64_t wide_ns, int64_t narrow_ns,
                  int times_asked) {
    struct choice_times times = {0};
    assert_true(choice_keep(&rivals, dirs, count, &times));
    assert_int_equal(times.wide, wide_ns);
    assert_int_equal(times.narrow, narrow_ns);
    assert_int_equal(*asked, times_asked);
}

/* ---- tests ---- */

static void the_narrow_set_is_taken_where_it_is_clearly_faster(void **state) {
    (void)state;
    static const struct {
        struct choice_times times;
        bool is_narrow;
    } cases[] = {
        {{1000, 1000}, false},         {{500, 1000}, false},           {{1090, 1000}, false},
        {{1100, 1000}, false}, // exactly the margin is not more than it
        {{1101, 1000}, true},          {{2000, 1000}, true},           {{1, 1}, false},
        {{INT64_C(1) << 50, 1}, true}, {{1, INT64_C(1) << 50}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (choice_is_narrow(&cases[i].times) != cases[i].is_narrow) {
            fail_msg("%lld and %lld ns", (long long)cases[i].times.wide,
                     (long long)cases[i].times.narrow);
        }
    }
}

static void it_is_measured_once_and_kept(void **state) {
    (void)state;
    const char *const dirs[] = {first, second};
    begin(1200, 1000);
    struct choice_times times = {7, 7};
    assert_false(choice_kept(&rivals, dirs, 2, &times));
    assert_int_equal(times.wide, 7);
    assert_int_equal(access(first, F_OK) == 0 || access(second, F_OK) == 0, 0); // looking made none
    keeps(dirs, 2, 1200, 1000, 1);
    begin(1000, 1200); // the other way round: nobody asks
    keeps(dirs, 2, 1200, 1000, 0);
    keeps(dirs + 1, 1, 1200, 1000, 0);
    assert_true(choice_kept(&rivals, dirs, 2, &times));
    assert_int_equal(times.wide, 1200);
}

static void another_folder_takes_over_what_the_user_has(void **state) {
    (void)state;
    char third[96];
    (void)snprintf(third, sizeof third, "%s/others/cache", root);
    const char *const dirs[] = {first, second}, *const others[] = {third, second};
    begin(1200, 1000);
    keeps(dirs, 2, 1200, 1000, 1);
    begin(1000, 1200);
    keeps(others, 2, 1200, 1000, 0);
    char *path = choice_path(&rivals, second);
    assert_int_equal(unlink(path), 0); // the user's cache is cleared: the folders stay as they are
    free(path);
    keeps(others, 1, 1200, 1000, 0);
    keeps(dirs, 2, 1200, 1000, 0);
}

static void a_folder_that_has_an_answer_keeps_it(void **state) {
    (void)state;
    const char *const dirs[] = {first, second};
    begin(1200, 1000);
    keeps(dirs, 1, 1200, 1000, 1);
    begin(1000, 1200);
    keeps(dirs + 1, 1, 1000, 1200, 1);
    keeps(dirs, 2, 1200, 1000, 1);
}

static void one_folder_may_be_both(void **state) {
    (void)state;
    char again[128];
    (void)snprintf(again, sizeof again, "%s/../cache", first);
    const char *const dirs[] = {first, again};
    begin(1200, 1000);
    struct err err;
    assert_int_equal(fs_mkdirs(first, &err), ERR_OK);
    keeps(dirs, 2, 1200, 1000, 1);
}

/* Replaces the file in `first`. */
static void plant(const char *text, size_t len) {
    char *path = choice_path(&rivals, first);
    struct err err;
    const struct fs_part part = {text, len};
    assert_int_equal(fs_write_atomic(first, strrchr(path, '/') + 1, &part, 1, &err), ERR_OK);
    free(path);
}

static void read_file(struct buf *out) {
    char *path = choice_path(&rivals, first);
    struct err err;
    assert_int_equal(fs_read(path, 4096, out, &err), ERR_OK);
    free(path);
}

static void a_damaged_file_is_measured_anew(void **state) {
    (void)state;
    const char *const dirs[] = {first};
    struct buf good = {0}, now = {0};
    begin(1200, 1000);
    keeps(dirs, 1, 1200, 1000, 1);
    read_file(&good);
    int damages = 0;
    for (size_t i = 0; i < good.len; i++) { // each byte changed, then the file cut there
        char *bad = mem_malloc(good.len);
        memcpy(bad, good.data, good.len);
        bad[i] ^= 1;
        struct choice_times times;
        plant(bad, good.len);
        assert_false(choice_kept(&rivals, dirs, 1, &times));
        plant(good.data, i);
        assert_false(choice_kept(&rivals, dirs, 1, &times));
        free(bad);
        damages += 2;
    }
    assert_true(damages > 400);
    plant("\"ns\"", 4);
    begin(1300, 1000);
    keeps(dirs, 1, 1300, 1000, 1);
    read_file(&now);
    assert_non_null(strstr(buf_text(&now), "\"kernels\": \"x86-64-v3\""));
    keeps(dirs, 1, 1300, 1000, 1);
    buf_release(&good);
    buf_release(&now);
}

static void another_processor_and_another_version_have_files_of_their_own(void **state) {
    (void)state;
    const char *const dirs[] = {first};
    struct choice_rivals other = rivals;
    struct choice_times times;
    struct buf text = {0};
    begin(1200, 1000);
    keeps(dirs, 1, 1200, 1000, 1);
    read_file(&text);
    for (int i = 0; i < 2; i++) {
        other = rivals;
        other.processor = i == 0 ? "Maker 25 17 2" : other.processor;
        other.program = i == 1 ? "besom-trainer 1.2.4" : other.program;
        begin(1000, 1000);
        assert_false(choice_kept(&other, dirs, 1, &times));
        char *path = choice_path(&other, first); // even one under its name is not its own
        const struct fs_part part = {text.data, text.len};
        struct err err;
        assert_int_equal(fs_write_atomic(first, strrchr(path, '/') + 1, &part, 1, &err), ERR_OK);
        free(path);
        assert_false(choice_kept(&other, dirs, 1, &times));
        assert_true(choice_keep(&other, dirs, 1, &times));
        assert_int_equal(times.wide, 1000);
        assert_int_equal(*asked, 1);
        keeps(dirs, 1, 1200, 1000, 1);
    }
    buf_release(&text);
}

static void what_cannot_be_kept_does_not_count(void **state) {
    (void)state;
    char file[80];
    (void)snprintf(file, sizeof file, "%s/file", root);
    FILE *made = fopen(file, "w");
    assert_non_null(made);
    assert_int_equal(fclose(made), 0);
    char below[96];
    (void)snprintf(below, sizeof below, "%s/cache", file);
    const char *const nowhere[] = {below, below}, *const dirs[] = {below, second};
    struct choice_times times = {7, 7};
    begin(1200, 1000);
    assert_false(choice_keep(&rivals, nowhere, 0, &times));
    assert_false(choice_keep(&rivals, nowhere, 2, &times));
    assert_int_equal(*asked, 0); // there was no lock to take: nobody measured for nothing
    assert_int_equal(times.wide, 7);
    keeps(dirs, 2, 1200, 1000, 1); // the user's will do
    begin(1000, 1000);
    keeps(dirs, 2, 1200, 1000, 0);
}

/* Eight processes, each of which would measure something else, wait for one signal. */
static void those_that_ask_at_once_agree(void **state) {
    (void)state;
    enum { PROCESSES = 8, TRIES = 5 };
    for (int try = 0; try < TRIES; try++) {
        (void)snprintf(first, sizeof first, "%s/%d/trials", root, try);
        (void)snprintf(second, sizeof second, "%s/%d/home", root, try);
        int go[2], answer[2];
        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(answer), 0);
        begin(1, 1);
        for (int i = 0; i < PROCESSES; i++) {
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                const char *const dirs[] = {first, second};
                struct choice_times times = {0};
                char byte;
                (void)close(go[1]);
                (void)!read(go[0], &byte, 1); // until the other end is closed
                told_wide = 1000 + i;
                told_narrow = 900;
                (void)choice_keep(&rivals, i % 2 ? dirs : dirs + 1, i % 2 ? 2 : 1, &times);
                (void)!write(answer[1], &times.wide, sizeof times.wide);
                _exit(0);
            }
        }
        (void)close(go[0]);
        (void)close(go[1]);
        int64_t one = 0;
        for (int i = 0; i < PROCESSES; i++) {
            int64_t wide_ns = 0;
            assert_int_equal(read(answer[0], &wide_ns, sizeof wide_ns), sizeof wide_ns);
            assert_in_range(wide_ns, 1000, 1000 + PROCESSES);
            one = i == 0 ? wide_ns : one;
            assert_int_equal(wide_ns, one);
        }
        for (int i = 0; i < PROCESSES; i++) {
            (void)wait(NULL); // each has answered
        }
        (void)close(answer[0]);
        (void)close(answer[1]);
        assert_int_equal(*asked, 1);
    }
}

static void processors_are_told_apart_by_what_the_kernel_says_of_the_first(void **state) {
    (void)state;
    static const char text[] = "processor\t: 0\n"
                               "vendor_id\t: AuthenticAMD\n"
                               "cpu family\t: 25\n"
                               "model\t\t: 17\n"
                               "model name\t: AMD EPYC 9R14\n"
                               "stepping\t: 1\n"
                               "microcode\t: 0xa101148\n"
                               "\n"
                               "processor\t: 1\n"
                               "vendor_id\t: Other\n";
    struct buf out = {0};
    choice_processor(&out, text);
    assert_string_equal(buf_text(&out), "AuthenticAMD 25 17 1 AMD EPYC 9R14");
    buf_clear(&out);
    choice_processor(&out, "processor\t: 0\n\nvendor_id\t: Other\n");
    assert_string_equal(buf_text(&out), "");
    choice_processor(&out, "model name");
    assert_string_equal(buf_text(&out), "");
    choice_processor(&out, "model\t:\nmodel name\t: A B");
    assert_string_equal(buf_text(&out), "A B");
    buf_release(&out);
}

static void the_choice_is_the_forced_one_or_one_that_runs(void **state) {
    (void)state;
    const char *const dirs[] = {first};
    const struct kernels *sets[4];
    int count = kernels_all(sets);
    struct choice choice;
    for (int i = 0; i < count; i++) {
        assert_int_equal(setenv("BESOM_KERNELS", sets[i]->name, 1), 0);
        choice_settle(&choice, "besom-trainer 1.2.3", dirs, 1);
        assert_ptr_equal(choice.set, sets[i]);
        assert_int_equal(choice.how, CHOICE_FORCED);
    }
    assert_int_equal(access(first, F_OK), -1); // nothing was measured for it
    assert_int_equal(unsetenv("BESOM_KERNELS"), 0);
    bool has_rivals = strcmp(sets[0]->name, "x86-64-v4") == 0;
    choice_look(&choice, "besom-trainer 1.2.3", dirs, 1);
    assert_ptr_equal(choice.set, sets[0]);
    assert_int_equal(choice.how, has_rivals ? CHOICE_UNMEASURED : CHOICE_ONLY);
    choice_settle(&choice, "besom-trainer 1.2.3", dirs, 1);
    assert_int_equal(choice.how, has_rivals ? CHOICE_MEASURED : CHOICE_ONLY);
    assert_true(choice.set == sets[0] || (has_rivals && choice.set == sets[1]));
    struct choice again;
    choice_look(&again, "besom-trainer 1.2.3", dirs, 1);
    assert_ptr_equal(again.set, choice.set);
    assert_int_equal(again.times.wide, choice.times.wide);
    kernels_prefer(sets[count - 1]); // what was chosen gives way to what the environment names
    assert_ptr_equal(kernels_get(), sets[count - 1]);
    assert_int_equal(setenv("BESOM_KERNELS", sets[0]->name, 1), 0);
    assert_ptr_equal(kernels_get(), sets[0]);
    assert_int_equal(unsetenv("BESOM_KERNELS"), 0);
    kernels_prefer(NULL);
    assert_ptr_equal(kernels_get(), sets[0]);
}

/* Which one is faster is no test's affair. */
static void a_race_times_both_sets(void **state) {
    (void)state;
    const struct kernels *sets[4];
    int count = kernels_all(sets);
    if (count < 2) {
        skip();
    }
    const struct kernels *const pair[2] = {sets[count - 1], sets[count - 2]};
    int64_t ns[2];
    kernels_race(pair, ns);
    print_message("%s %.3f ms, %s %.3f ms\n", pair[0]->name, (double)ns[0] * 1e-6, pair[1]->name,
                  (double)ns[1] * 1e-6);
    assert_true(ns[0] > 0 && ns[1] > 0);
}

int main(void) {
    asked = mmap(NULL, sizeof *asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (asked == MAP_FAILED) {
        return 1;
    }
#define IN_FOLDERS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_narrow_set_is_taken_where_it_is_clearly_faster),
        IN_FOLDERS(it_is_measured_once_and_kept),
        IN_FOLDERS(another_folder_takes_over_what_the_user_has),
        IN_FOLDERS(a_folder_that_has_an_answer_keeps_it),
        IN_FOLDERS(one_folder_may_be_both),
        IN_FOLDERS(a_damaged_file_is_measured_anew),
        IN_FOLDERS(another_processor_and_another_version_have_files_of_their_own),
        IN_FOLDERS(what_cannot_be_kept_does_not_count),
        IN_FOLDERS(those_that_ask_at_once_agree),
        cmocka_unit_test(processors_are_told_apart_by_what_the_kernel_says_of_the_first),
        IN_FOLDERS(the_choice_is_the_forced_one_or_one_that_runs),
        cmocka_unit_test(a_race_times_both_sets),
    };
#undef IN_FOLDERS
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How a training began: what is written reads back, what is not of that form is refused; which cores run. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "trainer/kernels/kernels.h"
#include "trainer/origin.h"

// cmocka.h wants these four before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/origin-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state) {
    (void)state;
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static const struct origin example = {
    .program = "besom-trainer 1.2.3",
    .trial = "0123456789abcdef0123456789abcdef",
    .data = "fedcba9876543210fedcba9876543210",
    .numerics = {.openblas = "0.3.21", .core = "Haswell", .threads = 2, .kernels = "x86-64-v3"},
};

static const char name[] = "./a \"set\"\n\xc3\xa4";

static void save(void) {
    struct err err;
    if (origin_save(&example, dir, name, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void what_is_saved_is_loaded(void **state) {
    (void)state;
    struct origin origin;
    struct err err;
    assert_int_equal(origin_load(&origin, dir, &err), ERR_NOT_FOUND);
    save();
    assert_int_equal(origin_load(&origin, dir, &err), ERR_OK);
    assert_string_equal(origin.program, example.program);
    assert_string_equal(origin.trial, example.trial);
    assert_string_equal(origin.data, example.data);
    assert_true(numerics_equal(&origin.numerics, &example.numerics));
}

static void put(const char *text, size_t len) {
    struct err err;
    const struct fs_part part = {text, len};
    assert_int_equal(fs_write_atomic(dir, "origin.json", &part, 1, &err), ERR_OK);
}

static void a_file_that_is_cut_is_refused(void **state) {
    (void)state;
    save();
    char path[96];
    struct err err;
    struct buf whole = {0};
    (void)snprintf(path, sizeof path, "%s/origin.json", dir);
    assert_int_equal(fs_read(path, 4096, &whole, &err), ERR_OK);
    for (size_t len = 0; len + 2 < whole.len; len++) { // its last two bytes are "}\n"
        struct origin origin = {.program = "as it was"};
        put(whole.data, len);
        assert_int_equal(origin_load(&origin, dir, &err), ERR_CORRUPT);
        assert_string_equal(origin.program, "as it was"); // written on success only
    }
    buf_release(&whole);
}

static void members_of_another_form_are_refused(void **state) {
    (void)state;
#define NUMERICS "\"numerics\":{\"openblas\":\"0\",\"core\":\"c\",\"threads\":1,\"kernels\":\"k\"}"
#define TRIAL    "\"trial\":\"0123456789abcdef0123456789abcdef\""
#define DATASET  "\"dataset\":{\"fingerprint\":\"0123456789abcdef0123456789abcdef\"}"
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"{\"program\":\"p\"," TRIAL "," DATASET "," NUMERICS "}", ERR_OK},
        {"{\"later\":[1],\"program\":\"p\"," TRIAL "," DATASET "," NUMERICS "}", ERR_OK},
        {"[]", ERR_CORRUPT},
        {"{}", ERR_CORRUPT},
        {"{\"program\":\"\"," TRIAL "," DATASET "," NUMERICS "}", ERR_CORRUPT},
        {"{\"program\":1," TRIAL "," DATASET "," NUMERICS "}", ERR_CORRUPT},
        {"{\"program\":\"p\",\"trial\":\"0123\"," DATASET "," NUMERICS "}", ERR_CORRUPT},
        {"{\"program\":\"p\"," TRIAL ",\"dataset\":\"x\"," NUMERICS "}", ERR_CORRUPT},
        {"{\"program\":\"p\"," TRIAL "," DATASET ",\"numerics\":{\"openblas\":\"0\",\"core\":\"c\","
         "\"threads\":0,\"kernels\":\"k\"}}",
         ERR_CORRUPT},
        {"{\"program\":\"p\"," TRIAL "," DATASET ",\"numerics\":{\"openblas\":\"0\",\"threads\":1,"
         "\"core\":\"a name that is longer than any core's\",\"kernels\":\"k\"}}",
         ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin origin;
        struct err err = {0};
        put(cases[i].text, strlen(cases[i].text));
        if (origin_load(&origin, dir, &err) != cases[i].rc) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
    }
}

/* A core that needs more than the kernels of a level is not taken where the level does not run. */
static void cores_run_where_their_instructions_are(void **state) {
    (void)state;
    const struct kernels *sets[4];
    int count = kernels_all(sets);
    bool v3 = false, v4 = false;
    for (int i = 0; i < count; i++) {
        v3 = v3 || strcmp(sets[i]->name, "x86-64-v3") == 0;
        v4 = v4 || strcmp(sets[i]->name, "x86-64-v4") == 0;
    }
    bool x86 = strncmp(sets[0]->name, "x86", 3) == 0;
    assert_int_equal(numerics_core_runs("Nehalem"), x86);
    assert_int_equal(numerics_core_runs("Haswell"), v3);
    assert_int_equal(numerics_core_runs("Zen"), v3);
    assert_int_equal(numerics_core_runs("SkylakeX"), v4);
    assert_true(v4 || !numerics_core_runs("Cooperlake"));
    assert_false(numerics_core_runs("Excavator")); // AMD's own fused multiply-add
    assert_false(numerics_core_runs(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_saved_is_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_cut_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_of_another_form_are_refused, set_up, tear_down),
        cmocka_unit_test(cores_run_where_their_instructions_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

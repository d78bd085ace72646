/* Checkpoints: nothing of a training is lost in one, nothing damaged is taken for one, and the newest good
 * one is never thrown away. */
#include "trainer/checkpoint_folder.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/safetensors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define IDENTITY "0123456789abcdef0123456789abcdef"
#define OTHER    "ffffffffffffffffffffffffffffffff"

static char dir[64];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_checkpoint.XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...) {
    char command[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static int tear_down(void **state) {
    (void)state;
    run("rm -r %s", dir);
    return 0;
}

/* ---- a small training ---- */

struct small {
    struct net *net;
    struct optim optim;
};

/* 4 inputs, `units` hidden, 3 classes; every number is another one, with `salt` */
static void small_init(struct small *s, int units, enum optimizer_kind kind, float salt) {
    const struct layer_spec layers[] = {
        {.kind = LAYER_DENSE, .units = units, .init = {.kind = INIT_ZEROS}},
        {.kind = LAYER_DENSE, .units = 3, .init = {.kind = INIT_ZEROS}},
    };
    const struct optimizer_spec spec = {.kind = kind, .lr = 0.1, .beta1 = 0.9, .beta2 = 0.99};
    struct err err;
    if (net_new(&s->net, layers, 2, (struct shape){4, 1, 1}, 3, NULL, 1, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    size_t n = net_param_count(s->net);
    optim_init(&s->optim, &spec, n);
    for (size_t i = 0; i < n; i++) {
        net_params(s->net)[i] = salt + (float)i;
        for (int slot = 0; slot < optim_slot_count(kind); slot++) {
            s->optim.state[slot][i] = -salt - (float)(1000 * (slot + 1)) - (float)i;
        }
    }
    s->optim.steps = (int64_t)1 << 40; // above an int
}

static void small_release(struct small *s) {
    optim_release(&s->optim);
    net_free(s->net);
}

static struct checkpoint_state state_at(int epoch, int step) {
    return (struct checkpoint_state){
        .at = {epoch, step},
        .identity = IDENTITY,
        .dataset = OTHER,
        .config = "{\"model\":\"\xc3\xa9 \\\"x\\\"\"}",
        .history = "[{\"epoch\": 1, \"train_loss\": \"nan\"}]",
        .partial = step == 0 ? "{}" : "{\"loss_sum\": 0.1}",
        .best_epoch = epoch > 0 ? 1 : 0,
    };
}

static void save_in(const char *folder, const struct checkpoint_state *state) {
    struct small s;
    struct err err;
    small_init(&s, 2, OPTIMIZER_ADAM, 0.5f);
    if (checkpoint_save(folder, state, s.net, &s.optim, NULL, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    small_release(&s);
}

static void save(int epoch, int step) {
    const struct checkpoint_state state = state_at(epoch, step);
    save_in(dir, &state);
}

static char *path_of(int epoch, int step) {
    char name[64];
    checkpoint_name(name, (struct position){epoch, step});
    return mem_printf("%s/%s", dir, name);
}

static bool exists(int epoch, int step) {
    char *path = path_of(epoch, step);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* Turns a bit of the last tensor. */
static void damage(int epoch, int step) {
    char *path = path_of(epoch, step);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t place = lseek(fd, 0, SEEK_END) - 2;
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, place), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, place), 1);
    (void)close(fd);
    free(path);
}

static struct checkpoint *open_good(int epoch, int step) {
    struct checkpoint *checkpoint = NULL;
    struct err err;
    char *path = path_of(epoch, step);
    if (checkpoint_open(&checkpoint, path, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
    return checkpoint;
}

static void assert_refused(const char *path, int code, const char *text) {
    struct checkpoint *checkpoint = NULL;
    struct err err = {0};
    int rc = checkpoint_open(&checkpoint, path, &err);
    checkpoint_close(checkpoint);
    if (rc != code || strstr(err.msg, text) == NULL || strstr(err.msg, path) == NULL) {
        fail_msg("%s \"%s\", expected %s \"%s\"", err_name(rc), err.msg, err_name(code), text);
    }
}

/* ---- one file ---- */

static void names_are_those_of_positions_and_no_others(void **state) {
    (void)state;
    static const struct {
        int epoch, step;
        const char *name;
    } good[] = {
        {5, 0, "cp-0005.safetensors"},          {5, 120, "cp-0005+000120.safetensors"},
        {0, 1, "cp-0000+000001.safetensors"},   {12345, 0, "cp-12345.safetensors"},
        {1000000, 0, "cp-1000000.safetensors"}, {1, 1234567, "cp-0001+1234567.safetensors"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char name[64];
        struct position at = {-1, -1};
        checkpoint_name(name, (struct position){good[i].epoch, good[i].step});
        assert_string_equal(name, good[i].name);
        assert_true(checkpoint_parse_name(name, &at));
        assert_int_equal(at.epoch, good[i].epoch);
        assert_int_equal(at.step, good[i].step);
    }
    static const char *const bad[] = {"",
                                      "cp-5.safetensors",
                                      "cp-00005.safetensors",
                                      "cp-0005",
                                      "cp-0005.safetensors.tmp",
                                      ".cp-0005.safetensors.tmp",
                                      "cp-0005+000000.safetensors",
                                      "cp-0005+12.safetensors",
                                      "cp--005.safetensors",
                                      "cp- 005.safetensors",
                                      "cp-0005.SAFETENSORS",
                                      "Cp-0005.safetensors",
                                      "cp-99999999999999999999.safetensors",
                                      "cp-0005+-00012.safetensors",
                                      "xcp-0005.safetensors"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct position at = {-1, -1};
        if (checkpoint_parse_name(bad[i], &at)) {
            fail_msg("\"%s\" is taken for a checkpoint", bad[i]);
        }
        assert_int_equal(at.epoch, -1);
    }
}

/* 4 inputs, 2 hidden with batch normalization, 3 classes. */
static void normed_init(struct small *s) {
    const struct layer_spec layers[] = {
        {.kind = LAYER_DENSE, .units = 2},
        {.kind = LAYER_BATCH_NORM, .eps = 1e-5, .momentum = 0.1},
        {.kind = LAYER_DENSE, .units = 3},
    };
    const struct optimizer_spec spec = {.kind = OPTIMIZER_ADAM, .lr = 0.1};
    struct err err;
    assert_int_equal(net_new(&s->net, layers, 3, (struct shape){4, 1, 1}, 3, NULL, 1, &err),
                     ERR_OK);
    optim_init(&s->optim, &spec, net_param_count(s->net));
}

static void buffers_are_saved_and_restored_without_optimizer_state(void **state) {
    (void)state;
    static const char *const buffers[] = {"1.running_mean", "1.running_var"};
    struct small from, to;
    struct err err;
    normed_init(&from);
    normed_init(&to);
    int count = net_tensor_count(from.net);
    for (int b = 0; b < 2; b++) {
        const struct net_tensor *t = net_tensor(from.net, count - 2 + b);
        assert_string_equal(t->name, buffers[b]);
        t->value[0] = 0.5f + (float)b;
        t->value[1] = 8.25f + (float)b;
    }
    const struct checkpoint_state written = state_at(3, 0);
    assert_int_equal(checkpoint_save(dir, &written, from.net, &from.optim, NULL, &err), ERR_OK);

    struct checkpoint *checkpoint = open_good(3, 0);
    const struct safetensors *file = checkpoint_file(checkpoint);
    assert_int_equal(safetensors_count(file), count + 2 * (count - 2)); // adam's two, of parameters
    for (int b = 0; b < 2; b++) {
        const struct safetensors_entry *entry = safetensors_find(file, buffers[b]);
        assert_non_null(entry);
        assert_int_equal(entry->dim_count, 1);
        assert_int_equal(entry->dims[0], 2);
        char *state_name = mem_printf("optimizer.exp_avg.%s", buffers[b]);
        assert_null(safetensors_find(file, state_name));
        free(state_name);
    }
    if (checkpoint_restore(checkpoint, to.net, &to.optim, NULL, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    for (int b = 0; b < 2; b++) {
        assert_memory_equal(net_tensor(to.net, count - 2 + b)->value,
                            net_tensor(from.net, count - 2 + b)->value, 2 * sizeof(float));
    }
    checkpoint_close(checkpoint);
    small_release(&from);
    small_release(&to);
}

static void what_is_saved_is_restored_bit_for_bit(void **state) {
    (void)state;
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        struct small from, to;
        struct err err;
        small_init(&from, 2, (enum optimizer_kind)kind, 0.5f);
        small_init(&to, 2, (enum optimizer_kind)kind, 70.25f);
        uint32_t nan = 0x7fc01234; // also the bits of a NaN, of -0 and of a denormal
        memcpy(&net_params(from.net)[3], &nan, 4);
        net_params(from.net)[4] = -0.0f;
        net_params(from.net)[5] = 1e-45f;
        to.optim.steps = 0;
        const struct checkpoint_state written = state_at(7, 120);
        assert_int_equal(checkpoint_save(dir, &written, from.net, &from.optim, NULL, &err), ERR_OK);

        struct checkpoint *checkpoint = open_good(7, 120);
        const struct checkpoint_state *read = checkpoint_state(checkpoint);
        assert_int_equal(read->at.epoch, 7);
        assert_int_equal(read->at.step, 120);
        assert_int_equal(read->best_epoch, 1);
        assert_string_equal(read->identity, written.identity);
        assert_string_equal(read->dataset, written.dataset);
        assert_string_equal(read->config, written.config);
        assert_string_equal(read->history, written.history);
        assert_string_equal(read->partial, written.partial);
        if (checkpoint_restore(checkpoint, to.net, &to.optim, NULL, &err) != ERR_OK) {
            fail_msg("%s", err.msg);
        }
        size_t bytes = net_param_count(from.net) * sizeof(float);
        assert_memory_equal(net_params(to.net), net_params(from.net), bytes);
        for (int slot = 0; slot < optim_slot_count((enum optimizer_kind)kind); slot++) {
            assert_memory_equal(to.optim.state[slot], from.optim.state[slot], bytes);
        }
        assert_true(to.optim.steps == from.optim.steps);
        checkpoint_close(checkpoint);
        small_release(&from);
        small_release(&to);
    }
}

/* Each tensor under its own name: a swap of two would survive a round trip. */
static void tensors_have_pytorchs_names_and_shapes(void **state) {
    (void)state;
    save(1, 0);
    struct checkpoint *checkpoint = open_good(1, 0);
    const struct safetensors *file = checkpoint_file(checkpoint);
    static const struct {
        const char *name;
        int64_t rows, columns; // columns 0: a vector
        float first;
    } expected[] = {
        {"0.weight", 2, 4, 0.5f},
        {"0.bias", 2, 0, 8.5f},
        {"1.weight", 3, 2, 10.5f},
        {"1.bias", 3, 0, 16.5f},
        {"optimizer.exp_avg.0.weight", 2, 4, -1000.5f},
        {"optimizer.exp_avg.0.bias", 2, 0, -1008.5f},
        {"optimizer.exp_avg.1.weight", 3, 2, -1010.5f},
        {"optimizer.exp_avg.1.bias", 3, 0, -1016.5f},
        {"optimizer.exp_avg_sq.0.weight", 2, 4, -2000.5f},
        {"optimizer.exp_avg_sq.0.bias", 2, 0, -2008.5f},
        {"optimizer.exp_avg_sq.1.weight", 3, 2, -2010.5f},
        {"optimizer.exp_avg_sq.1.bias", 3, 0, -2016.5f},
    };
    enum { COUNT = sizeof expected / sizeof *expected };
    assert_int_equal(safetensors_count(file), COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct safetensors_entry *t = safetensors_at(file, i);
        assert_string_equal(t->name, expected[i].name);
        assert_int_equal(t->dims[0], expected[i].rows);
        assert_int_equal(t->dim_count, expected[i].columns == 0 ? 1 : 2);
        assert_int_equal(t->dims[1], expected[i].columns);
        if (t->data[0] != expected[i].first) {
            fail_msg("%s starts with %g, expected %g", t->name, (double)t->data[0],
                     (double)expected[i].first);
        }
    }
    assert_string_equal(safetensors_meta_get(file, "format"), "besom-checkpoint 1");
    assert_string_equal(safetensors_meta_get(file, "optimizer_steps"), "1099511627776");
    checkpoint_close(checkpoint);
}

static void the_bytes_depend_on_the_training_alone(void **state) {
    (void)state;
    save(3, 0);
    run("mkdir %s/elsewhere && sleep 0.01", dir);
    char *other = mem_printf("%s/elsewhere", dir);
    const struct checkpoint_state same = state_at(3, 0);
    save_in(other, &same);
    run("cmp %s/cp-0003.safetensors %s/cp-0003.safetensors", dir, other);
    struct buf bytes = {0};
    struct err err;
    char *path = path_of(3, 0);
    assert_int_equal(fs_read(path, 1 << 20, &bytes, &err), ERR_OK);
    assert_null(memmem(bytes.data, bytes.len, dir, strlen(dir)));
    save(3, 0); // over the old one
    run("cmp %s/cp-0003.safetensors %s/cp-0003.safetensors", dir, other);
    buf_release(&bytes);
    free(path);
    free(other);
}

/* In place: writing a file anew for each of some 15,000 cases is left to the mercy of the disk. */
static void cut_or_changed_anywhere_it_is_refused(void **state) {
    (void)state;
    save(1, 0);
    char *path = path_of(1, 0);
    struct buf whole = {0};
    struct err err;
    assert_int_equal(fs_read(path, 1 << 20, &whole, &err), ERR_OK);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        off_t at = (off_t)(bit / 8);
        char flipped = (char)(whole.data[at] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        assert_refused(path, ERR_CORRUPT, "");
        assert_int_equal(pwrite(fd, &whole.data[at], 1, at), 1);
    }
    checkpoint_close(open_good(1, 0)); // each bit was put back
    for (size_t len = whole.len; len-- > 0;) {
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
        assert_refused(path, ERR_CORRUPT, "");
    }
    (void)close(fd);
    buf_release(&whole);
    free(path);
}

/* The entries are stored by key, checksum with them. */
static void write_meta(const struct safetensors_meta *meta, int count) {
    struct err err;
    assert_int_equal(safetensors_write(dir, "x", NULL, 0, meta, count, &err), ERR_OK);
}

static void metadata_must_be_there_and_in_range(void **state) {
    (void)state;
    const struct safetensors_meta good[] = {{"format", "besom-checkpoint 1"},
                                            {"identity", IDENTITY},
                                            {"dataset", OTHER},
                                            {"config", "{}"},
                                            {"history", "[]"},
                                            {"partial", "{}"},
                                            {"epoch", "4"},
                                            {"step", "0"},
                                            {"best_epoch", "4"},
                                            {"optimizer_steps", "0"}};
    enum { COUNT = sizeof good / sizeof *good };
    struct safetensors_meta meta[COUNT];
    char *path = mem_printf("%s/x", dir);
    for (int missing = 0; missing < COUNT; missing++) {
        memcpy(meta, good, sizeof good);
        meta[missing] = good[COUNT - 1];
        write_meta(meta, COUNT - 1);
        assert_refused(path, missing == 0 ? ERR_VERSION : ERR_CORRUPT,
                       missing == 0 ? "not a besom checkpoint" : "incomplete or out of range");
    }
    static const struct {
        int entry;
        const char *value;
        int code;
    } cases[] = {
        {0, "besom-checkpoint 2", ERR_VERSION},
        {0, "pt", ERR_VERSION},
        {6, "-1", ERR_CORRUPT},
        {6, "3", ERR_CORRUPT}, // the best is later
        {6, "4.0", ERR_CORRUPT},
        {6, "4294967300", ERR_CORRUPT},
        {7, "99999999999", ERR_CORRUPT},
        {8, "", ERR_CORRUPT},
        {9, "1e3", ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(meta, good, sizeof good);
        meta[cases[i].entry].value = cases[i].value;
        write_meta(meta, COUNT);
        assert_refused(path, cases[i].code, "");
    }
    write_meta(good, COUNT);
    struct checkpoint *checkpoint = NULL;
    struct err err;
    assert_int_equal(checkpoint_open(&checkpoint, path, &err), ERR_OK);
    checkpoint_close(checkpoint);
    free(path);
}

/* ---- restoring into something else ---- */

static void assert_not_restored(const struct checkpoint *checkpoint, int units,
                                enum optimizer_kind kind, const char *text) {
    struct small s, before;
    struct err err = {0};
    small_init(&s, units, kind, 9.0f);
    small_init(&before, units, kind, 9.0f);
    int rc = checkpoint_restore(checkpoint, s.net, &s.optim, NULL, &err);
    if (rc != ERR_CORRUPT || strstr(err.msg, text) == NULL) {
        fail_msg("%s \"%s\", expected ERR_CORRUPT \"%s\"", err_name(rc), err.msg, text);
    }
    size_t bytes = net_param_count(s.net) * sizeof(float);
    assert_memory_equal(net_params(s.net), net_params(before.net), bytes);
    for (int slot = 0; slot < optim_slot_count(kind); slot++) {
        assert_memory_equal(s.optim.state[slot], before.optim.state[slot], bytes);
    }
    assert_true(s.optim.steps == before.optim.steps);
    small_release(&s);
    small_release(&before);
}

static void what_does_not_fit_changes_nothing(void **state) {
    (void)state;
    save(1, 0); // 2 units, adam
    struct checkpoint *checkpoint = open_good(1, 0);
    assert_not_restored(checkpoint, 5, OPTIMIZER_ADAM, "\"0.weight\" has another shape");
    assert_not_restored(checkpoint, 2, OPTIMIZER_SGD,
                        "\"optimizer.exp_avg.0.weight\" has no place");
    assert_not_restored(checkpoint, 2, OPTIMIZER_MOMENTUM,
                        "no tensor \"optimizer.momentum_buffer.0.weight\"");
    checkpoint_close(checkpoint);
}

static void without_an_optimizer_only_the_network_is_restored(void **state) {
    (void)state;
    save(1, 0);
    struct checkpoint *checkpoint = open_good(1, 0);
    struct small s, saved;
    struct err err;
    small_init(&s, 2, OPTIMIZER_SGD, 9.0f);
    small_init(&saved, 2, OPTIMIZER_SGD, 0.5f);
    assert_int_equal(checkpoint_restore(checkpoint, s.net, NULL, NULL, &err), ERR_OK);
    assert_memory_equal(net_params(s.net), net_params(saved.net),
                        net_param_count(s.net) * sizeof(float));
    small_release(&s);
    small_release(&saved);
    checkpoint_close(checkpoint);
}

/* ---- a folder ---- */

struct skipped {
    int count;
    char names[8][64];
    struct err reasons[8];
};

static void note(void *context, const char *name, const struct err *reason) {
    struct skipped *skipped = context;
    assert_true(skipped->count < 8);
    strcpy(skipped->names[skipped->count], name);
    skipped->reasons[skipped->count++] = *reason;
}

static const struct checkpoint_wanted ours = {.identity = IDENTITY};

/* Which position is opened; {-1, -1} for none. */
static struct position latest(struct skipped *skipped) {
    struct checkpoint *checkpoint = NULL;
    struct err err;
    *skipped = (struct skipped){0};
    if (checkpoint_open_latest(&checkpoint, dir, &ours, note, skipped, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    struct position at = {-1, -1};
    if (checkpoint != NULL) {
        at = checkpoint_state(checkpoint)->at;
    }
    checkpoint_close(checkpoint);
    return at;
}

static void assert_latest(int epoch, int step, int skipped_count) {
    struct skipped skipped;
    struct position at = latest(&skipped);
    assert_int_equal(at.epoch, epoch);
    assert_int_equal(at.step, step);
    assert_int_equal(skipped.count, skipped_count);
}

static void the_newest_is_used(void **state) {
    (void)state;
    assert_latest(-1, -1, 0); // an empty folder
    save(9, 0);
    save(10000, 0); // as text it comes before cp-9
    save(2, 500);
    assert_latest(10000, 0, 0);
    save(10000, 3);
    assert_latest(10000, 3, 0);
    save(10001, 0);
    assert_latest(10001, 0, 0);
    run("touch %s/notes.txt %s/cp-99999.safetensors.bak && mkdir %s/sub", dir, dir, dir);
    assert_latest(10001, 0, 0);
}

static void a_damaged_one_gives_way_to_the_next_older(void **state) {
    (void)state;
    save(3, 0);
    save(4, 0);
    save(5, 0);
    save(5, 7);
    damage(5, 7);
    run("cp %s/cp-0003.safetensors %s/cp-0006.safetensors", dir, dir);
    run("truncate -s 100 %s/cp-0005.safetensors", dir);
    struct skipped skipped;
    struct position at = latest(&skipped);
    assert_int_equal(at.epoch, 4);
    static const char *const expected[][2] = {
        {"cp-0006.safetensors", "holds epoch 3 and batch 0"},
        {"cp-0005+000007.safetensors", "checksum"},
        {"cp-0005.safetensors", "cut"},
    };
    assert_int_equal(skipped.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(skipped.names[i], expected[i][0]);
        assert_int_equal(skipped.reasons[i].code, ERR_CORRUPT);
        if (strstr(skipped.reasons[i].msg, expected[i][1]) == NULL) {
            fail_msg("\"%s\", expected \"%s\"", skipped.reasons[i].msg, expected[i][1]);
        }
    }
}

static void when_all_are_damaged_there_is_none(void **state) {
    (void)state;
    save(1, 0);
    save(2, 0);
    damage(1, 0);
    damage(2, 0);
    assert_latest(-1, -1, 2);
    struct checkpoint *checkpoint = NULL; // nobody has to listen
    struct err err;
    assert_int_equal(checkpoint_open_latest(&checkpoint, dir, &ours, NULL, NULL, &err), ERR_OK);
    assert_null(checkpoint);
}

static void one_of_another_trial_is_told_from_a_damaged_one(void **state) {
    (void)state;
    save(1, 0);
    struct checkpoint_state foreign = state_at(2, 0);
    foreign.identity = OTHER;
    save_in(dir, &foreign);
    struct skipped skipped;
    struct position at = latest(&skipped);
    assert_int_equal(at.epoch, 1);
    assert_int_equal(skipped.count, 1);
    assert_int_equal(skipped.reasons[0].code, ERR_DIFFERS);
    assert_non_null(strstr(skipped.reasons[0].msg, "another trial (" OTHER));
    assert_true(exists(2, 0)); // it is somebody's
}

static void stale_temporaries_are_removed(void **state) {
    (void)state;
    save(1, 0);
    run("touch %s/.cp-0002.safetensors.tmp %s/.other.tmp %s/.cp-note", dir, dir, dir);
    struct err err;
    assert_int_equal(checkpoint_remove_stale(dir, &err), ERR_OK);
    assert_latest(1, 0, 0);
    run("test ! -e %s/.cp-0002.safetensors.tmp -a -e %s/.other.tmp -a -e %s/.cp-note", dir, dir,
        dir);
}

static bool every_epoch(void *context, struct position at) {
    (void)context;
    return at.step == 0;
}

static void a_folder_that_cannot_be_read_is_an_error(void **state) {
    (void)state;
    struct checkpoint *checkpoint = NULL;
    struct err err;
    char *missing = mem_printf("%s/missing", dir);
    assert_int_equal(checkpoint_open_latest(&checkpoint, missing, &ours, NULL, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.msg, missing));
    struct checkpoint_retention retention = {.is_scheduled = every_epoch, .keep = 1};
    assert_int_equal(checkpoint_prune(missing, (struct position){1, 0}, &retention, &err), ERR_IO);
    assert_int_equal(checkpoint_remove_stale(missing, &err), ERR_IO);
    free(missing);
}

static void a_save_that_fails_says_where(void **state) {
    (void)state;
    struct small s;
    struct err err;
    const struct checkpoint_state at = state_at(1, 0);
    small_init(&s, 2, OPTIMIZER_SGD, 0.5f);
    char *missing = mem_printf("%s/missing", dir);
    assert_int_equal(checkpoint_save(missing, &at, s.net, &s.optim, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "missing/cp-0001.safetensors"));
    free(missing);
    small_release(&s);
}

/* ---- retention ---- */

static void prune_by(int epoch, int step, const struct checkpoint_retention *retention) {
    struct err err;
    if (checkpoint_prune(dir, (struct position){epoch, step}, retention, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void prune(int epoch, int step, int keep, int best_epoch) {
    const struct checkpoint_retention retention = {.is_scheduled = every_epoch,
                                                   .keep = keep,
                                                   .best_epoch = best_epoch,
                                                   .whole = {epoch, step}};
    prune_by(epoch, step, &retention);
}

/* The folder's checkpoints, oldest first, as "1 2+7 5". */
static void assert_left(const char *expected) {
    struct buf left = {0};
    for (int epoch = 0; epoch <= 9; epoch++) {
        for (int step = 0; step <= 9; step++) {
            if (exists(epoch, step)) {
                buf_printf(&left, "%s%d", left.len > 0 ? " " : "", epoch);
                buf_printf(&left, step > 0 ? "+%d" : "", step);
            }
        }
    }
    assert_string_equal(buf_text(&left), expected);
    buf_release(&left);
}

static void save_one_to_six(void) {
    for (int epoch = 1; epoch <= 6; epoch++) {
        save(epoch, 0);
    }
}

static void the_newest_and_the_best_are_kept(void **state) {
    (void)state;
    save_one_to_six();
    prune(6, 0, 9, 0);
    assert_left("1 2 3 4 5 6");
    prune(6, 0, 3, 2);
    assert_left("2 4 5 6");
    prune(6, 0, 3, 5); // the best is among the newest: it takes no place of its own
    assert_left("4 5 6");
    prune(6, 0, 1, 0);
    assert_left("6");
}

static void of_the_interrupted_ones_only_the_present_stays(void **state) {
    (void)state;
    save_one_to_six();
    save(2, 3);
    save(6, 1);
    save(6, 4);
    prune(6, 4, 2, 1);
    assert_left("1 5 6 6+4");
    save(7, 0);
    prune(7, 0, 2, 1);
    assert_left("1 6 7");
}

/* Epochs 5 and 6 were refused at the start, so the training stands at 4. */
static void later_ones_that_were_refused_neither_count_nor_go(void **state) {
    (void)state;
    save_one_to_six();
    save(5, 2);
    prune(4, 0, 2, 0);
    assert_left("3 4 5 5+2 6");
}

static void nothing_goes_before_the_newest_is_there(void **state) {
    (void)state;
    save(1, 0);
    save(2, 0);
    save(2, 5);
    prune(3, 0, 1, 0);
    assert_left("1 2 2+5");
}

/* Of every second epoch, and of batch 4 of each. */
static bool every_other(void *context, struct position at) {
    (void)context;
    return at.step == 0 ? at.epoch % 2 == 0 : at.step == 4;
}

static void scheduled_ones_of_both_kinds_are_counted_and_no_others(void **state) {
    (void)state;
    save_one_to_six();
    save(4, 3); // an interruption's, as is 5: it was not its turn
    save(4, 4);
    save(5, 4);
    save(6, 2);
    struct checkpoint_retention retention = {
        .is_scheduled = every_other, .keep = 4, .whole = {6, 2}};
    prune_by(6, 2, &retention);
    assert_left("4 4+4 5+4 6 6+2");
    save(6, 4);
    retention.whole = (struct position){6, 4};
    retention.keep = 2;
    prune_by(6, 4, &retention);
    assert_left("6 6+4");
}

static void where_the_training_would_go_on_stays(void **state) {
    (void)state;
    save_one_to_six();
    save(2, 3);
    struct checkpoint_retention retention = {
        .is_scheduled = every_other, .keep = 1, .whole = {2, 3}};
    prune_by(6, 0, &retention);
    assert_left("2+3 6");
    retention.whole = (struct position){-1, -1};
    prune_by(6, 0, &retention);
    assert_left("6");
}

/* ---- weights alone ---- */

static void weights_alone_are_the_file_that_a_whole_one_becomes(void **state) {
    (void)state;
    struct checkpoint_state weights = state_at(3, 0);
    weights.content = CHECKPOINT_WEIGHTS;
    char *other = mem_printf("%s/weights", dir);
    run("mkdir %s", other);
    save_in(other, &weights);
    save(3, 0);
    run("! cmp -s %s/cp-0003.safetensors %s/cp-0003.safetensors", dir, other);

    struct err err;
    for (int i = 0; i < 2; i++) { // the second time it is weights already
        struct checkpoint *checkpoint = open_good(3, 0);
        assert_int_equal(checkpoint_state(checkpoint)->content,
                         i == 0 ? CHECKPOINT_WHOLE : CHECKPOINT_WEIGHTS);
        assert_int_equal(checkpoint_strip(checkpoint, dir, &err), ERR_OK);
        checkpoint_close(checkpoint);
        run("cmp %s/cp-0003.safetensors %s/cp-0003.safetensors", dir, other);
    }
    struct checkpoint *checkpoint = open_good(3, 0);
    assert_int_equal(safetensors_count(checkpoint_file(checkpoint)), 4); // no optimizer's
    struct small s, saved;
    small_init(&s, 2, OPTIMIZER_ADAM, 9.0f);
    small_init(&saved, 2, OPTIMIZER_ADAM, 0.5f);
    assert_int_equal(checkpoint_restore(checkpoint, s.net, NULL, NULL, &err), ERR_OK);
    assert_memory_equal(net_params(s.net), net_params(saved.net),
                        net_param_count(s.net) * sizeof(float));
    small_release(&s);
    small_release(&saved);
    checkpoint_close(checkpoint);
    free(other);
}

static void who_wants_a_whole_one_gets_the_newest_of_those(void **state) {
    (void)state;
    struct checkpoint_state weights = state_at(3, 0);
    weights.content = CHECKPOINT_WEIGHTS;
    save(1, 0);
    save(2, 5);
    save_in(dir, &weights);
    assert_latest(3, 0, 0);
    struct checkpoint *checkpoint = NULL;
    struct err err;
    struct checkpoint_wanted wanted = {.identity = IDENTITY, .whole = true};
    struct skipped skipped = {0};
    assert_int_equal(checkpoint_open_latest(&checkpoint, dir, &wanted, note, &skipped, &err),
                     ERR_OK);
    assert_int_equal(skipped.count, 0); // nothing is wrong with the weights
    assert_int_equal(checkpoint_state(checkpoint)->at.step, 5);
    checkpoint_close(checkpoint);
    const struct position before = {2, 5};
    wanted.before = &before;
    assert_int_equal(checkpoint_open_latest(&checkpoint, dir, &wanted, note, &skipped, &err),
                     ERR_OK);
    assert_int_equal(checkpoint_state(checkpoint)->at.epoch, 1);
    checkpoint_close(checkpoint);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(names_are_those_of_positions_and_no_others),
        CASE(buffers_are_saved_and_restored_without_optimizer_state),
        CASE(what_is_saved_is_restored_bit_for_bit),
        CASE(tensors_have_pytorchs_names_and_shapes),
        CASE(the_bytes_depend_on_the_training_alone),
        CASE(cut_or_changed_anywhere_it_is_refused),
        CASE(metadata_must_be_there_and_in_range),
        CASE(what_does_not_fit_changes_nothing),
        CASE(without_an_optimizer_only_the_network_is_restored),
        CASE(the_newest_is_used),
        CASE(a_damaged_one_gives_way_to_the_next_older),
        CASE(when_all_are_damaged_there_is_none),
        CASE(one_of_another_trial_is_told_from_a_damaged_one),
        CASE(stale_temporaries_are_removed),
        CASE(a_folder_that_cannot_be_read_is_an_error),
        CASE(a_save_that_fails_says_where),
        CASE(the_newest_and_the_best_are_kept),
        CASE(of_the_interrupted_ones_only_the_present_stays),
        CASE(later_ones_that_were_refused_neither_count_nor_go),
        CASE(nothing_goes_before_the_newest_is_there),
        CASE(scheduled_ones_of_both_kinds_are_counted_and_no_others),
        CASE(where_the_training_would_go_on_stays),
        CASE(weights_alone_are_the_file_that_a_whole_one_becomes),
        CASE(who_wants_a_whole_one_gets_the_newest_of_those),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}

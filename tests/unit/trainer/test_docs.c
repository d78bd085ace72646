/* The pages name what the tables of the code name: nothing that can be trained is left out of them. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "trainer/augment.h"
#include "trainer/data_spec.h"
#include "trainer/model.h"
#include "trainer/optim.h"
#include "trainer/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf load(const char *page) {
    struct buf text = {0};
    struct err err;
    char *path = mem_printf("%s/%s", SOURCE_DIR, page);
    if (fs_read(path, 1 << 20, &text, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    free(path);
    return text;
}

/* Each name between two marks, as the page writes a name: _adam_ in the man page, `adam` in Markdown. */
static void expect_names(const char *page, const char *mark, const char *const *names, int count) {
    struct buf text = load(page);
    for (int i = 0; i < count; i++) {
        char *marked = mem_printf("%s%s%s", mark, names[i], mark);
        if (strstr(buf_text(&text), marked) == NULL) {
            fail_msg("%s does not name %s", page, marked);
        }
        free(marked);
    }
    buf_release(&text);
}

static void every_rule_is_on_the_pages(void **state) {
    (void)state;
    static const struct {
        const char *page, *mark;
    } pages[] = {{"man/besom-trainer.1.scd", "_"}, {"docs/trainer.md", "`"}};
    for (size_t p = 0; p < sizeof pages / sizeof *pages; p++) {
        const char *page = pages[p].page, *mark = pages[p].mark;
        expect_names(page, mark, optimizer_names, OPTIMIZER_COUNT);
        expect_names(page, mark, schedule_names, SCHEDULE_COUNT);
        expect_names(page, mark, activation_names, ACTIVATION_COUNT);
        expect_names(page, mark, init_names, INIT_COUNT);
        expect_names(page, mark, model_names, MODEL_NAMED_COUNT);
        expect_names(page, mark, loss_names, LOSS_COUNT);
    }
}

static void every_augmentation_is_on_the_pages(void **state) {
    (void)state;
    for (int i = 0; i < augment_table.key_count; i++) {
        expect_names("docs/trainer.md", "`", &augment_table.keys[i].name, 1);
        expect_names("man/besom-trainer.1.scd", "*", &augment_table.keys[i].name, 1);
    }
}

static void every_key_of_a_dataset_is_on_the_pages(void **state) {
    (void)state;
    const struct table *tables[] = {&dataset_file_table, &dataset_made_table};
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < tables[t]->key_count; i++) {
            const char *name = tables[t]->keys[i].name;
            expect_names("docs/trainer.md", "`", &name, 1);
            expect_names("man/besom-trainer.1.scd", "*", &name, 1);
        }
    }
    expect_names("docs/trainer.md", "`", dataset_names, DATASET_SYNTHETIC_COUNT);
    expect_names("man/besom-trainer.1.scd", "_", dataset_names, DATASET_SYNTHETIC_COUNT);
    expect_names("docs/trainer.md", "\"", emnist_names, EMNIST_COUNT);
}

static void every_layer_is_on_its_page(void **state) {
    (void)state;
    expect_names("docs/trainer.md", "`", layer_names, LAYER_LISTED_COUNT);
}

static void every_state_tensor_is_on_its_page(void **state) {
    (void)state;
    for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) {
        for (int slot = 0; slot < optim_slot_count((enum optimizer_kind)kind); slot++) {
            const char *name = optim_slot_name((enum optimizer_kind)kind, slot);
            expect_names("docs/checkpoint-format.md", "`", &name, 1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_on_the_pages),
        cmocka_unit_test(every_augmentation_is_on_the_pages),
        cmocka_unit_test(every_key_of_a_dataset_is_on_the_pages),
        cmocka_unit_test(every_layer_is_on_its_page),
        cmocka_unit_test(every_state_tensor_is_on_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

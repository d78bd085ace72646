/* docs/trainer.md and the tables of the config reader name the same keys, with the same defaults and ranges.
 *
 * The page has a section for each object, "### optimizer", and in it one of two tables:
 *
 *     | name | keys (default; range) | ...     a row for each kind, or for several, with the keys of it
 *     | `sgd` | `lr` (0.01; above 0) | ...
 *
 *     | key | default; range | ...             a row for each key
 *     | `train` | 0; 0 to 10^9 | ...
 *
 *     | key | default | ...                    likewise, with the range before what is said of it
 *     | `train` | 0 | 0 to 10^9: ...
 *
 * A kind's row may say "as `adam`" for keys that are the same there, and leave out a range that another row
 * states; a key of all kinds may stand in a sentence, "Every optimizer has `weight_decay` (0; 0 to 10^6)".
 * Words may follow a default or a range after a comma.  Where the default of a table is outside of its range,
 * the page says it in words.  The config's own keys are the table of "## The config".  An object that a number
 * stands for has that number's default and range in its row, and no table. */
#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CELL_MAX = 1024, ROW_MAX = 64, WORD_MAX = 64 };

struct row {
    char cell[3][CELL_MAX];
};

/* A section of the page and the one table in it whose header is wanted. */
struct section {
    char *text; // owned
    const char *name;
    struct row head, row[ROW_MAX];
    int rows;
};

static struct buf page;

/* ---- the page ---- */

/* Cuts "| a | b | c |" up; false when it is no row.  Cells have no " | " in them. */
static bool read_row(struct row *row, const char *line, size_t len) {
    if (len < 2 || line[0] != '|') {
        return false;
    }
    *row = (struct row){0};
    const char *at = line + 1, *end = line + len;
    for (int i = 0; i < 3 && at < end; i++) {
        const char *stop = memchr(at, '|', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        while (at < stop && *at == ' ') {
            at++;
        }
        size_t n = (size_t)(stop - at);
        while (n > 0 && at[n - 1] == ' ') {
            n--;
        }
        assert_in_range(n, 0, CELL_MAX - 1);
        memcpy(row->cell[i], at, n);
        at = stop + 1;
    }
    return true;
}

static void section_open(struct section *section, const char *heading, const char *name,
                         const char *first) {
    *section = (struct section){.name = name};
    const char *start = strstr(buf_text(&page), heading);
    if (start == NULL) {
        fail_msg("docs/trainer.md has no section \"%s\"", heading + 1);
    }
    start = strchr(start + 1, '\n') + 1;
    const char *end = strstr(start, "\n##");
    size_t len = end != NULL ? (size_t)(end - start) : strlen(start);
    section->text = mem_printf("%.*s\n", (int)len, start);

    bool inside = false;
    for (const char *line = section->text, *stop; *line != '\0'; line = stop + 1) {
        stop = strchr(line, '\n');
        struct row row;
        if (!read_row(&row, line, (size_t)(stop - line))) {
            inside = false;
        } else if (inside && row.cell[0][0] != '-') {
            assert_in_range(section->rows, 0, ROW_MAX - 1);
            section->row[section->rows++] = row;
        } else if (!inside && strcmp(row.cell[0], first) == 0) {
            section->head = row;
            inside = true;
        }
    }
    if (section->rows == 0) {
        fail_msg("section \"%s\" has no table \"| %s | ...\"", name, first);
    }
}

/* The next `word` in backquotes that is in no parentheses; NULL at the end.  *as tells that "as" is before
 * it. */
static const char *next_word(const char *at, char word[WORD_MAX], bool *as) {
    int depth = 0;
    for (const char *start = at; *at != '\0'; at++) {
        depth += (*at == '(') - (*at == ')');
        const char *stop = *at == '`' ? strchr(at + 1, '`') : NULL;
        if (stop == NULL) {
            continue;
        }
        if (depth == 0) {
            size_t len = (size_t)(stop - at) - 1;
            assert_in_range(len, 1, WORD_MAX - 1);
            memcpy(word, at + 1, len);
            word[len] = '\0';
            *as = at - start >= 3 && strncmp(at - 3, "as ", 3) == 0;
            return stop + 1;
        }
        at = stop;
    }
    return NULL;
}

static bool has_word(const char *cell, const char *wanted, bool as_wanted) {
    char word[WORD_MAX];
    bool as;
    while ((cell = next_word(cell, word, &as)) != NULL) {
        if (as == as_wanted && strcmp(word, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what the tables say, as the page spells it ---- */

static void put_number(struct buf *out, double value) {
    char text[NUM_TEXT_MAX];
    double size = value < 0 ? -value : value, power = 1e4;
    if (value == 9007199254740991) {
        buf_puts(out, "2^53 - 1");
        return;
    }
    for (int k = 4; k <= 9; k++, power *= 10) {
        if (size == power) {
            buf_printf(out, "%s10^%d", value < 0 ? "-" : "", k);
            return;
        }
    }
    if (value == 1.4142135623730951) {
        buf_puts(out, "sqrt 2");
    } else if (value == 1e-4) {
        buf_puts(out, "1e-4");
    } else if (size >= 1000 && size < 1000000 && value == (double)(int)value) {
        buf_printf(out, "%d,%03d", (int)value / 1000, (int)size % 1000);
    } else {
        size_t len = num_format(text, value);
        char *zero = len > 4 && strncmp(text + len - 4, "e-0", 3) == 0 ? text + len - 2 : NULL;
        if (zero != NULL) { // 1e-08
            memmove(zero, zero + 1, 2);
        }
        buf_puts(out, text);
    }
}

static void put_range(struct buf *out, const struct table_key *key) {
    bool above = key->flags & TABLE_ABOVE_MIN, below = key->flags & TABLE_BELOW_MAX;
    bool open = key->max > 1e300;
    buf_puts(out, above ? "above " : open ? "at least " : "");
    put_number(out, key->min);
    if (!open) {
        buf_puts(out, above ? (below ? ", below " : ", at most ") : below ? " to below " : " to ");
        put_number(out, key->max);
    }
}

static bool is_number(const struct table_key *key) {
    return key->type == TABLE_NUMBER || key->type == TABLE_FLOAT || key->type == TABLE_INTEGER ||
           key->type == TABLE_SEED;
}

/* false: the page says it in words. */
static bool put_default(struct buf *out, const struct table_key *key) {
    if (key->flags & TABLE_REQUIRED) {
        buf_puts(out, "required");
    } else if (is_number(key)) {
        put_number(out, key->value);
        return key->value >= key->min && key->value <= key->max;
    } else if (key->type == TABLE_BOOL) {
        buf_puts(out, key->value != 0 ? "true" : "false");
    } else if (key->type == TABLE_TEXT) {
        buf_printf(out, "`\"%s\"`", key->text);
    } else {
        return false;
    }
    return true;
}

/* `text` is `wanted`, or that and, after one of the marks, more. */
static bool begins(const char *text, const char *wanted, const char *marks) {
    size_t len = strlen(wanted);
    return strncmp(text, wanted, len) == 0 &&
           (text[len] == '\0' || strchr(marks, text[len]) != NULL);
}

/* Compares "default; range" with the table's row; *ranged tells that there is a range. */
static void expect_values(const struct section *section, const struct table_key *key,
                          const char *text, bool *ranged) {
    struct buf value = {0}, range = {0};
    if (put_default(&value, key) && !begins(text, buf_text(&value), ",;")) {
        fail_msg("%s.%s: the page's default is \"%s\", the table's %s", section->name, key->name,
                 text, buf_text(&value));
    }
    const char *semicolon = strchr(text, ';');
    *ranged = is_number(key) && semicolon != NULL;
    if (*ranged) {
        put_range(&range, key);
        if (!begins(semicolon + 2, buf_text(&range), ",:;")) {
            fail_msg("%s.%s: the page's range is \"%s\", the table's %s", section->name, key->name,
                     semicolon + 2, buf_text(&range));
        }
    }
    buf_release(&value);
    buf_release(&range);
}

/* ---- tables of kinds ---- */

/* The text in the parentheses behind the key; false when the key is not followed by any. */
static bool parenthesis(const char *text, const char *before, const char *key,
                        char inner[CELL_MAX]) {
    char *start = mem_printf("%s`%s` (", before, key);
    const char *from = strstr(text, start);
    from = from != NULL ? from + strlen(start) : NULL;
    free(start);
    if (from == NULL) {
        return false;
    }
    const char *stop = from;
    for (int depth = 1; (depth += (*stop == '(') - (*stop == ')')) > 0; stop++) {
        assert_int_not_equal(*stop, '\0');
    }
    (void)snprintf(inner, CELL_MAX, "%.*s", (int)(stop - from), from); // a cell's length at most
    return true;
}

static const struct row *row_of(const struct section *section, const char *kind) {
    for (int i = 0; i < section->rows; i++) {
        if (has_word(section->row[i].cell[0], kind, false)) {
            return &section->row[i];
        }
    }
    fail_msg("%s: the page has no row for `%s`", section->name, kind);
    return NULL;
}

static bool has_kind(const struct table_key *key, int kind) {
    return key->kinds == 0 || (key->kinds >> kind & 1) != 0;
}

static const struct table_key *key_of(const struct table *table, const char *name, int kind) {
    for (int i = 0; i < table->key_count; i++) {
        if (has_kind(&table->keys[i], kind) && strcmp(table->keys[i].name, name) == 0) {
            return &table->keys[i];
        }
    }
    return NULL;
}

static int kind_of(const struct table *table, const char *name) {
    for (int i = 0; i < table->kind_count; i++) {
        if (strcmp(table->kinds[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The row says "as `adam`" of this key, and there it is the same. */
static bool is_as_another(const struct table *table, const char *cell,
                          const struct table_key *key) {
    char word[WORD_MAX];
    bool as, all = strncmp(cell, "as ", 3) == 0, named = has_word(cell, key->name, false);
    for (const char *at = cell; (at = next_word(at, word, &as)) != NULL;) {
        int other = as ? kind_of(table, word) : -1;
        const struct table_key *same = other >= 0 ? key_of(table, key->name, other) : NULL;
        if (same != NULL && (all || named) && same->value == key->value && same->min == key->min &&
            same->max == key->max && same->flags == key->flags) {
            return true;
        }
    }
    return false;
}

static void expect_key(const struct section *section, const struct table *table, int kind,
                       const struct table_key *key, bool *ranged) {
    const char *cell = row_of(section, table->kinds[kind])->cell[1];
    char inner[CELL_MAX], every[WORD_MAX];
    (void)snprintf(every, sizeof every, "Every %s has ", section->name);
    if (parenthesis(cell, "", key->name, inner) ||
        (!has_word(cell, key->name, false) &&
         parenthesis(section->text, every, key->name, inner))) {
        bool has_range;
        expect_values(section, key, inner, &has_range);
        *ranged |= has_range;
    } else if (!is_as_another(table, cell, key) &&
               !(key->type >= TABLE_OBJECT && has_word(cell, key->name, false))) {
        fail_msg("%s: the page's row of `%s` does not say `%s` (default; range)", section->name,
                 table->kinds[kind], key->name);
    }
}

static void expect_no_others(const struct section *section, const struct table *table) {
    char name[WORD_MAX], word[WORD_MAX];
    bool as;
    for (int i = 0; i < section->rows; i++) {
        const char *names = section->row[i].cell[0];
        while ((names = next_word(names, name, &as)) != NULL) {
            int kind = kind_of(table, name);
            if (kind < 0) {
                fail_msg("%s: the reader knows no `%s`", section->name, name);
            }
            const char *at = section->row[i].cell[1];
            while ((at = next_word(at, word, &as)) != NULL) {
                bool other =
                    table == &layer_table && kind == LAYER_ACTIVATION; // read by another table
                if (!other && (as ? kind_of(table, word) < 0 : key_of(table, word, kind) == NULL)) {
                    fail_msg("%s: `%s` has no key `%s`", section->name, name, word);
                }
            }
        }
    }
}

/* Each key has its range somewhere, perhaps in the row of another kind. */
static void expect_ranges(const struct section *section, const struct table *table,
                          const bool *ranged) {
    for (int i = 0; i < table->key_count; i++) {
        const struct table_key *key = &table->keys[i];
        bool stated = !is_number(key);
        for (int j = 0; j < table->key_count && !stated; j++) {
            const struct table_key *other = &table->keys[j];
            stated = ranged[j] && strcmp(other->name, key->name) == 0 && other->min == key->min &&
                     other->max == key->max && other->flags == key->flags;
        }
        if (!stated) {
            fail_msg("%s: the page has no range of `%s`", section->name, key->name);
        }
    }
}

static void check_kinds(const char *heading, const char *name, const struct table *table) {
    struct section section;
    section_open(&section, heading, name, table->name_key);
    if (table->key_count > 0) {
        assert_string_equal(section.head.cell[1], "keys (default; range)");
        expect_no_others(&section, table);
    }
    bool ranged[ROW_MAX] = {0};
    assert_in_range(table->key_count, 0, ROW_MAX);
    for (int i = 0; i < table->key_count; i++) {
        for (int kind = 0; kind < table->kind_count; kind++) {
            if (has_kind(&table->keys[i], kind)) {
                expect_key(&section, table, kind, &table->keys[i], &ranged[i]);
            }
        }
    }
    expect_ranges(&section, table, ranged);
    for (int kind = 0; kind < table->kind_count; kind++) {
        (void)row_of(&section, table->kinds[kind]); // also those without keys
    }
    free(section.text);
}

/* ---- tables of keys ---- */

/* "default; range" of a key's row. */
static void values_of(const struct section *section, const char *key, char text[2 * CELL_MAX]) {
    const struct row *row = row_of(section, key);
    bool apart = strcmp(section->head.cell[1], "default") == 0;
    assert_true(apart || strcmp(section->head.cell[1], "default; range") == 0);
    int len = snprintf(text, 2 * CELL_MAX, "%s%s%s", row->cell[1], apart ? "; " : "",
                       apart ? row->cell[2] : "");
    assert_in_range(len, 1, 2 * CELL_MAX - 1);
}

static void expect_row(const struct section *section, const struct table_key *key) {
    const struct table *inner = key->type == TABLE_OBJECT ? key->table : NULL;
    const char *number = inner != NULL ? inner->number_key : NULL;
    char text[2 * CELL_MAX], wanted[WORD_MAX];
    bool ranged;
    values_of(section, key->name, text);
    if (inner != NULL && inner->kind_count > 0) {
        (void)snprintf(wanted, sizeof wanted, "`\"%s\"`", inner->kinds[inner->kind]); // fits
        assert_true(begins(text, wanted, ";"));
    } else if (inner != NULL && inner->name_key == NULL && number == NULL) {
        assert_true(begins(text, "`{}`", ";"));
    }
    const struct table_key *row = number != NULL ? key_of(inner, number, 0) : key;
    expect_values(section, row, text, &ranged);
    if (is_number(row) && !ranged) {
        fail_msg("%s: the page has no range of `%s`", section->name, key->name);
    }
}

static void check_keys(const char *heading, const char *name, const struct table *table) {
    struct section section;
    char word[WORD_MAX];
    bool as;
    section_open(&section, heading, name, "key");
    for (int i = 0; i < section.rows; i++) {
        const char *names = section.row[i].cell[0];
        while ((names = next_word(names, word, &as)) != NULL) {
            if (key_of(table, word, 0) == NULL) {
                fail_msg("%s: the reader knows no key `%s`", name, word);
            }
        }
    }
    for (int i = 0; i < table->key_count; i++) {
        expect_row(&section, &table->keys[i]);
    }
    free(section.text);
}

/* A text that is one of several names: each is in backquotes somewhere. */
static void check_choice(const struct table *table) {
    for (int i = 0; i < table->kind_count; i++) {
        char *plain = mem_printf("`%s`", table->kinds[i]);
        char *quoted = mem_printf("`\"%s\"`", table->kinds[i]);
        if (strstr(buf_text(&page), plain) == NULL && strstr(buf_text(&page), quoted) == NULL) {
            fail_msg("docs/trainer.md does not name the %s %s", table->what, plain);
        }
        free(plain);
        free(quoted);
    }
}

static void check_table(const char *heading, const char *name, const struct table *table) {
    if (table->kind_count > 0) {
        check_kinds(heading, name, table);
    } else {
        check_keys(heading, name, table);
    }
    for (int i = 0; i < table->key_count; i++) {
        const struct table_key *key = &table->keys[i];
        if (key->table == NULL || key->table == table || key->table->number_key != NULL) {
            continue;
        }
        char *inner = mem_printf("\n### %s\n", key->name);
        if (key->table->kind_count > 0 && key->table->key_count == 0) {
            check_choice(key->table);
        } else if (table == &config_table || strstr(buf_text(&page), inner) == NULL) {
            check_table(inner, key->name, key->table);
        } // else the config's object of that name has the section
        free(inner);
    }
}

static void page_and_reader_agree(void **state) {
    (void)state;
    check_table("\n## The config\n", "config", &config_table);
}

/* ---- the man page ---- */

/* The config's keys and those of its objects that have no kinds; of the others it names the kinds, and
 * test_docs looks at those. */
static void expect_in_man(const struct table *table, const char *man) {
    for (int i = 0; i < table->key_count; i++) {
        const struct table_key *key = &table->keys[i];
        char *marked = mem_printf("*%s*", key->name);
        if (strstr(man, marked) == NULL) {
            fail_msg("man/besom-trainer.1.scd does not name %s", marked);
        }
        free(marked);
        if (key->type == TABLE_OBJECT && key->table->kind_count == 0 &&
            key->table->number_key == NULL) {
            expect_in_man(key->table, man);
        }
    }
}

static void every_key_is_in_the_man_page(void **state) {
    struct buf man = {0};
    struct err err;
    (void)state;
    assert_int_equal(fs_read(SOURCE_DIR "/man/besom-trainer.1.scd", 1 << 20, &man, &err), ERR_OK);
    expect_in_man(&config_table, buf_text(&man));
    buf_release(&man);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_and_reader_agree),
        cmocka_unit_test(every_key_is_in_the_man_page),
    };
    struct err err;
    if (fs_read(SOURCE_DIR "/docs/trainer.md", 1 << 20, &page, &err) != ERR_OK) {
        (void)fputs(err.msg, stderr); // the status says it as well
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&page);
    return failed;
}

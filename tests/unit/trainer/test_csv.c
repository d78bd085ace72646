/* Tables: what is read, and every complaint with its place. */
#include "trainer/csv.h"

#include "base/buf.h"
#include "tests/unit/trainer/data_testing.h"

static int load(struct csv *csv, const char *text, const struct label_spec *label,
                struct err *err) {
    put_text("t.csv", text);
    char *path = mem_printf("%s/t.csv", folder);
    int rc = csv_load(csv, path, label, err);
    if (rc != ERR_OK && strncmp(err->msg, path, strlen(path)) != 0) {
        fail_msg("\"%s\" does not begin with %s", err->msg, path);
    }
    free(path);
    return rc;
}

static void load_good(struct csv *csv, const char *text, struct label_spec label) {
    struct err err;
    if (load(csv, text, &label, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void assert_refused(const char *text, struct label_spec label, int code,
                           const char *message) {
    struct csv csv = {0};
    struct err err = {0};
    int rc = load(&csv, text, &label, &err);
    csv_release(&csv);
    if (rc != code || strstr(err.msg, message) == NULL) {
        fail_msg("%s\n%s \"%s\", expected %s \"%s\"", text, err_name(rc), err.msg, err_name(code),
                 message);
    }
}

static void assert_rows(const struct csv *csv, int rows, int features, const uint8_t *labels,
                        const float *values) {
    assert_int_equal(csv->rows, rows);
    assert_int_equal(csv->features, features);
    assert_memory_equal(csv->labels, labels, (size_t)rows);
    assert_memory_equal(csv->values, values, (size_t)(rows * features) * sizeof *values);
}

static const struct label_spec unsaid = {0};

static void rows_become_labels_and_values(void **state) {
    (void)state;
    static const float values[] = {1, 2.5f, -3e-3f, 255};
    static const uint8_t labels[] = {7, 0};
    static const char *const texts[] = {
        "7,1,2.5\n0,-3e-3,255\n",
        "7,1,2.5\r\n0,-3e-3,255\r\n",
        "7,1,2.5\n0,-3e-3,255",             // no newline at the end
        "\n7,1,2.5\n\n\r\n0,-3e-3,255\n\n", // empty lines
        " 7 ,\t1, 2.5\n\"0\",\"-3e-3\",255.0\n",
        "\xef\xbb\xbf"
        "7,1,2.5\n0,-3e-3,2.55e2\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct csv csv;
        load_good(&csv, texts[i], unsaid);
        assert_rows(&csv, 2, 2, labels, values);
        assert_null(csv.names);
        csv_release(&csv);
    }
}

static void the_label_is_found_by_name_or_number(void **state) {
    (void)state;
    static const float values[] = {1, 2, 4, 5};
    static const uint8_t labels[] = {3, 6};
    const struct {
        const char *text;
        struct label_spec label;
        int column;
    } cases[] = {
        {"a,b,label\n1,2,3\n4,5,6\n", {0}, 2},
        {"label,a,b\n3,1,2\n6,4,5\n", {0}, 0},
        {"a,b,c\n3,1,2\n6,4,5\n", {0}, 0},
        {"a,\"the, \"\"class\"\"\",c\n1,3,2\n4,6,5\n", {.name = (char[]){"the, \"class\""}}, 1},
        {"1,2,3\n4,5,6\n", {.column = 3}, 2},
        {"label,b,c\n1,2,3\n4,5,6\n", {.column = 3}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct csv csv;
        load_good(&csv, cases[i].text, cases[i].label);
        assert_int_equal(csv.label, cases[i].column);
        assert_rows(&csv, 2, 2, labels, values);
        csv_release(&csv);
    }
}

static void what_is_wrong_is_said_with_its_place(void **state) {
    (void)state;
    const struct {
        const char *text;
        struct label_spec label;
        int code;
        const char *message;
    } cases[] = {
        {"", {0}, ERR_RANGE, "t.csv: no rows"},
        {"\n\n", {0}, ERR_RANGE, "t.csv: no rows"},
        {"a,label\n", {0}, ERR_RANGE, "no rows behind the header"},
        {"1\n2\n", {0}, ERR_RANGE, "one column, where a label and features are needed"},
        {"1,2\n1,x\n",
         {0},
         ERR_PARSE,
         ":2: column 2: \"x\" is no finite number that float32 can hold"},
        {"1,2\n1,nan\n", {0}, ERR_PARSE, ":2: column 2: \"nan\" is no finite number"},
        {"1,inf\n1,2\n", {0}, ERR_PARSE, ":1: column 2: \"inf\" is no finite number"},
        {"1,2\n1,1e39\n", {0}, ERR_PARSE, "\"1e39\" is no finite number"},
        {"1,2\n1,1e999\n", {0}, ERR_PARSE, "\"1e999\" is no finite number"},
        {"1,2\n1,\n", {0}, ERR_PARSE, ":2: column 2: \"\" is no finite number"},
        {"1,2\n\n256,2\n",
         {0},
         ERR_RANGE,
         ":3: column 1: \"256\" is no label, an integer from 0 to 255"},
        {"-1,2\n", {0}, ERR_RANGE, ":1: column 1: \"-1\" is no label"},
        {"1.5,2\n", {0}, ERR_RANGE, "\"1.5\" is no label"},
        {"1,2\n1,2,3\n", {0}, ERR_PARSE, ":2: column 3: a field more than the 2 of the first row"},
        {"1,2\n1\n", {0}, ERR_PARSE, ":2: column 1: the last field of the row"},
        {"1,2\n1,\"2\n", {0}, ERR_PARSE, ":2: column 2: truncated: a field in quotes has no end"},
        {"1,2\n1,2\"\n", {0}, ERR_PARSE, "a quote within a field without quotes"},
        {"1,2\n1,\"2\"3\n", {0}, ERR_PARSE, "something behind a field in quotes"},
        {"1,2\r3,4\n", {0}, ERR_PARSE, "a carriage return without a line feed"},
        {"a,b\n1,2\n",
         {.name = (char[]){"lable"}},
         ERR_RANGE,
         "no column \"lable\" for the label; known: a, b"},
        {"1,2\n", {.name = (char[]){"label"}}, ERR_RANGE, "the first row is no header"},
        {"1,2\n", {.column = 3}, ERR_RANGE, "no column 3 for the label: there are 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(cases[i].text, cases[i].label, cases[i].code, cases[i].message);
    }
    struct buf text = {0};
    buf_puts(&text, "1,");
    for (int i = 0; i < 1025; i++) {
        buf_putc(&text, '1');
    }
    assert_refused(buf_text(&text), unsaid, ERR_PARSE, "a field of more than 1024 bytes");
    buf_release(&text);
    put("t.csv", "1,2\n1,\0\n", 8);
    struct csv csv = {0};
    struct err err;
    char *path = mem_printf("%s/t.csv", folder);
    assert_int_equal(csv_load(&csv, path, &unsaid, &err), ERR_PARSE);
    assert_non_null(strstr(err.msg, ":2: column 2: a NUL"));
    free(path);
}

/* Every cut of a table is either refused or a table of fewer rows: never something else. */
static void a_cut_table_is_no_other_table(void **state) {
    (void)state;
    static const char whole[] = "a,\"b\",label\r\n1,2,3\r\n4,\"5\",6\r\n";
    for (size_t len = 0; len < sizeof whole; len++) {
        char cut[sizeof whole];
        memcpy(cut, whole, len);
        cut[len] = '\0';
        struct csv csv;
        struct err err;
        if (load(&csv, cut, &unsaid, &err) == ERR_OK) {
            static const float values[] = {1, 2, 4, 5};
            assert_in_range(csv.rows, 1, 2);
            assert_rows(&csv, csv.rows, 2, (const uint8_t[]){3, 6}, values);
            csv_release(&csv);
        }
    }
}

/* Longer than the reader's chunk. */
static void many_rows_are_read(void **state) {
    (void)state;
    enum { ROWS = 30000 };
    struct buf text = {0};
    for (int i = 0; i < ROWS; i++) {
        buf_printf(&text, "%d,%d,%d.5\n", i % 256, i, -i);
    }
    struct csv csv;
    load_good(&csv, buf_text(&text), unsaid);
    assert_int_equal(csv.rows, ROWS);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(csv.labels[i], i % 256);
        assert_true(csv.values[2 * i] == (float)i);
        assert_true(csv.values[2 * i + 1] == (i == 0 ? 0.5f : (float)-i - 0.5f));
    }
    csv_release(&csv);
    buf_release(&text);
}

/* ---- as sets ---- */

static void two_tables_are_a_set(void **state) {
    (void)state;
    put_text("train.csv", "label,a,b,c,d\n1,1,2,3,4\n2,5,6,7,8\n");
    put_text("test.csv", "4,9,9,9,9\n"); // a header may be missing
    struct dataset set;
    struct dataset_spec spec = folder_spec();
    open_good(&set, &spec);
    assert_int_equal(set.type, DATA_FLOAT32);
    assert_int_equal(set.shape.C, 4);
    assert_int_equal(set.shape.H, 1);
    assert_int_equal(set.classes, 5);
    assert_int_equal(set.train.count, 2);
    assert_true(((const float *)set.train.images)[5] == 6);
    dataset_close(&set);
    spec.csv_shape = (struct shape){1, 2, 2};
    open_good(&set, &spec);
    assert_int_equal(set.shape.H, 2);
    dataset_close(&set);
    spec.csv_shape = (struct shape){1, 2, 3};
    open_bad(&spec, ERR_RANGE, "has 4 columns beside the label, and \"shape\" [1, 2, 3] needs 6");
    spec.csv_shape = (struct shape){0};
    spec.label.column = 2;
    open_good(&set, &spec);
    assert_int_equal(set.train.labels[1], 5);
    dataset_close(&set);
}

static void tables_must_fit_together(void **state) {
    (void)state;
    struct dataset_spec spec = folder_spec();
    put_text("train.csv", "label,a,b\n1,1,2\n");
    put_text("test.csv", "label,b,a\n1,1,2\n");
    open_bad(&spec, ERR_RANGE, "column 2 is \"a\" in");
    put_text("test.csv", "label,a\n1,1\n");
    open_bad(&spec, ERR_RANGE, "has 3 columns, but");
    put_text("test.csv", "a,b,label\n1,1,2\n");
    open_bad(&spec, ERR_RANGE, "the label is column 1 of");
    put_text("test.csv", "0,1,x\n0,1,2\n"); // a header, then
    open_bad(&spec, ERR_RANGE, "column 1 is \"label\" in");
    drop("test.csv");
    open_bad(&spec, ERR_NOT_FOUND, "no test.csv[.gz] in");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(rows_become_labels_and_values),
        CASE(the_label_is_found_by_name_or_number),
        CASE(what_is_wrong_is_said_with_its_place),
        CASE(a_cut_table_is_no_other_table),
        CASE(many_rows_are_read),
        CASE(two_tables_are_a_set),
        CASE(tables_must_fit_together),
    };
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}

#include "results/table.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* A cell in `bytes`: its kind, and then
 *     ABSENT   nothing
 *     TEXT     the text, all of it fit to be shown, and a NUL
 *     INTEGER  its decimal text and a NUL
 *     NUMBER   how many significant digits people get, and the double
 *     BOTH     what is shown, a NUL, a JSON value, a NUL
 * so that a row costs little more than its text: a plan of a million trials is a table. */
enum kind { ABSENT, TEXT, INTEGER, NUMBER, BOTH };

struct cell {
    enum kind kind;
    const char *shown; // in the table's bytes, or in `number`
    const char *json;  // of BOTH
    int digits;        // significant ones of a NUMBER, else 0
    double value;
    char number[NUM_TEXT_MAX];
};

struct column {
    char *name; // owned
    enum table_align align;
    int width;    // that its name and its cells need, but for its NUMBERs
    bool numbers; // has NUMBERs, which take more room below others with more decimals
};

struct table {
    struct column *columns;
    int column_count;
    struct buf bytes; // the cells, row by row
    int64_t cell_count;
};

struct table *table_new(void) {
    return mem_zalloc(1, sizeof(struct table));
}

void table_free(struct table *table) {
    if (table == NULL) {
        return;
    }
    for (int i = 0; i < table->column_count; i++) {
        free(table->columns[i].name);
    }
    free(table->columns);
    buf_release(&table->bytes);
    free(table);
}

/* How many characters of printable ASCII `text` begins with: as a rule it is nothing else. */
static int ascii_len(const char *text) {
    int n = 0;
    while (text[n] >= ' ' && text[n] <= '~') {
        n++;
    }
    return n;
}

/* Columns that a terminal needs for `text`; bytes, where it is not valid in the locale. */
static int width_of(const char *text) {
    int width = ascii_len(text);
    if (text[width] == '\0') {
        return width;
    }
    width = 0;
    mbstate_t state = {0};
    size_t left = strlen(text);
    while (left > 0) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, left, &state);
        if (n == (size_t)-1 || n == (size_t)-2) {
            return width + (int)left;
        }
        int w = wcwidth(c);
        width += w > 0 ? w : 0;
        text += n;
        left -= n;
    }
    return width;
}

void table_column(struct table *table, const char *name, enum table_align align) {
    assert(table->cell_count == 0); // columns come before cells
    int n = table->column_count++;
    table->columns = mem_resize(table->columns, (size_t)n + 1, sizeof *table->columns);
    struct column *column = &table->columns[n];
    *column = (struct column){.name = mem_strdup(name), .align = align};
    utf8_plain(column->name);
    column->width = width_of(column->name);
}

/* ---- cells into bytes ---- */

static struct column *begin_cell(struct table *table, enum kind kind) {
    buf_putc(&table->bytes, (char)kind);
    return &table->columns[table->cell_count++ % table->column_count];
}

static void put_shown(struct table *table, enum kind kind, const char *shown) {
    struct column *column = begin_cell(table, kind);
    int width = width_of(shown);
    column->width = width > column->width ? width : column->width;
    buf_put(&table->bytes, shown, strlen(shown) + 1);
}

static void put_absent(struct table *table) {
    (void)begin_cell(table, ABSENT); // "-" is no wider than a column's name
}

void table_text(struct table *table, const char *text) {
    if (text == NULL) {
        put_absent(table);
        return;
    }
    if (text[ascii_len(text)] == '\0' || !utf8_has_control(text)) {
        put_shown(table, TEXT, text);
        return;
    }
    struct buf json = {0};
    buf_json_string(&json, text, strlen(text));
    table_json(table, text, buf_text(&json));
    buf_release(&json);
}

void table_int(struct table *table, int64_t value) {
    char text[NUM_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%lld", (long long)value); // always fits
    put_shown(table, INTEGER, text);
}

void table_number(struct table *table, double value, int digits) {
    if (isnan(value)) {
        put_absent(table);
        return;
    }
    begin_cell(table, NUMBER)->numbers = true;
    buf_putc(&table->bytes, (char)digits);
    buf_put(&table->bytes, &value, sizeof value);
}

void table_json(struct table *table, const char *shown, const char *json) {
    char *plain = mem_strdup(shown);
    utf8_plain(plain);
    put_shown(table, BOTH, plain);
    buf_put(&table->bytes, json, strlen(json) + 1);
    free(plain);
}

int64_t table_rows(const struct table *table) {
    return table->column_count == 0 ? 0 : table->cell_count / table->column_count;
}

/* ---- bytes into cells ---- */

static const char *take_text(const char **at) {
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

/* The cell at *at, which moves on to the next. */
static void next_cell(const char **at, struct cell *cell) {
    cell->kind = (enum kind) * (*at)++;
    cell->digits = 0;
    switch (cell->kind) {
    case ABSENT:
        cell->shown = "-";
        break;
    case NUMBER:
        cell->digits = (unsigned char)*(*at)++;
        memcpy(&cell->value, *at, sizeof cell->value);
        *at += sizeof cell->value;
        (void)num_human(cell->number, cell->value, cell->digits);
        cell->shown = cell->number;
        break;
    case TEXT:
    case INTEGER:
        cell->shown = take_text(at);
        break;
    case BOTH:
        cell->shown = take_text(at);
        cell->json = take_text(at);
        break;
    }
}

static void put_json(struct buf *out, const struct cell *cell) {
    switch (cell->kind) {
    case ABSENT:
        buf_puts(out, "null");
        break;
    case NUMBER:
        buf_json_number(out, cell->value);
        break;
    case TEXT:
        buf_json_string(out, cell->shown, strlen(cell->shown));
        break;
    case INTEGER:
        buf_puts(out, cell->shown);
        break;
    case BOTH:
        buf_puts(out, cell->json);
        break;
    }
}

/* ---- rows to a file ---- */

/* Rows as they are made, written many at a time.  What cannot be written, the file remembers. */
struct sink {
    FILE *file;
    struct buf text;
};

static void end_row(struct sink *sink) {
    enum { MANY = 1 << 16 };
    if (sink->text.len >= MANY) {
        (void)fwrite(sink->text.data, 1, sink->text.len, sink->file); // ferror() tells
        buf_clear(&sink->text);
    }
}

static void close_sink(struct sink *sink) {
    (void)fwrite(buf_text(&sink->text), 1, sink->text.len, sink->file); // ferror() tells
    buf_release(&sink->text);
}

/* ---- for people: decimal points below each other ---- */

/* The digits behind the point, -1 for what has no such form: text, "1e-07", "inf". */
static int decimals_of(const struct cell *cell) {
    if (cell->digits == 0 || cell->shown[strspn(cell->shown, "-.0123456789")] != '\0') {
        return -1;
    }
    const char *point = strchr(cell->shown, '.');
    return point == NULL ? 0 : (int)strlen(point + 1);
}

static int significant_in(const char *number) {
    int n = 0;
    for (const char *c = number + strspn(number, "-.0"); *c != '\0'; c++) {
        n += *c != '.';
    }
    return n;
}

/* A cell as people see it in a column whose longest has so many decimals, until `scratch` is used again.  "0.84" becomes
 * "0.8400" below "0.8466": zeros, as far as they stand for digits that were asked for. */
static const char *shown_with(const struct cell *cell, int decimals, struct buf *scratch) {
    int has = decimals_of(cell);
    if (has < 0 || has == decimals) {
        return cell->shown;
    }
    int digits = significant_in(cell->shown);
    bool zero = digits == 0;
    buf_clear(scratch);
    buf_puts(scratch, cell->shown);
    for (; has < decimals && (zero || digits < cell->digits); has++, digits++) {
        buf_puts(scratch, has == 0 ? ".0" : "0");
    }
    return buf_text(scratch);
}

/* How the columns of one printing are laid out. */
struct layout {
    int *decimals, *width; // owned: a column's most decimals, and what it needs on a terminal
    struct buf scratch;
};

static bool has_numbers(const struct table *table) {
    for (int c = 0; c < table->column_count; c++) {
        if (table->columns[c].numbers) {
            return true;
        }
    }
    return false;
}

static void lay_out(struct layout *layout, const struct table *table) {
    int columns = table->column_count;
    *layout = (struct layout){.decimals = mem_zalloc((size_t)columns, sizeof(int)),
                              .width = mem_zalloc((size_t)columns, sizeof(int))};
    for (int c = 0; c < columns; c++) {
        layout->width[c] = table->columns[c].width;
    }
    int64_t count = has_numbers(table) ? table->cell_count : 0;
    struct cell cell;
    const char *at = buf_text(&table->bytes);
    for (int64_t i = 0; i < count; i++) {
        next_cell(&at, &cell);
        int *most = &layout->decimals[i % columns], d = decimals_of(&cell);
        *most = d > *most ? d : *most;
    }
    at = buf_text(&table->bytes);
    for (int64_t i = 0; i < count; i++) {
        next_cell(&at, &cell);
        int *most = &layout->width[i % columns];
        int w = width_of(shown_with(&cell, layout->decimals[i % columns], &layout->scratch));
        *most = w > *most ? w : *most;
    }
}

static void layout_release(struct layout *layout) {
    free(layout->decimals);
    free(layout->width);
    buf_release(&layout->scratch);
}

static void pad(struct buf *out, int count) {
    if (count > 0) {
        memset(buf_reserve(out, (size_t)count), ' ', (size_t)count);
        out->len += (size_t)count;
    }
}

static void put_aligned(const struct table *table, struct buf *out, int column, int width,
                        const char *text) {
    int space = width - width_of(text);
    if (column + 1 == table->column_count && text[0] == '\0') {
        return; // no blanks at the end of a line
    }
    buf_puts(out, "  ");
    if (table->columns[column].align == TABLE_RIGHT) {
        pad(out, space);
        buf_puts(out, text);
    } else {
        buf_puts(out, text);
        if (column + 1 < table->column_count) {
            pad(out, space);
        }
    }
}

static void print_text(const struct table *table, struct sink *sink) {
    int columns = table->column_count;
    struct layout layout;
    struct cell cell;
    const char *at = buf_text(&table->bytes);
    lay_out(&layout, table);
    for (int c = 0; c < columns; c++) {
        put_aligned(table, &sink->text, c, layout.width[c], table->columns[c].name);
    }
    buf_putc(&sink->text, '\n');
    for (int64_t r = 0; r < table_rows(table); r++) {
        for (int c = 0; c < columns; c++) {
            next_cell(&at, &cell);
            put_aligned(table, &sink->text, c, layout.width[c],
                        shown_with(&cell, layout.decimals[c], &layout.scratch));
        }
        buf_putc(&sink->text, '\n');
        end_row(sink);
    }
    layout_release(&layout);
}

static void put_csv(struct buf *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buf_puts(out, text);
        return;
    }
    buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            buf_putc(out, '"');
        }
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

/* A machine's form of a cell that is not a string is its JSON: all digits, no quotes. */
static void put_csv_cell(struct buf *out, const struct cell *cell, struct buf *scratch) {
    if (cell->kind == ABSENT) {
        return; // an empty field
    }
    buf_clear(scratch);
    put_json(scratch, cell);
    put_csv(out, buf_text(scratch)[0] == '"' ? cell->shown : buf_text(scratch));
}

static void print_csv(const struct table *table, struct sink *sink) {
    struct buf *out = &sink->text, scratch = {0};
    struct cell cell;
    const char *at = buf_text(&table->bytes);
    for (int c = 0; c < table->column_count; c++) {
        buf_puts(out, c > 0 ? "," : "");
        put_csv(out, table->columns[c].name);
    }
    buf_puts(out, "\r\n");
    for (int64_t r = 0; r < table_rows(table); r++) {
        for (int c = 0; c < table->column_count; c++) {
            next_cell(&at, &cell);
            buf_puts(out, c > 0 ? "," : "");
            put_csv_cell(out, &cell, &scratch);
        }
        buf_puts(out, "\r\n");
        end_row(sink);
    }
    buf_release(&scratch);
}

static void put_md(struct buf *out, const char *text) {
    buf_puts(out, " ");
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            buf_putc(out, '\\');
        }
        buf_putc(out, *text == '\n' ? ' ' : *text);
    }
    buf_puts(out, " |");
}

static void print_md(const struct table *table, struct sink *sink) {
    struct buf *out = &sink->text;
    struct layout layout;
    struct cell cell;
    const char *at = buf_text(&table->bytes);
    lay_out(&layout, table);
    buf_putc(out, '|');
    for (int c = 0; c < table->column_count; c++) {
        put_md(out, table->columns[c].name);
    }
    buf_puts(out, "\n|");
    for (int c = 0; c < table->column_count; c++) {
        buf_puts(out, table->columns[c].align == TABLE_RIGHT ? " ---: |" : " --- |");
    }
    buf_putc(out, '\n');
    for (int64_t r = 0; r < table_rows(table); r++) {
        buf_putc(out, '|');
        for (int c = 0; c < table->column_count; c++) {
            next_cell(&at, &cell);
            put_md(out, shown_with(&cell, layout.decimals[c], &layout.scratch));
        }
        buf_putc(out, '\n');
        end_row(sink);
    }
    layout_release(&layout);
}

static void print_json(const struct table *table, struct sink *sink) {
    struct buf *out = &sink->text;
    struct cell cell;
    const char *at = buf_text(&table->bytes);
    buf_putc(out, '[');
    for (int64_t r = 0; r < table_rows(table); r++) {
        buf_puts(out, r == 0 ? "\n  {" : ",\n  {");
        for (int c = 0; c < table->column_count; c++) {
            const char *name = table->columns[c].name;
            next_cell(&at, &cell);
            buf_puts(out, c > 0 ? ", " : "");
            buf_json_string(out, name, strlen(name));
            buf_puts(out, ": ");
            put_json(out, &cell);
        }
        buf_putc(out, '}');
        end_row(sink);
    }
    buf_puts(out, table->cell_count > 0 ? "\n]\n" : "]\n");
}

void table_print(const struct table *table, enum table_format format, FILE *out) {
    assert(table->column_count > 0 && table->cell_count % table->column_count == 0);
    struct sink sink = {.file = out};
    switch (format) {
    case TABLE_TEXT:
        print_text(table, &sink);
        break;
    case TABLE_CSV:
        print_csv(table, &sink);
        break;
    case TABLE_MD:
        print_md(table, &sink);
        break;
    case TABLE_JSON:
        print_json(table, &sink);
        break;
    }
    close_sink(&sink);
}

bool table_parse_format(const char *name, enum table_format *format) {
    static const char *const names[] = {
        [TABLE_TEXT] = "text", [TABLE_CSV] = "csv", [TABLE_MD] = "md", [TABLE_JSON] = "json"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        if (strcmp(names[i], name) == 0) {
            *format = (enum table_format)i;
            return true;
        }
    }
    return false;
}

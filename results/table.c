#include "results/table.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct cell {
    char *shown; // owned; NULL: absent
    char *json;  // owned; the same as a JSON value, NULL: absent
    int digits;  // significant ones of a number in `shown`, 0: no number, or an integer
};

struct column {
    char *name; // owned
    enum table_align align;
};

struct table {
    struct column *columns;
    int column_count;
    struct cell *cells; // row by row
    int cell_count, cell_cap;
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
    for (int i = 0; i < table->cell_count; i++) {
        free(table->cells[i].shown);
        free(table->cells[i].json);
    }
    free(table->columns);
    free(table->cells);
    free(table);
}

void table_column(struct table *table, const char *name, enum table_align align) {
    assert(table->cell_count == 0); // columns come before cells
    int n = table->column_count++;
    table->columns = mem_resize(table->columns, (size_t)n + 1, sizeof *table->columns);
    table->columns[n] = (struct column){.name = mem_strdup(name), .align = align};
    utf8_plain(table->columns[n].name);
}

static void add(struct table *table, char *shown, char *json) {
    if (table->cell_count == table->cell_cap) {
        table->cell_cap = table->cell_cap == 0 ? 64 : 2 * table->cell_cap;
        table->cells = mem_resize(table->cells, (size_t)table->cell_cap, sizeof *table->cells);
    }
    table->cells[table->cell_count++] = (struct cell){.shown = shown, .json = json, .digits = 0};
}

void table_text(struct table *table, const char *text) {
    if (text == NULL) {
        add(table, NULL, NULL);
        return;
    }
    struct buf json = {0};
    buf_json_string(&json, text, strlen(text));
    char *shown = mem_strdup(text);
    utf8_plain(shown);
    add(table, shown, buf_detach(&json));
}

void table_int(struct table *table, int64_t value) {
    add(table, mem_printf("%lld", (long long)value), mem_printf("%lld", (long long)value));
}

void table_number(struct table *table, double value, int digits) {
    if (isnan(value)) {
        add(table, NULL, NULL);
        return;
    }
    char shown[NUM_TEXT_MAX];
    num_human(shown, value, digits);
    struct buf json = {0};
    buf_json_number(&json, value);
    add(table, mem_strdup(shown), buf_detach(&json));
    table->cells[table->cell_count - 1].digits = digits;
}

void table_json(struct table *table, const char *shown, const char *json) {
    add(table, mem_strdup(shown), mem_strdup(json));
}

int table_rows(const struct table *table) {
    return table->column_count == 0 ? 0 : table->cell_count / table->column_count;
}

/* Columns that a terminal needs for `text`; bytes, where it is not valid in the locale. */
static int width_of(const char *text) {
    int width = 0;
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

/* Of each column the most decimals that a cell has: an array, the caller's. */
static int *column_decimals(const struct table *table) {
    int *decimals = mem_zalloc((size_t)table->column_count, sizeof *decimals);
    for (int i = 0; i < table->cell_count; i++) {
        int *most = &decimals[i % table->column_count], d = decimals_of(&table->cells[i]);
        *most = d > *most ? d : *most;
    }
    return decimals;
}

/* A cell as people see it, until `scratch` is used again.  "0.84" becomes "0.8400" below "0.8466": zeros,
 * as far as they stand for digits that were asked for. */
static const char *shown_at(const struct table *table, int row, int column, const int *decimals,
                            struct buf *scratch) {
    const struct cell *cell = &table->cells[row * table->column_count + column];
    if (cell->shown == NULL) {
        return "-";
    }
    int has = decimals_of(cell);
    if (has < 0 || has == decimals[column]) {
        return cell->shown;
    }
    int digits = significant_in(cell->shown);
    bool zero = digits == 0;
    buf_clear(scratch);
    buf_puts(scratch, cell->shown);
    for (; has < decimals[column] && (zero || digits < cell->digits); has++, digits++) {
        buf_puts(scratch, has == 0 ? ".0" : "0");
    }
    return buf_text(scratch);
}

static void pad(struct buf *out, int count) {
    for (int i = 0; i < count; i++) {
        buf_putc(out, ' ');
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

static void print_text(const struct table *table, struct buf *out) {
    int columns = table->column_count, rows = table_rows(table);
    int *width = mem_zalloc((size_t)columns, sizeof *width);
    int *decimals = column_decimals(table);
    struct buf scratch = {0};
    for (int c = 0; c < columns; c++) {
        width[c] = width_of(table->columns[c].name);
        for (int r = 0; r < rows; r++) {
            int w = width_of(shown_at(table, r, c, decimals, &scratch));
            width[c] = w > width[c] ? w : width[c];
        }
    }
    for (int c = 0; c < columns; c++) {
        put_aligned(table, out, c, width[c], table->columns[c].name);
    }
    buf_putc(out, '\n');
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            put_aligned(table, out, c, width[c], shown_at(table, r, c, decimals, &scratch));
        }
        buf_putc(out, '\n');
    }
    buf_release(&scratch);
    free(decimals);
    free(width);
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
static const char *exact(const struct cell *cell) {
    if (cell->json == NULL) {
        return "";
    }
    return cell->json[0] == '"' ? cell->shown : cell->json;
}

static void print_csv(const struct table *table, struct buf *out) {
    for (int c = 0; c < table->column_count; c++) {
        buf_puts(out, c > 0 ? "," : "");
        put_csv(out, table->columns[c].name);
    }
    buf_puts(out, "\r\n");
    for (int i = 0; i < table->cell_count; i++) {
        int c = i % table->column_count;
        buf_puts(out, c > 0 ? "," : "");
        put_csv(out, exact(&table->cells[i]));
        buf_puts(out, c + 1 == table->column_count ? "\r\n" : "");
    }
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

static void print_md(const struct table *table, struct buf *out) {
    int *decimals = column_decimals(table);
    struct buf scratch = {0};
    buf_putc(out, '|');
    for (int c = 0; c < table->column_count; c++) {
        put_md(out, table->columns[c].name);
    }
    buf_puts(out, "\n|");
    for (int c = 0; c < table->column_count; c++) {
        buf_puts(out, table->columns[c].align == TABLE_RIGHT ? " ---: |" : " --- |");
    }
    buf_putc(out, '\n');
    for (int r = 0; r < table_rows(table); r++) {
        buf_putc(out, '|');
        for (int c = 0; c < table->column_count; c++) {
            put_md(out, shown_at(table, r, c, decimals, &scratch));
        }
        buf_putc(out, '\n');
    }
    buf_release(&scratch);
    free(decimals);
}

static void print_json(const struct table *table, struct buf *out) {
    buf_putc(out, '[');
    for (int i = 0; i < table->cell_count; i++) {
        int c = i % table->column_count;
        if (c == 0) {
            buf_puts(out, i == 0 ? "\n  {" : ",\n  {");
        } else {
            buf_puts(out, ", ");
        }
        const char *name = table->columns[c].name;
        buf_json_string(out, name, strlen(name));
        buf_puts(out, ": ");
        buf_puts(out, table->cells[i].json == NULL ? "null" : table->cells[i].json);
        buf_puts(out, c + 1 == table->column_count ? "}" : "");
    }
    buf_puts(out, table->cell_count > 0 ? "\n]\n" : "]\n");
}

void table_print(const struct table *table, enum table_format format, struct buf *out) {
    assert(table->column_count > 0 && table->cell_count % table->column_count == 0);
    switch (format) {
    case TABLE_TEXT:
        print_text(table, out);
        break;
    case TABLE_CSV:
        print_csv(table, out);
        break;
    case TABLE_MD:
        print_md(table, out);
        break;
    case TABLE_JSON:
        print_json(table, out);
        break;
    }
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

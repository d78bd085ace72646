/* The report for people and for programs. */
#include "verify/report.h"
#include "verify/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- for people ---- */

/* One line, whatever is in it: names come out of a database that may be damaged. */
static void put_plain(FILE *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            fprintf(out, "\\x%02x", *c);
        } else {
            fputc(*c, out);
        }
    }
}

static void put_place(FILE *out, const struct finding *f) {
    const char *comma = "";
    if (f->sweep != NULL) {
        fprintf(out, "sweep ");
        put_plain(out, f->sweep);
        comma = ", ";
    }
    const struct {
        const char *word;
        int64_t number;
    } numbers[] = {{"trial", f->trial}, {"attempt", f->attempt}, {"epoch", f->epoch}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].number != 0) {
            fprintf(out, "%s%s %" PRId64, comma, numbers[i].word, numbers[i].number);
            comma = ", ";
        }
    }
    const char *texts[] = {f->metric, f->file};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] != NULL) {
            fputs(comma, out);
            put_plain(out, texts[i]);
            comma = ", ";
        }
    }
    if (comma[0] != '\0') {
        fputs(": ", out);
    }
}

static void put_findings(FILE *out, const struct findings *findings, int show, const char *before) {
    for (int64_t i = 0; i < findings->count && i < show; i++) {
        fputs(before, out);
        put_place(out, &findings->list[i]);
        put_plain(out, findings->list[i].text);
        fputc('\n', out);
    }
    if (findings->count > show) {
        fprintf(out, "%sand %" PRId64 " more\n", before, findings->count - show);
    }
}

void verify_print(const struct verify_report *report, FILE *out) {
    put_plain(out, report->dir);
    fprintf(out,
            ": %" PRId64 " trials, %" PRId64 " epochs, %" PRId64 " values, %" PRId64
            " checkpoints\n",
            report->trials, report->epochs, report->values, report->checkpoints);
    int violated = 0;
    for (int i = 0; i < VERIFY_CHECK_COUNT; i++) {
        const struct verify_check_info *info = &verify_check_info[i];
        const struct findings *bad = &report->bad[i];
        fprintf(out, "%-4s %-12s %8" PRId64 " %-10s ", bad->count == 0 ? "ok" : "BAD", info->name,
                report->checked[i], info->unit);
        if (bad->count == 0) {
            fprintf(out, "%s\n", info->sentence);
        } else {
            violated++;
            fprintf(out, "%" PRId64 " violation%s of: %s\n", bad->count, bad->count == 1 ? "" : "s",
                    info->sentence);
            put_findings(out, bad, report->show, "       ");
        }
    }
    if (report->run_going_on) {
        fprintf(out, "note a run is going on here: what it has under way is judged leniently\n");
    }
    put_findings(out, &report->notes, report->show, "note ");
    int64_t violations = report_violations(report);
    if (violations == 0) {
        fprintf(out, "all %d invariants hold\n", VERIFY_CHECK_COUNT);
    } else {
        fprintf(out, "%d of %d invariants are violated, %" PRId64 " violation%s in all\n", violated,
                VERIFY_CHECK_COUNT, violations, violations == 1 ? "" : "s");
    }
}

/* ---- for programs ---- */

/* Bytes that are no UTF-8 become U+FFFD: a length by the first byte, checked byte by byte. */
static size_t utf8_at(const unsigned char *s) {
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad =
        (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) ||
        (n == 4 && (s[0] > 0xf4 || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)));
    return bad ? 0 : n;
}

static void put_json(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0';) {
        size_t n = utf8_at(c);
        if (n == 0) {
            fputs("\\ufffd", out);
            n = 1;
        } else if (*c < 0x20 || *c == '"' || *c == '\\') {
            fprintf(out, "\\u%04x", *c);
        } else {
            fwrite(c, 1, n, out);
        }
        c += n;
    }
    fputc('"', out);
}

static void put_member(FILE *out, const char *name, const char *text) {
    if (text != NULL) {
        fprintf(out, "\"%s\": ", name);
        put_json(out, text);
        fputs(", ", out);
    }
}

static void put_number(FILE *out, const char *name, int64_t number) {
    if (number != 0) {
        fprintf(out, "\"%s\": %" PRId64 ", ", name, number);
    }
}

static void put_json_findings(FILE *out, const struct findings *findings, int show) {
    fputc('[', out);
    for (int64_t i = 0; i < findings->count && i < show; i++) {
        const struct finding *f = &findings->list[i];
        fputs(i > 0 ? ", {" : "{", out);
        put_member(out, "sweep", f->sweep);
        put_number(out, "trial", f->trial);
        put_number(out, "attempt", f->attempt);
        put_number(out, "epoch", f->epoch);
        put_member(out, "metric", f->metric);
        put_member(out, "file", f->file);
        fputs("\"text\": ", out);
        put_json(out, f->text);
        fputc('}', out);
    }
    fputc(']', out);
}

void verify_print_json(const struct verify_report *report, FILE *out) {
    int64_t violations = report_violations(report);
    fputs("{\"dir\": ", out);
    put_json(out, report->dir);
    fprintf(out,
            ", \"holds\": %s, \"violations\": %" PRId64 ", \"run_going_on\": %s, \"version\": "
            "%" PRId64 ", \"trials\": %" PRId64 ", \"epochs\": %" PRId64 ", \"values\": %" PRId64
            ", \"checkpoints\": %" PRId64 ",\n \"invariants\": [",
            violations == 0 ? "true" : "false", violations, report->run_going_on ? "true" : "false",
            report->version, report->trials, report->epochs, report->values, report->checkpoints);
    for (int i = 0; i < VERIFY_CHECK_COUNT; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", out);
        fprintf(out, "{\"name\": \"%s\", \"checked\": %" PRId64 ", \"unit\": \"%s\", ",
                verify_check_info[i].name, report->checked[i], verify_check_info[i].unit);
        put_member(out, "claim", verify_check_info[i].sentence);
        fprintf(out, "\"violations\": %" PRId64 ", \"shown\": ", report->bad[i].count);
        put_json_findings(out, &report->bad[i], report->show);
        fputc('}', out);
    }
    fprintf(out, "],\n \"notes\": %" PRId64 ", \"notes_shown\": ", report->notes.count);
    put_json_findings(out, &report->notes, report->show);
    fputs("}\n", out);
}

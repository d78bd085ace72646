#include "verify/report.h"

#include "verify/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct verify_check_info verify_check_info[VERIFY_CHECK_COUNT] = {
#define X(id, name, unit, sentence) {name, unit, sentence},
    VERIFY_CHECKS(X)
#undef X
};

/* ---- memory ---- */

void *checked_alloc(size_t size) {
    void *p = calloc(1, size == 0 ? 1 : size);
    if (p == NULL) {
        abort();
    }
    return p;
}

void *checked_resize(void *p, size_t count, size_t size) {
    void *resized = reallocarray(p, count == 0 ? 1 : count, size);
    if (resized == NULL) {
        abort();
    }
    return resized;
}

char *checked_copy(const char *text) {
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL) {
        abort();
    }
    return copy;
}

static char *format_text(const char *format, va_list args) {
    char *text;
    if (vasprintf(&text, format, args) < 0) {
        abort();
    }
    return text;
}

char *checked_printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    return text;
}

/* ---- findings ---- */

struct verify_report *report_new(const char *dir, int show) {
    struct verify_report *report = checked_alloc(sizeof *report);
    report->dir = checked_copy(dir);
    report->show = show;
    return report;
}

static void findings_release(struct findings *findings, int show) {
    for (int64_t i = 0; i < findings->count && i < show; i++) {
        struct finding *f = &findings->list[i];
        free(f->metric);
        free(f->file);
        free(f->sweep);
        free(f->text);
    }
    free(findings->list);
}

void verify_free(struct verify_report *report) {
    if (report == NULL) {
        return;
    }
    for (int i = 0; i < VERIFY_CHECK_COUNT; i++) {
        findings_release(&report->bad[i], report->show);
    }
    findings_release(&report->notes, report->show);
    free(report->message);
    free(report->dir);
    free(report);
}

static void add(struct verify_report *report, struct findings *findings, const struct place *place,
                const char *format, va_list args) {
    if (findings->count++ >= report->show) {
        return;
    }
    GROW(findings->list, findings->count - 1);
    findings->list[findings->count - 1] = (struct finding){
        .trial = place->trial,
        .epoch = place->epoch,
        .attempt = place->attempt,
        .metric = checked_copy(place->metric),
        .file = checked_copy(place->file),
        .sweep = checked_copy(place->sweep),
        .text = format_text(format, args),
    };
}

void report_bad(struct verify_report *report, enum verify_check check, const struct place *place,
                const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(report, &report->bad[check], place, format, args);
    va_end(args);
}

void report_note(struct verify_report *report, const struct place *place, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(report, &report->notes, place, format, args);
    va_end(args);
}

void report_unreadable(struct verify_report *report, const char *format, ...) {
    va_list args;
    va_start(args, format);
    free(report->message);
    report->message = format_text(format, args);
    va_end(args);
}

void report_count(struct verify_report *report, enum verify_check check, int64_t count) {
    report->checked[check] += count;
}

int64_t report_violations(const struct verify_report *report) {
    int64_t count = 0;
    for (int i = 0; i < VERIFY_CHECK_COUNT; i++) {
        count += report->bad[i].count;
    }
    return count;
}

const char *verify_message(const struct verify_report *report) {
    return report->message != NULL ? report->message : "";
}

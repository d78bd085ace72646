#include "results/report_page.h"

#include "base/buf.h"

#include <string.h>

/* REPORT_PAGE_FILE is what results/page makes: the page, or an empty file where it could not be made. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "report_page_begin:\n"
        ".incbin \"" REPORT_PAGE_FILE "\"\n"
        "report_page_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char report_page_begin[], report_page_end[];

static const char mark[] = "@BESOM_DATA@"; // see results/page/build.mjs

const struct report_page *report_page(void) {
    static struct report_page page;
    size_t len = (size_t)(report_page_end - report_page_begin);
    const char *at = memmem(report_page_begin, len, mark, strlen(mark));
    if (at == NULL) {
        return NULL;
    }
    page.head = report_page_begin;
    page.head_len = (size_t)(at - report_page_begin);
    page.tail = at + strlen(mark);
    page.tail_len = len - page.head_len - strlen(mark);
    return &page;
}

void report_page_put_live(struct buf *page, struct buf *policy) {
    static const char tag[] = "<meta http-equiv=\"Content-Security-Policy\" content=\"",
                      end[] = "\">";
    static const char live[] = "{\"live\": true}";
    const struct report_page *p = report_page();
    const char *from = memmem(p->head, p->head_len, tag, strlen(tag));
    const char *text = from + strlen(tag), *to = strstr(text, end); // see results/page/index.html
    buf_put(policy, text, (size_t)(to - text));
    to += strlen(end);
    buf_put(page, p->head, (size_t)(from - p->head));
    buf_put(page, to, (size_t)(p->head + p->head_len - to));
    buf_put(page, live, strlen(live));
    buf_put(page, p->tail, p->tail_len);
}

void report_page_put_data(struct buf *out, const char *json, size_t len) {
    // In JSON a '<' stands in strings only, where \u003c is the same.
    for (const char *end = json + len; json < end;) {
        const char *bad = memchr(json, '<', (size_t)(end - json));
        size_t good = (size_t)((bad == NULL ? end : bad) - json);
        buf_put(out, json, good);
        json += good;
        if (bad != NULL) {
            buf_puts(out, "\\u003c");
            json++;
        }
    }
}

/* results/report_page.h - the report's page, built from results/page and kept inside the program.
 *
 * One HTML file without any link to elsewhere.  It draws the data document (results/report.h) that stands between
 * its two parts. */
#ifndef RESULTS_REPORT_PAGE_H
#define RESULTS_REPORT_PAGE_H

#include <stddef.h>

struct buf;

/* The page before and behind the data. */
struct report_page {
    const char *head, *tail;
    size_t head_len, tail_len;
};

/* NULL where the program was built without the page, which takes Node.js and npm. */
const struct report_page *report_page(void);

/* Appends the page for one who serves it: without data, which it asks for by itself (results/page/src/live.js), and
 * without its content security policy, which is appended to `policy` for a header.  There is a page. */
void report_page_put_live(struct buf *page, struct buf *policy);

/* Appends a data document as it may stand in the page: no text in it can end the element that holds it. */
void report_page_put_data(struct buf *out, const char *json, size_t len);

#endif

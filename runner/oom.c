#include "runner/oom.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"

#include <stdlib.h>
#include <string.h>

int64_t oom_count(const char *vmstat) {
    static const char name[] = "oom_kill ";
    for (const char *line = vmstat; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, sizeof name - 1) == 0) {
            return strtoll(line + sizeof name - 1, NULL, 10);
        }
    }
    return 0;
}

static int64_t count_now(void) {
    enum { TEXT_MAX = 1 << 20 };
    struct buf text = {0};
    struct err ignored; // no /proc: not known
    int rc = fs_read("/proc/vmstat", TEXT_MAX, &text, &ignored);
    int64_t count = rc == ERR_OK ? oom_count(buf_text(&text)) : 0;
    buf_release(&text);
    return count;
}

void oom_look(struct oom_watch *w, uint64_t now_ns) {
    bool first = w->looked_ns == 0;
    if (!first && now_ns - w->looked_ns < OOM_LOOK_S * UINT64_C(1000000000)) {
        return;
    }
    int64_t now = count_now();
    w->older = first ? now : w->newer;
    w->newer = now;
    w->looked_ns = now_ns;
}

bool oom_has_grown(const struct oom_watch *w) {
    return w->looked_ns != 0 && count_now() > w->older;
}

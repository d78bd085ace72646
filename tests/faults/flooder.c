/* flooder - a trainer that prints, fast.  For the campaigns flood and soak.
 *
 *     flooder bytes N          N bytes without a newline
 *     flooder lines N          N lines of text
 *     flooder records N        N epoch records, "a" among their metrics
 *     flooder paced N MS       N epoch records, one each MS; "at" is the wall clock, in seconds
 *     flooder done N           N epoch records in one write, the event done, and it ends
 *
 * Ends with 0, or with 1 when its stdout is gone. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, RECORD_MAX = 512 };

static bool put(const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n <= 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static bool put_bytes(long long left) {
    static char chunk[CHUNK];
    memset(chunk, 'x', sizeof chunk);
    bool good = true;
    for (; left > 0 && good; left -= CHUNK) {
        good = put(chunk, left < CHUNK ? (size_t)left : CHUNK);
    }
    return good;
}

/* Lines, each with its number between two texts, gathered into large writes. */
static bool put_many(long long count, const char *before, const char *after) {
    static char chunk[CHUNK];
    size_t len = 0;
    bool good = true;
    for (long long i = 1; i <= count && good; i++) {
        len += (size_t)snprintf(chunk + len, RECORD_MAX, "%s%lld%s", before, i,
                                after); // the callers' are shorter
        if (len > CHUNK - RECORD_MAX || i == count) {
            good = put(chunk, len);
            len = 0;
        }
    }
    return good;
}

static bool put_paced(long long count, long ms) {
    struct timespec next, now;
    bool good = true;
    (void)clock_gettime(CLOCK_MONOTONIC, &next); // neither clock can fail
    for (long long i = 1; i <= count && good; i++) {
        char text[RECORD_MAX];
        (void)clock_gettime(CLOCK_REALTIME, &now);
        int len = snprintf(text, sizeof text, "{\"epoch\": %lld, \"at\": %lld.%09ld}\n", i,
                           (long long)now.tv_sec, now.tv_nsec);
        good = put(text, (size_t)len);
        next.tv_nsec += ms * 1000000;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL); // cut short: no harm
    }
    return good;
}

/* Many, so that a short soak fills what the store keeps at hand. */
static const char done_metrics[] =
    ", \"loss\": 0.25, \"val_accuracy\": 0.5, \"m1\": 0.1, \"m2\": 0.2, \"m3\": 0.3, \"m4\": 0.4, "
    "\"m5\": 0.5, \"m6\": 0.6, \"m7\": 0.7, \"m8\": 0.8, \"m9\": 0.9, \"m10\": 1, \"m11\": 1.1, "
    "\"m12\": 1.2, \"m13\": 1.3, \"m14\": 1.4}\n";

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    long long count = argc > 2 ? atoll(argv[2]) : 0;
    bool good;
    if (strcmp(mode, "bytes") == 0) {
        good = put_bytes(count);
    } else if (strcmp(mode, "lines") == 0) {
        good = put_many(count, "step ", "\n");
    } else if (strcmp(mode, "records") == 0) {
        good = put_many(count, "{\"epoch\": ", ", \"a\": 0.5}\n");
    } else if (strcmp(mode, "paced") == 0 && argc > 3) {
        good = put_paced(count, atol(argv[3]));
    } else if (strcmp(mode, "done") == 0) {
        good = put_many(count, "{\"epoch\": ", done_metrics) &&
               put("{\"event\": \"done\"}\n", strlen("{\"event\": \"done\"}\n"));
    } else {
        (void)fprintf(stderr, "usage: flooder bytes|lines|records|done N, flooder paced N MS\n");
        return 2;
    }
    return good ? 0 : 1;
}

/* cli/serve_guard.h - which requests `besom serve` answers, and with what.
 *
 * It listens at 127.0.0.1, where any program of any user of the machine, and any web page in a browser on it, can
 * send requests to.  So a request must show that it comes from the page that was asked for:
 *
 *     rule                                                keeps out
 *     Host is 127.0.0.1:PORT or localhost:PORT            a page whose own name was made to point here (DNS rebinding)
 *     Origin, where there is one, is http:// and that     scripts of other pages
 *     GET or HEAD                                         whatever would change something: nothing here does
 *     the path begins with /TOKEN                         everybody who has not seen what besom serve printed
 *
 * The token is in the path and not in a cookie, as a cookie for 127.0.0.1 is sent to every port of it: to the
 * server of another user, too.  It lives as long as the process, the page sends no referrer, and no other copy is made.
 *
 * Nothing here does I/O, so that every rule can be tested by itself. */
#ifndef CLI_SERVE_GUARD_H
#define CLI_SERVE_GUARD_H

#include <stddef.h>

struct err;

enum { SERVE_TOKEN_LEN = 32 }; // hexadecimal digits: 128 bits

struct serve_guard {
    char token[SERVE_TOKEN_LEN + 1];
    int port; // that is listened at
};

/* What a request says.  A header that is missing is NULL; `hosts` and `origins` count how often each is there. */
struct serve_request {
    const char *method, *path; // the path is decoded and without its query
    const char *host, *origin;
    int hosts, origins;
};

enum serve_what { SERVE_REFUSED, SERVE_PAGE, SERVE_EVENTS };

struct serve_verdict {
    enum serve_what what;
    int status;      // HTTP's
    const char *why; // for who was refused: a line of text, static
};

/* Draws the token from the kernel.  ERR_IO where it has no random numbers. */
int serve_guard_init(struct serve_guard *guard, int port, struct err *err);

/* The first rule that a request breaks decides.  The token is compared in a time that does not depend on it. */
struct serve_verdict serve_guard_judge(const struct serve_guard *guard,
                                       const struct serve_request *request);

#endif

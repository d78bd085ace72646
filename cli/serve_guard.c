#include "cli/serve_guard.h"

#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

int serve_guard_init(struct serve_guard *guard, int port, struct err *err) {
    unsigned char bytes[SERVE_TOKEN_LEN / 2];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) { // so few are never cut short
        return err_io(err, errno, "draw a token");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        (void)snprintf(guard->token + 2 * i, 3, "%02x", bytes[i]); // fits
    }
    guard->port = port;
    return ERR_OK;
}

/* 127.0.0.1:PORT or localhost:PORT; of port 80 browsers leave the port out. */
static bool is_our_host(const struct serve_guard *guard, const char *host) {
    static const char *const names[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char ours[32];
        (void)snprintf(ours, sizeof ours, "%s:%d", names[i], guard->port); // fits
        if (strcasecmp(host, ours) == 0 || (guard->port == 80 && strcasecmp(host, names[i]) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_our_origin(const struct serve_guard *guard, const char *origin) {
    static const char scheme[] = "http://";
    return strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
           is_our_host(guard, origin + strlen(scheme));
}

/* All of the digits are looked at, whichever differ. */
static bool is_token(const struct serve_guard *guard, const char *text) {
    if (strnlen(text, SERVE_TOKEN_LEN) < SERVE_TOKEN_LEN) {
        return false; // how long it is is no secret
    }
    volatile unsigned char differs = 0;
    for (int i = 0; i < SERVE_TOKEN_LEN; i++) {
        differs |= (unsigned char)(guard->token[i] ^ text[i]);
    }
    return differs == 0;
}

static struct serve_verdict refuse(int status, const char *why) {
    return (struct serve_verdict){SERVE_REFUSED, status, why};
}

struct serve_verdict serve_guard_judge(const struct serve_guard *guard,
                                       const struct serve_request *request) {
    if (request->hosts != 1 || !is_our_host(guard, request->host)) {
        return refuse(403, "This is answered as 127.0.0.1 or localhost with its own port alone.  "
                           "A tunnel must have the same port at both ends.\n");
    }
    if (request->origins > 1 || (request->origins == 1 && !is_our_origin(guard, request->origin))) {
        return refuse(403, "Other pages get nothing from here.\n");
    }
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        return refuse(405, "Here is only to be read: GET or HEAD.\n");
    }
    if (request->path[0] != '/' || !is_token(guard, request->path + 1)) {
        return refuse(403, "Open the whole address that besom serve has printed, with its token.  "
                           "It is another one each time that it is started.\n");
    }
    const char *rest = request->path + 1 + SERVE_TOKEN_LEN;
    if (rest[0] == '\0' || strcmp(rest, "/") == 0) {
        return (struct serve_verdict){SERVE_PAGE, 200, NULL};
    }
    if (strcmp(rest, "/events") == 0) {
        return (struct serve_verdict){SERVE_EVENTS, 200, NULL};
    }
    return refuse(404, "There is nothing here.\n");
}

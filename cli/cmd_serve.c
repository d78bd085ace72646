/* besom serve: the program besom-serve in the place of this one.  libmicrohttpd, with the nine libraries that it
 * brings, is so loaded by whoever serves, and costs no other command its start. */
#include "base/err.h"
#include "cli/cmd.h"
#include "runner/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int cmd_serve(int argc, char **argv) {
    (void)argc; // a NULL ends argv
    char *program;
    struct err err;
    int rc = program_find(&program, "besom-serve", &err);
    if (rc == ERR_NOT_FOUND) {
        fprintf(stderr,
                "besom: %s.\nIt is built where libmicrohttpd is: install that (Debian: apt-get "
                "install libmicrohttpd-dev), then configure and build again.  besom report writes "
                "the page as a file.\n",
                err.msg);
        return EXIT_MISUSE;
    }
    if (rc == ERR_OK) {
        (void)execv(program, argv);
        (void)err_io(&err, errno, "start %s", program); // it is still this program
        free(program);
    }
    return cmd_fail(&err);
}

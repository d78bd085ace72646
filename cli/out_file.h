/* cli/out_file.h - the file that a command writes for its user: complete, or as if it had not been begun.
 *
 *     struct out_file file;
 *     if (out_file_open(&file, "runs.csv", force, &err) == 0) {
 *         ... fprintf(file.out, ...) ...      or whatever writes to the path file.tmp
 *         rc = good ? out_file_commit(&file, &err) : ERR_IO;
 *         out_file_close(&file);
 *     }
 *
 * It is written beside its place as .NAME.tmp and gets its name when it is on the disk.  Behind a link it is the link's
 * target that is made.  What is there and no regular file (a pipe, /dev/stdout) is written to in place. */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct err;

struct out_file {
    FILE *out;        // open until commit or close
    char *tmp;        // the file behind `out`; NULL for what is written in place
    const char *path; // borrowed, for messages
    char *dir, *name;
};

/* ERR_RANGE for a folder, and without `replace` for a file that is there and has something in it. */
int out_file_open(struct out_file *file, const char *path, bool replace, struct err *err);
int out_file_commit(struct out_file *file, struct err *err);
void out_file_close(struct out_file *file); // takes back what was not committed

#endif

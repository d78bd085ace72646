/* runner/program.h - where a program is. */
#ifndef RUNNER_PROGRAM_H
#define RUNNER_PROGRAM_H

struct err;

/* The file that `name` stands for; *path is on the heap.
 *
 *     with a '/'        that file, from the current folder
 *     besom-...         in the folder of the running program first, as build and package put ours there
 *     anything else     in the folders of PATH
 *
 * ERR_NOT_FOUND says where it was looked for; ERR_RANGE for a file that may not be executed. */
int program_find(char **path, const char *name, struct err *err);

#endif

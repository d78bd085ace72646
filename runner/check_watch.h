/* runner/check_watch.h - tells at once when a file in a trainer's folder changes.
 *
 * inotify on the folder and, as they appear, on the folders in it (CHECK_FOLDERS_MAX): a file is made,
 * written, cut, closed after writing, renamed or removed.  The runner's own files do not count. */
#ifndef RUNNER_CHECK_WATCH_H
#define RUNNER_CHECK_WATCH_H

struct check_watch;
struct err;
struct uv_loop_s;

enum { CHECK_FOLDERS_MAX = 64 };

/* `name` is the file's, without its folder; `what` a verb: "made", "written", "closed", ... */
typedef void check_change_fn(void *context, const char *name, const char *what);

int check_watch_start(struct check_watch **watch, struct uv_loop_s *loop, const char *dir,
                      check_change_fn *fn, void *context, struct err *err);

/* Frees itself from the loop; nothing is called any more.  NULL is fine. */
void check_watch_stop(struct check_watch *watch);

#endif

/* runner/loop.h - libuv's event loop, where it can be had. */
#ifndef RUNNER_LOOP_H
#define RUNNER_LOOP_H

struct err;
struct uv_loop_s;

/* Makes a loop, whose memory is base/mem.h's; uv_loop_close() ends it.  ERR_EXHAUSTED without descriptors. */
int loop_init(struct uv_loop_s *loop, struct err *err);

#endif

#include "runner/slot_wait.h"

#include "base/err.h"
#include "runner/run_internal.h"

static void wait_for(struct slot *slot, enum run_wait what, const char *met) {
    if (slot->waits && slot->waits_for == (int)what) {
        return; // told
    }
    slot_wait_over(slot);
    slot->waits = true;
    slot->waits_for = what;
    run_wait_begin(slot->run, what, met);
}

bool slot_wait_to_start(struct slot *slot, const struct err *err) {
    if (err->code != ERR_FULL && err->code != ERR_EXHAUSTED) {
        return false;
    }
    wait_for(slot, err->code == ERR_FULL ? RUN_WAIT_ROOM : RUN_WAIT_RESOURCES, err->msg);
    return true;
}

void slot_wait_for_room(struct slot *slot, const char *met) {
    wait_for(slot, RUN_WAIT_ROOM, met);
}

void slot_wait_over(struct slot *slot) {
    if (slot->waits) {
        slot->waits = false;
        run_wait_end(slot->run, (enum run_wait)slot->waits_for);
    }
}

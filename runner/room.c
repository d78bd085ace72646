#include "runner/room.h"

#include <stddef.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

int64_t room_left(const char *dir) {
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0 || fs.f_blocks == 0) { // of a tmpfs without a limit
        return INT64_MAX;
    }
    bool root = geteuid() == 0; // what is reserved is for root
    if (fs.f_files > 0 && (root ? fs.f_ffree : fs.f_favail) == 0) {
        return 0;
    }
    return (int64_t)((root ? fs.f_bfree : fs.f_bavail) * fs.f_frsize);
}

bool room_is_none(const char *dir) {
    return room_left(dir) < ROOM_NONE_BYTES;
}

/* As strerror(), Python, Java and people say it. */
static bool tells_of_room(const char *words) {
    static const char *const texts[] = {"No space left on device", "Disk quota exceeded", "ENOSPC",
                                        "EDQUOT", "not enough space on"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strstr(words, texts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool room_was_the_cause(int64_t left, const char *last_words) {
    return left < ROOM_NONE_BYTES ||
           (left < ROOM_LITTLE_BYTES && last_words != NULL && tells_of_room(last_words));
}

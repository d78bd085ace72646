/* shutdown_fs FOLDER - cuts the power of the file system that FOLDER is on, as far as it can tell.
 *
 * The kernel drops what it has not written, its journal too, and every later call on the file system
 * fails with EIO, until it is unmounted and mounted again.  ext4 and XFS know the call.  As root only,
 * and only for a file system that was mounted for this. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t) // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN alike

enum { NO_LOG_FLUSH = 2 };

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: shutdown_fs FOLDER\n");
        return 2;
    }
    uint32_t how = NO_LOG_FLUSH;
    int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, FS_SHUTDOWN, &how) != 0) {
        (void)fprintf(stderr, "shutdown_fs: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    return 0; // nothing can be closed properly any more
}

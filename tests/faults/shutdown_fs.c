/* shutdown_fs FOLDER FILE - cuts the power of the file system that FOLDER is on, as far as it can tell,
 * and prints how long FILE, on another one, was at that moment.
 *
 * The kernel drops what it has not written, its journal too, and every later call on the file system
 * fails with EIO, until it is unmounted and mounted again.  ext4 and XFS know the call.  As root only,
 * and only for a file system that was mounted for this.
 *
 * Behind a real cut nothing says anything any more.  Here programs run on, and an fsync under way can even
 * be told that it succeeded: when the journal is given up between its data and its commit, the kernel
 * finds no transaction left to wait for.  So a promise counts that was in FILE before the cut, and none
 * that came after it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t) // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN alike

enum { NO_LOG_FLUSH = 2 };

int main(int argc, char **argv) {
    if (argc != 3) {
        (void)fprintf(stderr, "Usage: shutdown_fs FOLDER FILE\n");
        return 2;
    }
    uint32_t how = NO_LOG_FLUSH;
    struct stat said;
    int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || stat(argv[2], &said) != 0 || ioctl(fd, FS_SHUTDOWN, &how) != 0) {
        (void)fprintf(stderr, "shutdown_fs: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    (void)printf("%lld\n", (long long)said.st_size); // the script sees what is missing
    return 0;                                        // nothing can be closed properly any more
}

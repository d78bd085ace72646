"""A file system of its own whose power can be cut: ext4 on an image, mounted through a loop device.  As root only."""
import fcntl
import os
import struct
import subprocess
import time

FS_SHUTDOWN = 0x8004587D  # _IOR('X', 125, uint32_t): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN alike
NO_LOG_FLUSH = 2


class LoopDisk:
    """`folder` is where it is mounted.  After the cut (by cut(), or by the action of inject_rules.h) reconnect()
    mounts it again, as after a boot: the journal is replayed."""

    @classmethod
    def make(cls, campaign, megabytes=64):
        """In the campaign's folder, and gone with it; None where that is not possible."""
        if os.geteuid() != 0:
            return None
        disk = cls(campaign.folder)
        with open(disk.image, "wb") as image:
            image.truncate(megabytes << 20)
        disk.folder.mkdir()
        if not (_runs("mkfs.ext4", "-q", "-F", disk.image) and disk._mount()):
            return None  # no such programs, or no loop devices
        campaign.cleanups.append(disk.remove)
        return disk

    def __init__(self, folder):
        self.image, self.folder, self.mounted = folder / "image", folder / "disk", False

    def _mount(self):
        """Tried again for a while: two that ask for a free loop device at once may be given the same."""
        end = time.monotonic() + 30
        while not self.mounted and time.monotonic() < end:
            self.mounted = _runs("mount", "-o", "loop,noatime", self.image, self.folder)
            if self.mounted and not self._answers():
                self.remove()
            if not self.mounted:
                time.sleep(0.05)
        return self.mounted

    def _answers(self):
        """False of one that was cut and lives on: a mount namespace that someone made meanwhile keeps it until it ends."""
        probe = self.folder / ".probe"
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def cut(self, promises):
        """Cuts the power, as far as the file system can tell: the kernel drops what it has not written, its journal
        too, and every later call fails with EIO.  Returns how long the file `promises`, on another file system, was at
        that moment.

        Behind a real cut nothing says anything any more.  Here programs run on, and an fsync under way can even be
        told that it succeeded: when the journal is given up between its data and its commit, the kernel finds no
        transaction left to wait for.  So a promise counts that was in the file before the cut, and none that came
        after it."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            said = os.stat(promises).st_size
            fcntl.ioctl(fd, FS_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)
        return said

    def reconnect(self):
        self.remove()
        if not self._mount():
            raise RuntimeError(f"{self.image} does not mount any more")

    def remove(self):
        end = time.monotonic() + 10
        while self.mounted and not _runs("umount", self.folder):
            if time.monotonic() > end:
                subprocess.run(["umount", "-l", self.folder], check=False)
                break
            time.sleep(0.01)
        self.mounted = False


def _runs(*command):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except FileNotFoundError:
        return False

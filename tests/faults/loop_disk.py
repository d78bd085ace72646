"""A file system of its own whose power can be cut: ext4 on an image, mounted through a loop device.  As root only."""
import os
import subprocess
import time


class LoopDisk:
    """`folder` is where it is mounted.  After the cut (shutdown_fs.c, or the action of inject_rules.h) reconnect()
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
            return None
        campaign.cleanups.append(disk.remove)
        return disk

    def __init__(self, folder):
        self.image, self.folder, self.mounted = folder / "image", folder / "disk", False

    def _mount(self):
        self.mounted = _runs("mount", "-o", "loop,noatime", self.image, self.folder)
        return self.mounted

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

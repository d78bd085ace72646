#!/usr/bin/env python3
"""A results.db with damage at random places: bits flipped, bytes overwritten, pages zeroed, the end cut off, its
write-ahead log cut or flipped; and files that are none of ours.  Whatever it is, `besom status`, `compare`, `plan` and
`run`
  - neither crash nor hang;
  - either refuse the file, with its name and a reason, and leave it as it was, byte for byte, or
  - read it.  A reader leaves the file alone then, too.
What SQLite finds wrong in a file whose last end was not clean is refused by `run` before anything is written.

A damaged file is a case."""
import shutil
import sqlite3
import subprocess

from campaign import Campaign, Failed, run_besom, start_besom, wait_for, write_sweep

SWEEP = {"name": "small", "config": {"epochs": 3}, "grid": {"x": [1, 2, 3, 4, 5, 6, 7, 8]}, "retries": 0}
TRAINER = """#!/bin/sh
for e in 1 2 3; do echo "{\\"epoch\\": $e, \\"val_accuracy\\": 0.$1$e, \\"val_loss\\": $e.5}"; done
"""
REFUSED = 74


def content(path):
    return path.read_bytes() if path.exists() else None


class Damage:
    def __init__(self, campaign):
        self.c, self.r = campaign, campaign.random
        trainer = campaign.folder / "trainer.sh"
        trainer.write_text(TRAINER)
        trainer.chmod(0o755)
        self.sweep = write_sweep(campaign.folder / "small.json", {**SWEEP, "trainer": [str(trainer), "{x}"]})
        self.whole = campaign.folder / "whole"
        run_besom("run", self.sweep, "-j", "2", "--out", self.whole, check=0)
        self.data = (self.whole / "results.db").read_bytes()
        self.killed = self.kill()

    def kill(self):
        """(results.db, its log) as a killed runner leaves them."""
        out = self.c.folder / "killed"
        slow = self.c.folder / "slow.sh"
        slow.write_text("#!/bin/sh\necho '{\"epoch\": 1, \"val_accuracy\": 0.5}'\nsleep 60\n")
        slow.chmod(0o755)
        sweep = write_sweep(self.c.folder / "slow.json", {**SWEEP, "trainer": [str(slow)]})
        shutil.copytree(self.whole, out)
        runner = start_besom("run", sweep, "-j", "1", "--out", out)
        log = out / "results.db-wal"
        if not wait_for(lambda: log.exists() and log.stat().st_size > 0, 20):
            raise Failed("the runner has no write-ahead log")
        wait_for(lambda: False, 0.3)
        runner.kill()
        runner.wait()
        return (out / "results.db").read_bytes(), log.read_bytes()

    # ---- the kinds: (what was done, results.db, its log or None) ----

    def flip(self, data):
        at = self.r.randrange(len(data))
        bit = self.r.randrange(8)
        return f"bit {bit} of byte {at} flipped", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]

    def overwrite(self, data):
        at, n = self.r.randrange(len(data)), self.r.choice([1, 2, 4, 16, 100, 512, 4096])
        junk = self.r.choice([bytes(n), b"\xff" * n, self.r.randbytes(n)])
        return f"{n} bytes from {at} overwritten by {junk[:4].hex()}...", (data[:at] + junk + data[at + n:])[:len(data)]

    def cut(self, data):
        n = self.r.choice([self.r.randrange(1, len(data)), self.r.randrange(1, 200),
                           self.r.randrange(1, len(data) // 4096) * 4096])
        return f"cut to {n} bytes", data[:n]

    def swap(self, data):
        pages = len(data) // 4096
        a, b = self.r.randrange(1, pages), self.r.randrange(1, pages)
        page = lambda i: data[i * 4096:(i + 1) * 4096]
        parts = [page(i) for i in range(pages)]
        parts[a], parts[b] = parts[b], parts[a]
        return f"pages {a + 1} and {b + 1} in each other's places", b"".join(parts)

    def foreign(self):
        kind = self.r.choice(["text", "other", "newer", "empty with a log"])
        if kind == "text":
            return "a text", b"not a database\n" * self.r.randrange(1, 1000), None
        if kind == "empty with a log":
            return kind, b"", self.killed[1]
        path = self.c.folder / "foreign.db"
        path.unlink(missing_ok=True)
        if kind == "newer":
            path.write_bytes(self.data)
        connection = sqlite3.connect(path)
        if kind == "newer":
            connection.execute(f"PRAGMA user_version = {self.r.randrange(100, 10000)}")
        else:
            connection.execute("CREATE TABLE precious (a)")
            connection.execute(f"PRAGMA application_id = {self.r.randrange(1, 1000)}")
        connection.commit()
        connection.close()
        return kind, path.read_bytes(), None

    def draw(self):
        kind = self.r.choice([self.flip] * 4 + [self.overwrite] * 3 + [self.cut] * 2 + [self.swap] + [None])
        if kind is None:
            return self.foreign() + (True,)
        if self.r.random() < 0.3:
            data, log = self.killed
            if self.r.random() < 0.5:
                what, data = kind(data)
                return what + ", with a log", data, log, False
            what, log = kind(log) if kind != self.swap else self.flip(log)
            return f"the log: {what}", data, log, False
        what, data = kind(self.data)
        return what, data, None, False

    # ---- what is required ----

    def look(self, number):
        what, data, log, must_refuse = self.draw()
        out = self.c.folder / "out"
        problems = []
        for words in (["status"], ["compare", "small"], ["plan", self.sweep], ["run", self.sweep]):
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            (out / "results.db").write_bytes(data)
            if log is not None:
                (out / "results.db-wal").write_bytes(log)
            try:
                done = run_besom(*words, "--out", out, timeout=60)
            except Failed as hang:
                problems.append(f"{words[0]}: {hang}")
                continue
            problems += [f"{words[0]}: {p}" for p in self.judge(words[0], done, out, data, log, must_refuse)]
        self.c.require(not problems, f"case {number}, {what}: " + "; ".join(problems)[:3000])

    def judge(self, command, done, out, data, log, must_refuse):
        if done.status < 0 or done.status not in (0, 1, 2, REFUSED) or "ERROR: " in done.err:
            yield f"crash: {done}"
        refused = done.status in (2, REFUSED)
        if must_refuse and not refused:
            yield f"not refused: {done}"
        if refused and not ("results.db" in done.err or "no trial" in done.err or "no sweep" in done.err
                            or done.err.strip()):
            yield f"refused without a reason: {done}"
        if done.status == REFUSED and "results.db" not in done.err:
            yield f"the file is not named: {done}"
        if command != "run" or (refused and self.is_before_writing(done.err)):
            if content(out / "results.db") != data:
                yield f"results.db was changed: {done}"
            if log is not None and content(out / "results.db-wal") != log:
                yield f"the log was changed: {done}"
        if command == "run" and log is not None and not refused and not self.is_sound(data, log):
            yield f"ran although SQLite finds damage: {done}"

    @staticmethod
    def is_before_writing(err):
        return "damaged (" in err or "not a database" in err or "another application" in err or "newer besom" in err

    def is_sound(self, data, log):
        """By the sqlite3 program, on a copy."""
        copy = self.c.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / "results.db").write_bytes(data)
        (copy / "results.db-wal").write_bytes(log)
        said = subprocess.run(["sqlite3", copy / "results.db", "PRAGMA integrity_check"], capture_output=True,
                              text=True, check=False).stdout
        return said.strip() == "ok"


def main():
    campaign = Campaign("damaged_db", 200, about=__doc__)
    damage = Damage(campaign)
    number = 0
    while campaign.more():
        number += 1
        damage.look(number)
    campaign.finish()


if __name__ == "__main__":
    main()

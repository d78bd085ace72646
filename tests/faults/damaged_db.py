#!/usr/bin/env python3
"""A results.db with damage at random places: bits flipped, bytes overwritten, pages zeroed, the end cut off, its
write-ahead log cut or flipped; files that are none of ours; and no file, or an empty one, where the copies of its rows are left.  Whatever it is, `besom status`, `compare`, `plan` and
`run`
  - neither crash nor hang;
  - either refuse the file, with its name and a reason, and leave it as it was, byte for byte, or
  - read it.  A reader leaves the file alone then, too.
What SQLite finds wrong is refused by `run` before anything is written.  Where it is refused the copies stay as they were,
too.  And `besom rebuild`, or as it says itself `rebuild --force`, leads out of whatever it is: results.db is then equal, row
by row, to the one that was not damaged.  That a file is intact it says only of one that is.

A bit that SQLite does not miss may be a value like any other.  Then a run that goes on with all trials, which writes their
copies anew, must not put it into the copies: what was measured comes back from them afterwards.

A damaged file is a case."""
import shutil
import sqlite3
import subprocess
import tempfile

from campaign import Campaign, Failed, run_besom, start_besom, wait_for, write_sweep

SWEEP = {"name": "small", "config": {"epochs": 3}, "grid": {"x": [1, 2, 3, 4, 5, 6, 7, 8]}, "retries": 0}
LONGER = {**SWEEP, "config": {"epochs": 4}}
TRAINER = """#!/bin/sh
epochs='1 2 3'
grep -q '"epochs": *4' "$BESOM_CONFIG" && epochs='4'
for e in $epochs; do echo "{\\"epoch\\": $e, \\"val_accuracy\\": 0.$1$e, \\"val_loss\\": $e.5}"; done
"""
REFUSED = 74


# Of each table that a copy has rows of: what is measured, and stays.
MEASURED = {
    "attempt": "SELECT t.key, a.* FROM attempt a JOIN trial t ON t.id = a.trial WHERE a.attempt = 1",
    "epoch": "SELECT t.key, e.epoch, e.attempt, e.seconds, e.at FROM epoch e JOIN trial t ON t.id = e.trial"
             " WHERE e.epoch < 4",
    "value": "SELECT t.key, m.name, v.epoch, v.kind, v.value, v.bits FROM value v JOIN trial t ON t.id = v.trial"
             " JOIN metric m ON m.id = v.metric WHERE v.epoch < 4",
}
USED = {"metric": "id IN (SELECT metric FROM value UNION SELECT metric FROM superseded UNION SELECT metric_id FROM sweep)",
        "heading": "id IN (SELECT heading FROM cell)"}


def rows(folder, queries):
    """What the database in `folder` answers, each answer sorted.  Nothing is written there."""
    with tempfile.TemporaryDirectory() as copy:
        for name in ("results.db", "results.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, copy)
        db = sqlite3.connect(f"{copy}/results.db")
        try:
            return {name: sorted(db.execute(query), key=repr) for name, query in queries(db).items()}
        finally:
            db.close()


def everything(db):
    """All rows of all tables, and the views.  A name that nothing uses is no loss; of an attempt that a killed runner left,
    a rebuild can but guess when it ended."""
    queries = {"views": "SELECT name, sql FROM sqlite_schema WHERE type = 'view'"}
    for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        if table == "attempt":
            columns = [f"iif(class = 'lost', NULL, {c})" if c in ("slot", "started_at", "ended_at", "seconds") else c for c in columns]
        if table == "epoch":
            columns = [f"iif((SELECT class = 'lost' FROM attempt a WHERE a.trial = epoch.trial AND a.attempt = epoch.attempt),"
                       f" NULL, {c})" if c == "at" else c for c in columns]
        if table == "student_t":  # the last digits may be another mathematics library's
            columns = ["df", "round(t, 9)"]
        queries[table] = f"SELECT {', '.join(columns)} FROM {table} WHERE {USED.get(table, '1')}"
    return queries


def differences(got, wanted):
    """A few rows that are in one only, "" when there are none."""
    found = [f"{name}: {'+' if row in got.get(name, []) else '-'}{row}" for name in sorted(got.keys() | wanted.keys())
             for row in got.get(name, []) + wanted.get(name, [])
             if got.get(name, []).count(row) != wanted.get(name, []).count(row)]
    return "; ".join(found[:4])[:1200]


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
        self.longer = write_sweep(campaign.folder / "longer.json", {**LONGER, "trainer": [str(trainer), "{x}"]})
        self.killed = self.kill()
        self.undamaged = [rows(folder, everything) for folder in (self.whole, campaign.folder / "killed")]
        self.rebuilt = [self.rebuild_undamaged(self.whole), self.rebuild_undamaged(campaign.folder / "killed")]
        self.measured = rows(self.whole, lambda _: MEASURED)
        self.copies_before = [self.copies(self.whole), self.copies(campaign.folder / "killed")]

    def rebuild_undamaged(self, folder):
        out = self.c.folder / "rebuilt"
        shutil.copytree(folder, out)
        run_besom("rebuild", "--force", "--out", out, check=0)
        found = rows(out, everything)
        shutil.rmtree(out)
        return found

    @staticmethod
    def copies(out):
        files = [*out.glob("sweeps/*"), *out.glob("trials/*/rows.jsonl")]
        return {path.relative_to(out): path.read_bytes() for path in files}

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
        kind = self.r.choice(["text", "other", "newer", "empty with a log", "lost", "emptied"])
        if kind in ("lost", "emptied"):
            return kind, None if kind == "lost" else b"", None
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
            self.lay_out(out, data, log)
            try:
                done = run_besom(*words, "--out", out, timeout=60)
            except Failed as hang:
                problems.append(f"{words[0]}: {hang}")
                continue
            problems += [f"{words[0]}: {p}" for p in self.judge(words[0], done, out, data, log, must_refuse)]
        self.lay_out(out, data, log)
        problems += self.ways_out(out, log is not None)
        if log is None and data is not None:
            self.lay_out(out, data, log)
            problems += self.go_on(out)
        self.c.require(not problems, f"case {number}, {what}: " + "; ".join(problems)[:3000])

    def lay_out(self, out, data, log):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self.whole if log is None else self.c.folder / "killed", out)
        for name in ("results.db", "results.db-wal", "results.db-shm"):
            (out / name).unlink(missing_ok=True)
        if data is not None:
            (out / "results.db").write_bytes(data)
        if log is not None:
            (out / "results.db-wal").write_bytes(log)

    def ways_out(self, out, killed):
        done = run_besom("rebuild", "--out", out, timeout=60)
        if done.status == 2 and "is intact" in done.err:
            yield from self.is_intact(out, killed)
        if done.status in (2, REFUSED) and "--force makes it anew" in done.err:
            if done.status == REFUSED and "differs from its" not in done.err:
                yield f"refused without a reason: {done}"
            done = run_besom("rebuild", "--force", "--out", out, timeout=60)
        if done.status != 0:
            yield f"no way out: {done}"
            return
        wrong = differences(rows(out, everything), self.rebuilt[killed])
        if wrong:
            yield f"rebuilt, and not equal: {wrong}"
        done = run_besom("verify", "--out", out, timeout=60)
        if done.status != 0:
            yield f"not whole after rebuild: {done}"

    def is_intact(self, out, killed):
        """A log that lost its end is one that the power was cut on: what its open attempt told is in the trial's log."""
        got, wanted = rows(out, everything), self.undamaged[killed]
        opened = {row[0] for row in got["trial"] if "running" in row}
        for table in ("epoch", "value", "summary", "trial") if killed else ():
            got[table] = [row for row in got[table] if row[0] not in opened]
            wanted = {**wanted, table: [row for row in wanted[table] if row[0] not in opened]}
        wrong = differences(got, wanted)
        if wrong:
            yield f"said to be intact, and not equal: {wrong}"

    def go_on(self, out):
        """With all trials, one epoch more."""
        done = run_besom("run", self.longer, "-j", "2", "--out", out, timeout=120)
        if done.status not in (0, 1, 2, REFUSED):
            yield f"going on: {done}"
        done = run_besom("rebuild", "--force", "--out", out, timeout=60)
        if done.status != 0:
            yield f"no way out after going on: {done}"
            return
        wrong = differences(rows(out, lambda _: MEASURED), self.measured)
        if wrong:
            yield f"a copy was made worse: {wrong}"

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
            if self.copies(out) != self.copies_before[log is not None]:
                yield f"the copies of the rows were changed: {done}"
        if command == "run" and not refused and not self.is_sound(data, log):
            yield f"ran although SQLite finds damage: {done}"

    @staticmethod
    def is_before_writing(err):
        return "copies of its rows" in err or "damaged (" in err or "not a database" in err or "another application" in err or "newer besom" in err

    def is_sound(self, data, log):
        """By the sqlite3 program, on a copy."""
        copy = self.c.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / "results.db").write_bytes(data)
        if log is not None:
            (copy / "results.db-wal").write_bytes(log)
        said = subprocess.run(["sqlite3", copy / "results.db", "PRAGMA integrity_check"], capture_output=True,
                              text=True, check=False).stdout
        return said.strip() == "ok"


def main():
    campaign = Campaign("damaged_db", 60, about=__doc__)
    damage = Damage(campaign)
    number = 0
    while campaign.more():
        number += 1
        damage.look(number)
    campaign.finish()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Every step that durability rests on, switched off: a test must fail then, or the step would be lost one day and nobody see it.

A switch is an edit of one source file: the file's copy with the step left out is compiled, and linked into otherwise unchanged
programs and unit tests, from the build that BESOM_BIN is of.  Steps that are system calls can be left out by libinject.so, too.
For each switch its checks are run, which are a unit test, an end-to-end test, a campaign over some sites, or a property
below.  All checks pass on the program as it is, which is tried first; at least one must fail with the switch off.  A switch
whose text is no longer in its file fails as well: then this table is to be brought up to date.

`--only TEXT` takes the switches with this in their names, `--list` prints them."""
import collections
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys

from campaign import (HERE, Campaign, Failed, alive, orphans, query, run_besom, shown, skip, start_besom, stored,
                      wait_for, write_sweep)
from inject import Injection, Rule, library
from loop_disk import LoopDisk
from sweeps import make_sweeps

ROOT = HERE.parent.parent
ABORT = {"CMOCKA_TEST_ABORT": "1"}  # one failure is enough: what comes after it may take minutes
T, B = "besom-trainer", "besom"


# `edits`: (old, new) pairs; `skips`: calls that are left out from outside, in place of edits
Switch = collections.namedtuple("Switch", "name file edits checks skips", defaults=((),))


def off(name, file, old, new, *checks):
    return Switch(name, file, [(old, new)], checks)


def left_out(name, program, call, pattern, *checks):
    return Switch(name, "", [], checks, (Rule(program, call, pattern, "before", "1+", "skip"),))


NO_GROUP = ("shim.trainer = fork_into(shim.group);", "shim.group = NULL;\n    shim.trainer = fork_into(shim.group);")

SWITCHES = [
    # one file, complete or absent
    off("file-sync", "base/fs.c", "if (durable && fdatasync(fd) != 0) {", "if (durable && fd < 0) {", "unit:test_fs_faults"),
    off("file-close-checked", "base/fs.c", "if (close(closing) != 0) {", "(void)close(closing);\n    if (closing < 0) {",
        "unit:test_fs_faults"),
    off("file-folder-sync", "base/fs.c", "if (durable && fsync(dir_fd) != 0) {", "if (durable && dir_fd < 0) {", "unit:test_fs_faults"),
    off("file-exclusive", "base/fs.c", "dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW", "dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC",
        "unit:test_fs_faults", "unit:test_fs"),
    Switch("file-renamed", "base/fs.c", [('".%s.tmp", name', '"%s", name'),
                                         ("renameat(dir_fd, tmp, dir_fd, name) != 0", "dir_fd < 0")],
           ("unit:test_fs_faults",)),
    off("folder-synced-in-its-parent", "base/fs.c", "int rc = sync_dir(parent) == 0 ? ERR_OK", "int rc = parent != NULL ? ERR_OK",
        "unit:test_fs_faults"),
    off("folder-not-synced-made-anew", "base/fs.c", "(void)rmdir(path);", "", "unit:test_fs_faults"),
    # many folders at once
    off("folders-file-synced", "base/fs.c", "bool good = fdatasync(folder->fd) == 0;", "bool good = folder->fd >= 0;", "unit:test_fs_faults"),
    off("folders-close-checked", "base/fs.c", "good = close(closing) == 0 && good &&", "(void)close(closing);\n    good = good &&",
        "unit:test_fs_faults"),
    off("folders-file-renamed", "base/fs.c", "good && renameat(AT_FDCWD, tmp, AT_FDCWD, path) == 0;", "good && link(tmp, path) == 0;",
        "unit:test_fs_faults"),
    off("folders-synced", "base/fs.c", "good = sync_dir(folders[i].path) == 0;", "good = folders[i].path != NULL;", "unit:test_fs_faults"),
    off("folders-synced-in-their-parent", "base/fs.c", "!(good && sync_dir(parent) == 0)", "!good", "unit:test_fs_faults"),
    left_out("checkpoint-sync", T, "fdatasync", "*/.cp-*.tmp", "told_checkpoint"),
    left_out("checkpoint-folder-sync", T, "fsync", "*/out/trials/*", "told_checkpoint"),
    # the database
    off("wal-synchronous", "results/store.c", "PRAGMA synchronous = FULL;", "PRAGMA synchronous = NORMAL;", "shown_rows"),
    off("synchronous-at-all", "results/store.c", "PRAGMA synchronous = FULL;", "PRAGMA synchronous = OFF;", "shown_rows"),
    left_out("wal-sync", B, "fdatasync", "*/results.db-wal", "shown_rows"),
    off("wal-looked-at", "results/store_open.c", "if (size <= 0 && wal > 0) {", "if (size == -2 && wal > 0) {",
        "unit:test_store_open"),
    off("io-error-ends-the-connection", "results/store.c", "store->dead |= !full; // a COMMIT", "// a COMMIT",
        "unit:test_store_faults"),
    off("failed-sync-is-no-full-disk", "results/store.c", "case SQLITE_IOERR_SHMSIZE:",
        "case SQLITE_IOERR_SHMSIZE:\n    case SQLITE_IOERR_FSYNC:", "unit:test_store_faults"),
    off("file-still-named", "results/store.c", "rc = rc == ERR_OK ? check_named(store, err) : rc;", "", "unit:test_store_faults"),
    off("file-settled-still-named", "results/store.c", "if (check_named(store, err) != ERR_OK) {", "if (store->dead) {", "unit:test_store_faults"),
    off("log-still-named", "results/store.c", "return rc == ERR_OK ? check_log_named(store, err) : rc;", "return rc;", "unit:test_store_faults"),
    off("bits-kept", "results/store_epoch.c", "sqlite3_bind_int64(stmt, 6, bits_of(m->value))",
        "sqlite3_bind_int64(stmt, 6, bits_of(m->value + 0.0))", "unit:test_store_epoch"),
    off("kind-kept", "results/store_epoch.c", "sqlite3_bind_int(stmt, 4, kind_of(m->value))",
        "sqlite3_bind_int(stmt, 4, KIND_FINITE * kind_of(m->value))", "unit:test_store_epoch", "unit:test_views"),
    off("bits-compared", "results/store_epoch.c", "if (found && bits != bits_of(m->value)", "if (found && bits != bits",
        "unit:test_store_epoch"),
    # the order of commits
    Switch("shown-after-commit", "runner/ledger_apply.c",
           [("int rc = store_begin(a->store, err);", "static int open;\n    int rc = open ? ERR_OK : store_begin(a->store, err);"),
            ("rc = rc == ERR_OK ? store_commit(a->store, err) : rc;",
             "open = !open;\n    rc = rc == ERR_OK && !open ? store_commit(a->store, err) : rc;")],
           ("shown_then_killed", "spawned_has_row")),
    off("told-after-save", "trainer/train.c", "int rc = due ? training_save_due(t, err) : ERR_OK;\n    rc = rc == ERR_OK ? training_say_looks",
        "record_print(&t->line, &record, timing);\n    int rc = training_say(t, err);\n    rc = rc == ERR_OK && due ? training_save_due(t, err) : rc;\n"
        "    rc = rc == ERR_OK ? training_say_looks", "told_epoch_is_saved"),
    off("history-in-checkpoints", "trainer/train_checkpoints.c", ".history = buf_text(&t->past)", '.history = "[]"',
        "unit:test_train", "unit:test_train_checkpoints"),
    off("records-repeated", "trainer/train_output.c", "for (int i = 0; i < count && rc == ERR_OK; i++) {",
        "for (int i = count; i < count && rc == ERR_OK; i++) {", "sites:epoch-said:before"),
    off("open-attempts-closed", "results/store_run.c", "int closed = sqlite3_changes(store->db);\n",
        "int closed = sqlite3_changes(store->db);\n    if (closed >= 0) {\n        *count = closed;\n        return ERR_OK;\n    }\n",
        "unit:test_store_plan"),
    off("epochs-contiguous", "runner/trial.c", "return o->epochs_done == o->epoch_last;", "return o->epochs_done >= 0;", "unit:test_trial"),
    # checkpoints when they are read
    off("checksum-verified", "trainer/safetensors.c", "r->file->checked = strcmp(digest, stored) == 0;", "r->file->checked = digest[0] != 0;",
        "unit:test_checkpoint", "unit:test_safetensors"),
    off("checksum-required", "trainer/checkpoint.c", "if (!safetensors_is_checked(c->file)) {", "if (c->file == NULL) {", "unit:test_checkpoint"),
    off("length-checked", "trainer/safetensors.c", "return at == r->data_len ? ERR_OK", "return at <= r->data_len ? ERR_OK",
        "unit:test_safetensors"),
    off("header-length-checked", "trainer/safetensors.c", "length > SAFETENSORS_HEADER_MAX || length > r->size - LENGTH_BYTES",
        "length > SAFETENSORS_HEADER_MAX", "unit:test_safetensors"),
    off("identity-checked", "trainer/checkpoint_folder.c", "strcmp(state->identity, identity) != 0", "state->identity == NULL",
        "unit:test_checkpoint"),
    off("position-checked", "trainer/checkpoint_folder.c", "position_compare(state->at, at) != 0) {", "state == NULL) {",
        "unit:test_checkpoint"),
    off("shapes-checked", "trainer/checkpoint.c", "same = found->dims[d] == wanted->dims[d];", "same = found->dims[d] >= 0;",
        "unit:test_checkpoint"),
    off("stale-temporaries-removed", "trainer/checkpoint_folder.c", "(void)unlinkat(fd, name, 0); // the next", "(void)fd; // the next",
        "unit:test_checkpoint"),
    off("surplus-after-the-newer", "trainer/checkpoint_folder.c", "bool safe = has_position(&list, now);", "bool safe = now.epoch >= 0;",
        "unit:test_checkpoint"),
    off("older-one-tried", "trainer/checkpoint_folder.c", "for (int i = 0; i < list.count && *checkpoint == NULL; i++) {",
        "for (int i = 0; i < list.count && i < 1; i++) {", "unit:test_checkpoint"),
    off("data-set-checked", "trainer/train_checkpoints.c", "if (strcmp(state->dataset, t->set.hash) != 0) {",
        "if (state->dataset == NULL) {", "other_data_refused"),
    # the copies that a lost database is made anew from
    off("rows-written", "runner/ledger_copies.c", "} else if (put(c, trial, &err) != ERR_OK) {",
        "} else if (c->store == NULL && put(c, trial, &err) != ERR_OK) {", "unit:test_ledger"),
    off("rows-owed-written", "runner/ledger_copies.c", "if (i == 0 || owed->trial[i] != owed->trial[i - 1]) {", "if (c->store == NULL) {",
        "unit:test_ledger"),
    off("rows-verified", "results/rows_read.c", "memcmp(kept, digits, HASH_HEX_LEN) == 0", "digits[0] != 0", "unit:test_snapshot"),
    off("rows-wholly-or-not", "results/rows_read.c", '"ROLLBACK TO rows; RELEASE rows"', '"RELEASE rows"', "unit:test_snapshot"),
    off("rows-renamed", "results/snapshot.c", 'mem_printf("%s/.%s.tmp", file->dir, file->name)',
        'mem_printf("%s/%s", file->dir, file->name)', "unit:test_snapshot"),
    left_out("sweep-copy-sync", B, "fdatasync", "*/out/sweeps/*", "planned_copy"),
    off("sweep-copy-folder-synced", "results/snapshot.c", "} else if (file->durable) {", "} else if (file->dir == NULL) {", "planned_copy"),
    off("rows-compared", "results/snapshot.c", "int rc = compare_old(s, kind, owner, path, err);", "int rc = ERR_OK;",
        "unit:test_snapshot_compare"),
    off("rows-looked-at", "results/snapshot.c", "bool current = fd >= 0 && rows_is_current(", "bool current = fd >= 0 || rows_is_current(",
        "unit:test_snapshot"),
    off("log-headers-are-besoms", "runner/trial_log.c", 'buf_puts(&log->pending, pretends ? " " : "");', "(void)pretends;",
        "unit:test_log_rows"),
    off("logged-before-taken", "runner/worker.c", "trial_log_flush(&s->worker->log); // first, so that it has what the runner dies of taking",
        "", "unit:test_worker"),
    off("log-read-after-a-kill", "runner/run_setup.c", "rc == ERR_OK ? log_rows_read_all(store, out_dir, true,",
        "rc != ERR_OK ? log_rows_read_all(store, out_dir, true,", "e2e:told.sh"),
    off("half-put-aside-goes-on", "runner/launch.c", "if (is_half || (afresh", "if ((afresh", "unit:test_run"),
    off("database-put-aside-with-its-log", "runner/rebuild.c", '{"", "-wal", "-journal", "-shm"}', '{"", "-shm"}', "faults:rebuilds.py --only rename-1"),
    left_out("rebuilt-database-sync", B, "fdatasync", "*/rebuild.tmp/results.db*", "rebuilt"),
    off("rebuilt-folder-synced", "runner/rebuild.c", "rc = rename(from, to) == 0 ? sync_folder(out_dir, err)",
        "rc = rename(from, to) == 0 ? ERR_OK", "rebuilt"),
    off("put-aside-one-after-the-other", "runner/rebuild.c", "rc = sync_folder(out_dir,\n                             err);", "rc = ERR_OK;",
        "put_aside_durably"),
    # who owns what
    off("folder-locked", "base/fs.c", "rc = flock(fd, LOCK_EX | LOCK_NB);", "rc = fd < 0;", "unit:test_fs"),
    off("lock-close-on-exec", "base/fs.c", "O_RDWR | O_CREAT | O_CLOEXEC, 0644", "O_RDWR | O_CREAT, 0644", "unit:test_fs"),
    off("runner-gone-told", "runner/shim_main.c", "(void)prctl(PR_SET_PDEATHSIG, RUNNER_GONE_SIGNAL);", "(void)0;",
        "no_orphans"),
    # a control group would do the same, where one can be made
    Switch("subreaper", "runner/shim_main.c", [("(void)prctl(PR_SET_CHILD_SUBREAPER, 1); ", "(void)0; "), NO_GROUP],
           ("faults:orphans.py --count 15 --tame",)),
    Switch("trainer-dies-with-its-shim", "runner/shim_main.c", [("(void)prctl(PR_SET_PDEATHSIG, SIGKILL);", "(void)0;"), NO_GROUP],
           ("shim_killed",)),
    off("descriptors-closed", "runner/shim_main.c",
        "close_range(shim->reports ? SHIM_REPORT_FD + 1 : SHIM_REPORT_FD, ~0U, 0) != 0", "getpid() < 0", "descriptors_closed"),
]


# ---- building a program with one file changed ----


class Build:
    """Of the build folder that BESOM_BIN is in."""

    def __init__(self, folder):
        os.environ["BESOM_INJECT_LIBRARY"] = library()  # the changed programs have none beside them
        self.build = pathlib.Path(os.environ["BESOM_BIN"]).resolve().parent
        self.folder = folder
        commands = self.build / "compile_commands.json"
        if not commands.exists() or shutil.which("ninja") is None:
            skip(f"{self.build} is not a build folder of Ninja with compile_commands.json")
        self.compile = {pathlib.Path(entry["file"]): entry for entry in json.loads(commands.read_text())}

    def unchanged(self, target):
        return self.build / target

    def object_of(self, switch):
        """The changed file, compiled; raises Failed when the text is not there once."""
        path = ROOT / switch.file
        text = path.read_text()
        for old, new in switch.edits:
            if text.count(old) != 1:
                raise Failed(f"{switch.file} has this {text.count(old)} times, not once: {old}")
            text = text.replace(old, new)
        changed = self.folder / f"{switch.name}.c"
        changed.write_text(text)
        entry = self.compile[path]
        words = [word for word in shlex.split(entry["command"]) if word != "-Werror"]
        target = self.folder / f"{switch.name}.o"
        words[words.index("-o") + 1] = str(target)
        words[words.index(str(path))] = str(changed)
        run([*words, "-w"], entry["directory"])
        return target

    def link(self, target, switch, changed, out):
        """`target` anew, with the changed object: before the libraries, so that its neighbour in there is not taken."""
        lines = run(["ninja", "-t", "commands", target], self.build).splitlines()
        words = shlex.split(lines[-1].removeprefix(": && ").removesuffix(" && :"))
        words[words.index("-o") + 1] = str(out)
        own = [i for i, word in enumerate(words) if word.endswith(f"/{pathlib.Path(switch.file).name}.o")]
        if own:
            words[own[0]] = str(changed)
        else:
            words.insert(next(i for i, word in enumerate(words) if word.endswith(".o")), str(changed))
        out.parent.mkdir(parents=True, exist_ok=True)
        run(words, self.build)

    def needs(self, switch, target):
        """Whether the program has a part of this file's floor in it."""
        floor = switch.file.split("/", maxsplit=1)[0]
        if switch.file == "runner/shim_main.c":
            return target == "bin/besom-shim"
        return target != "bin/besom-shim" and not (floor == "trainer" and target == "bin/besom") and \
            not (floor in ("results", "runner", "cli") and target == "bin/besom-trainer")

    def programs(self, switch, changed):
        """A folder with the three programs, those that have the changed object among them; unit tests need none of it."""
        out = self.folder / switch.name / "bin"
        out.mkdir(parents=True, exist_ok=True)
        (out.parent / "tests").symlink_to(self.build / "tests")  # the campaigns' own tools
        for name in ("besom", T, "besom-shim"):
            if changed is not None and self.needs(switch, f"bin/{name}"):
                self.link(f"bin/{name}", switch, changed, out / name)
            else:
                shutil.copy(self.build / "bin" / name, out / name)
        return out


def run(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))}\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


# ---- checks: "" when the promise holds, else what is wrong with it ----

SWEEP = {
    "name": "switches", "retries": 50,
    "config": {"dataset": {"name": "blobs", "train": 64, "test": 16}, "model": "logistic", "epochs": 8, "batch_size": 16,
               "checkpoint": {"every": 1, "keep": 0, "best": False}},
    "grid": {"optimizer": ["adam"]},
}


class Checks:
    def __init__(self, campaign, disk):
        self.c, self.disk = campaign, disk
        self.sweep = write_sweep(campaign.folder / "sweep.json", SWEEP)
        self.lines = campaign.folder / "lines"

    def needs_disk(self, name):
        return name in ("told_checkpoint", "shown_rows", "planned_copy", "rebuilt")

    def start(self, rules, on_disk=False):
        """Runs the sweep in a fresh folder, with rules; the folder and the injection."""
        base = self.disk.folder if on_disk else self.c.folder / "plain"
        base.mkdir(exist_ok=True)
        out = base / "out"
        shutil.rmtree(out, ignore_errors=True)
        if on_disk:
            os.sync()
        fault = Injection(self.c.folder, rules, fs=base if on_disk else None, lines=self.lines)
        with open(self.lines, "wb") as lines:
            run_besom("run", self.sweep, "--json", "-j", "1", "--out", out, env=fault.env, stdout=lines)
        orphans(out, 3)
        if on_disk:
            self.disk.reconnect()
        return out, fault

    def told_checkpoint(self, skips):
        """A checkpoint that was told is there, whole, after a power cut at this moment."""
        out, fault = self.start([Rule(T, "say", '{"event": "checkpoint"*', "after", 3, "cut"), *skips], True)
        if not fault.fired():
            return "the power was not cut"
        paths = list(out.glob("trials/*/cp-0003.safetensors"))
        if not paths:
            return "cp-0003 was told and is not there"
        done = subprocess.run([pathlib.Path(os.environ["BESOM_BIN"], T), "inspect", paths[0]], capture_output=True, check=False)
        return "" if done.returncode == 0 else f"cp-0003 was told and is not whole: {done.stderr}"

    def shown_rows(self, skips):
        """An epoch that was shown is there after a power cut at this moment."""
        for nth in (2, 5, 8):
            out, fault = self.start([Rule(B, "say", '{"event": "epoch"*', "after", nth, "cut"), *skips], True)
            promised = shown(self.lines.read_bytes()[:fault.lines_len()])
            if not promised:
                return "nothing was shown"
            if promised - rows_of(out):
                return f"{len(promised - rows_of(out))} values were shown and are lost"
        return ""

    def shown_then_killed(self, skips):
        for nth in range(1, 9):
            out, _ = self.start([Rule(B, "say", '{"event": "epoch"*', "after", nth, "kill"), *skips])
            if shown(self.lines.read_bytes()) - rows_of(out):
                return "an epoch was shown and is not stored"
        return ""

    def spawned_has_row(self, skips):
        """Whatever was started has a row, so that nothing runs that nobody knows of."""
        out, fault = self.start([Rule(B, "fork", "*", "after", 2, "kill"), *skips])  # the first is the checker
        if not fault.fired():
            return "nothing was started"
        return "" if query(out, "SELECT count(*) FROM attempt")[0][0] == 1 else "a trainer was started and has no row"

    def planned_copy(self, skips):
        """A sweep's copy is there, whole, before anything is said of the run.  By chance it can be there without its flush."""
        return next(filter(None, (self.planned_copy_once(skips) for _ in range(4))), "")

    def planned_copy_once(self, skips):
        out, fault = self.start([Rule(B, "say", '{"event": "started"*', "after", 1, "cut"), *skips], True)
        if not fault.fired():
            return "the power was not cut"
        for path in out.glob("results.db*"):
            path.unlink()
        done = run_besom("rebuild", "--out", out)
        if done.status != 0 or "1 sweep" not in done.out:
            return f"planned, and its copy is not there: {done}"
        return ""

    def rebuilt(self, skips):
        """A database that was said to be made anew is there after a power cut at this moment."""
        out, _ = self.start([], True)
        before = rows_of(out)
        (out / "results.db").write_bytes(b"damaged" * 1000)
        os.sync()
        self.lines.touch()
        run_besom("rebuild", "--out", out, check=0, env=Injection(self.c.folder, skips).env)
        self.disk.cut(self.lines)
        self.disk.reconnect()
        return "" if before and rows_of(out) == before else "said to be made anew, and is not whole"

    def put_aside_durably(self, skips):
        """A damaged database is gone for good before anything takes its place: else it may be back with another's log."""
        out, _ = self.start([])
        (out / "results.db").write_bytes(b"damaged" * 1000)
        fault = Injection(self.c.folder, [Rule(B, "fsync", "*/out", "before", 2, "EIO"), *skips])  # the first: of its work folder
        done = run_besom("rebuild", "--out", out, env=fault.env)
        return "" if done.status == 74 and not (out / "results.db").exists() else f"put in its place: {done}"

    def told_epoch_is_saved(self, skips):
        """Save first, then tell."""
        for nth in range(1, 9):
            out, _ = self.start([Rule(T, "say", '{"epoch"*', "after", nth, "kill-runner"), *skips])
            if not list(out.glob(f"trials/*/cp-{nth:04}.safetensors")):
                return f"epoch {nth} was told and is not saved"
        return ""

    def no_orphans(self, skips):
        """A trainer that hangs does not outlive its runner."""
        return self.killed_beside_a_sleeper(lambda runner: runner.kill())

    def shim_killed(self, skips):
        """Nor its shim."""
        def kill_shim(runner):
            os.kill(runner.pid, signal.SIGSTOP)  # or it would kill what they leave
            found = [pid for pid, words in alive(self.c.folder / "plain" / "out").items() if "besom-shim" in words]
            for pid in found:
                os.kill(pid, 9)
            runner.kill()
        return self.killed_beside_a_sleeper(kill_shim)

    def descriptors_closed(self, skips):
        """A descriptor that besom was started with does not reach a trainer."""
        sweep = write_sweep(self.c.folder / "fds.json", {
            "name": "fds", "grid": {"x": [1]}, "retries": 0,
            "trainer": ["/bin/sh", "-c", "if [ -e /proc/$$/fd/77 ]; then exit 3; fi"]})
        out = self.c.folder / "plain" / "out"
        shutil.rmtree(out, ignore_errors=True)
        os.dup2(2, 77, inheritable=True)
        try:
            done = run_besom("run", sweep, "--out", out, pass_fds=(77,))
        finally:
            os.close(77)
        return "" if done.status == 0 else str(done)

    def other_data_refused(self, skips):
        """A training does not go on with other images than its checkpoints are of, also where only they can tell."""
        folder = self.c.folder / "images"
        shutil.rmtree(folder, ignore_errors=True)
        sweep = make_sweeps(folder, replicates=1)["images"]
        out = folder / "out"
        fault = Injection(self.c.folder, [Rule(T, "say", '{"epoch": 2*', "after", 1, "kill-runner")])
        run_besom("run", sweep, "-j", "1", "--out", out, env=fault.env, check=-9)
        orphans(out, 3)
        for origin in out.glob("trials/*/origin.json"):
            origin.unlink()
        labels = folder / "digits" / "train-labels.npy"
        data = bytearray(labels.read_bytes())
        data[-1] ^= 1
        labels.write_bytes(data)
        done = run_besom("run", sweep, "--out", out)
        reasons = {row[0] for row in query(out, "SELECT reason FROM failures")}
        return "" if done.status == 1 and "differs" in reasons else f"status {done.status}, reasons {reasons}"

    def killed_beside_a_sleeper(self, kill):
        sweep = write_sweep(self.c.folder / "sleeper.json", {"name": "sleeper", "grid": {"x": [1]}, "trainer": ["/bin/sleep", "100"]})
        out = self.c.folder / "plain" / "out"
        shutil.rmtree(out, ignore_errors=True)
        runner = start_besom("run", sweep, "--out", out)
        if not wait_for(lambda: any(words.startswith("/bin/sleep") for words in alive(out).values()), 20):
            return "the trainer did not start"
        kill(runner)
        runner.wait()
        left = orphans(out, 3)
        for pid in left:
            os.kill(pid, 9)
        return f"outlived it: {left}" if left else ""


def rows_of(out):
    try:
        return stored(out)
    except Exception:  # the database is not whole, or not even there
        return set()


# ---- the campaign ----


class Switches:
    def __init__(self):
        def more_arguments(parser):
            parser.add_argument("--only", default="", metavar="TEXT", help="the switches with this in their names")
            parser.add_argument("--list", action="store_true", help="print the switches and leave")
        self.c = Campaign("switches", default_count=None, about=__doc__, add_arguments=more_arguments)
        self.build = Build(self.c.folder)
        self.disk = LoopDisk.make(self.c)
        if self.disk is None:
            self.c.say("SWITCHES THAT ONLY A POWER CUT SHOWS ARE LEFT OUT: they need root, loop devices and ext4")
        self.checks = Checks(self.c, self.disk)
        self.bin = os.environ["BESOM_BIN"]

    def possible(self, check):
        return self.disk is not None or not self.checks.needs_disk(check)

    def check(self, check, switch, bin_folder, changed):
        """What is wrong, or ""."""
        kind, _, what = check.partition(":")
        if kind == "unit":
            program = self.build.unchanged(f"tests/{what}")
            if changed is not None:
                program = self.c.folder / f"{switch.name}-{what}"
                self.build.link(f"tests/{what}", switch, changed, program)
            return self.outcome([str(program)], bin_folder)
        if kind == "sites":
            return self.outcome([str(HERE / "sites.py"), "--fail-fast", "--occurrences", "3", "--only", what], bin_folder)
        if kind == "faults":
            return self.outcome([str(HERE / what.split()[0]), "--fail-fast", *what.split()[1:]], bin_folder)
        if kind == "e2e":
            return self.outcome([str(HERE.parent / "e2e" / what)], bin_folder)
        os.environ["BESOM_BIN"] = str(bin_folder)
        try:
            return getattr(self.checks, kind)(switch.skips if switch is not None else ())
        except Failed as failure:
            return str(failure)
        finally:
            os.environ["BESOM_BIN"] = self.bin

    def outcome(self, words, bin_folder):
        try:
            done = subprocess.run(words, env={**os.environ, **ABORT, "BESOM_BIN": str(bin_folder), "BESOM_SHIM": str(bin_folder / "besom-shim")},
                                  cwd=self.c.folder, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            return "does not end"
        return "" if done.returncode == 0 else (done.stdout + done.stderr)[-300:] or f"status {done.returncode}"

    def run(self):
        switches = [switch for switch in SWITCHES if self.c.args.only in switch.name]
        for check in sorted({check for switch in switches for check in switch.checks if self.possible(check)}):
            wrong = self.check(check, None, pathlib.Path(self.bin), None)
            self.c.require(not wrong, f"{check} fails on the program as it is: {wrong}")
        for switch in switches:
            self.turn_off(switch)
        self.c.finish()

    def turn_off(self, switch):
        checks = [check for check in switch.checks if self.possible(check)]
        if not checks:
            return
        try:
            changed = self.build.object_of(switch) if switch.file else None
            bin_folder = pathlib.Path(self.bin)
            for check in sorted(checks, key=lambda check: not check.startswith("unit:")):
                if not check.startswith("unit:") and bin_folder == pathlib.Path(self.bin):
                    bin_folder = self.build.programs(switch, changed)
                wrong = self.check(check, switch, bin_folder, changed)
                if wrong:
                    self.c.detail(f"{switch.name} off: {check}: {wrong.strip().splitlines()[-1][:150]}")
                    self.c.passed()
                    return
            self.c.failed(f"{switch.name}: off, and no test fails: {', '.join(checks)}")
        except Failed as failure:
            self.c.failed(f"{switch.name}: {failure}")


if "--list" in sys.argv:
    for each in SWITCHES:
        print(f"{each.name:30} {each.file or 'a call left out':32} {', '.join(each.checks)}")
else:
    Switches().run()

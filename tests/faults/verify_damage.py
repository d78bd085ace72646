"""Ways to damage a results folder, each with what `besom verify` has to say of it.

A damage is a function of a Folder that breaks one thing and returns what a violation must contain: a dict of the
fields "trial", "epoch", "metric", "file" (its end), "text" (a part of it), of which those that are given must
all be in one violation of the invariant that the decorator names."""
import ctypes
import json
import pathlib
import shutil
import sqlite3
import struct

DAMAGES = []


def damage(invariant):
    def note(function):
        DAMAGES.append((function.__name__.replace("_", " "), invariant, function))
        return function
    return note


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def xxh128(data):
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_128bits.restype = Hash128
    library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    digest = library.XXH3_128bits(data, len(data))
    return f"{digest.high:016x}{digest.low:016x}"


class Folder:
    """A copy of a good results folder."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def sql(self, *statements, **values):
        """Runs them; the rows of the last."""
        db = sqlite3.connect(self.path / "results.db", isolation_level=None)
        try:
            db.execute("PRAGMA legacy_alter_table = ON")
            rows = []
            for statement in statements:
                rows = db.execute(statement, values if ":" in statement else {}).fetchall()
            return rows
        finally:
            db.close()

    def one(self, statement, **values):
        return self.sql(statement, **values)[0][0]

    def trial(self, sweep):
        """The first trial of a sweep."""
        return self.one("SELECT min(t.id) FROM trial t JOIN sweep s ON s.id = t.sweep WHERE s.name = :s", s=sweep)

    def metric(self, name):
        return self.one("SELECT id FROM metric WHERE name = :n", n=name)

    def folder(self, trial):
        return self.path / "trials" / self.one("SELECT key FROM trial WHERE id = :t", t=trial)

    def checkpoints(self, trial):
        return sorted(self.folder(trial).glob("cp-*.safetensors"))

    def last(self, trial):
        return self.folder(trial) / "cp-{:04}.safetensors".format(
            self.one("SELECT epochs_done FROM trial WHERE id = :t", t=trial))

    def without_keys(self, table):
        """The table loses its primary key, so that rows can be doubled."""
        self.sql(f"CREATE TABLE other AS SELECT * FROM {table}", f"DROP TABLE {table}",
                 f"ALTER TABLE other RENAME TO {table}")


def rewrite(path, change, checksum=True):
    """Changes a checkpoint's header by change(header), and makes its checksum true again."""
    raw = path.read_bytes()
    n, = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8:8 + n])
    change(header)
    mark = b'"checksum":"'
    if checksum:
        header["__metadata__"]["checksum"] = "0" * 32
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    raw = struct.pack("<Q", len(text)) + text + raw[8 + n:]
    if checksum:
        at = raw.index(mark) + len(mark)
        raw = raw[:at] + xxh128(raw).encode() + raw[at + 32:]
    path.write_bytes(raw)


def meta(path):
    raw = path.read_bytes()
    n, = struct.unpack_from("<Q", raw)
    return json.loads(raw[8:8 + n])["__metadata__"]


# ---- epochs and values ----


@damage("epochs")
def an_epoch_row_is_lost(f):
    t = f.trial("features")
    f.sql("DELETE FROM epoch WHERE trial = :t AND epoch = 3", t=t)
    return {"trial": t, "epoch": 3, "text": "lost"}


@damage("epochs")
def an_epoch_is_lost_with_its_values(f):
    t = f.trial("foreign")
    f.sql("DELETE FROM epoch WHERE trial = :t AND epoch = 2", "DELETE FROM value WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "missing"}


@damage("history")
def an_epoch_is_lost_that_a_checkpoint_has(f):
    t = f.trial("features")
    f.sql("DELETE FROM epoch WHERE trial = :t AND epoch = 2", "DELETE FROM value WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "lost"}


@damage("status")
def the_last_epoch_is_lost_and_not_counted(f):
    t = f.trial("foreign")
    f.sql("DELETE FROM value WHERE trial = :t AND epoch = (SELECT max(epoch) FROM epoch WHERE trial = :t)",
          "DELETE FROM epoch WHERE trial = :t AND epoch = (SELECT max(epoch) FROM epoch WHERE trial = :t)",
          "UPDATE trial SET epochs_done = epochs_done - 1 WHERE id = :t", t=t)
    return {"trial": t, "text": "nothing stopped it"}


@damage("epochs")
def a_value_is_lost(f):
    t = f.trial("features")
    f.sql("DELETE FROM value WHERE trial = :t AND epoch = 4 AND metric = :m", t=t, m=f.metric("val_loss"))
    return {"trial": t, "epoch": 4, "metric": "val_loss"}


@damage("epochs")
def all_values_of_an_epoch_are_lost(f):
    t = f.trial("images")
    f.sql("DELETE FROM value WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "no values"}


@damage("epochs")
def a_value_lies_behind_the_last_epoch(f):
    t = f.trial("features")
    f.sql("INSERT INTO value SELECT trial, 99, metric, kind, value, bits FROM value"
          " WHERE trial = :t AND epoch = 1 LIMIT 1", t=t)
    return {"trial": t, "epoch": 99}


@damage("epochs")
def an_epoch_is_there_twice(f):
    t = f.trial("features")
    f.without_keys("epoch")
    f.sql("INSERT INTO epoch SELECT * FROM epoch WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "twice"}


@damage("epochs")
def an_epoch_is_of_an_attempt_that_was_not(f):
    t = f.trial("weights")
    f.sql("UPDATE epoch SET attempt = 77 WHERE trial = :t AND epoch = 1", t=t)
    return {"trial": t, "epoch": 1, "text": "77"}


@damage("values")
def a_value_is_there_twice(f):
    t = f.trial("features")
    f.without_keys("value")
    f.sql("INSERT INTO value SELECT * FROM value WHERE trial = :t AND epoch = 2 LIMIT 1", t=t)
    return {"trial": t, "epoch": 2, "text": "twice"}


@damage("values")
def the_lowest_bit_is_another(f):
    t = f.trial("features")
    f.sql("UPDATE value SET bits = bits + 1 WHERE trial = :t AND epoch = 3 AND metric = :m", t=t,
          m=f.metric("train_loss"))
    return {"trial": t, "epoch": 3, "metric": "train_loss", "text": "another number"}


@damage("values")
def a_value_is_another_than_its_bits(f):
    t = f.trial("foreign")
    f.sql("UPDATE value SET value = value + 1 WHERE trial = :t AND epoch = 1", t=t)
    return {"trial": t, "epoch": 1, "text": "another number"}


@damage("values")
def a_kind_is_wrong(f):
    t = f.trial("features")
    f.sql("UPDATE value SET kind = 2 WHERE trial = :t AND epoch = 1 AND metric = :m", t=t, m=f.metric("lr"))
    return {"trial": t, "epoch": 1, "metric": "lr", "text": "kind"}


@damage("values")
def a_nan_has_become_a_number(f):
    t = f.trial("odd")
    f.sql("UPDATE value SET value = 0.5 WHERE trial = :t AND epoch = 1 AND metric = :m", t=t, m=f.metric("strange"))
    return {"trial": t, "epoch": 1, "metric": "strange", "text": "NaN"}


@damage("values")
def an_infinity_has_lost_its_sign(f):
    t = f.trial("odd")
    f.sql("UPDATE value SET kind = 3 WHERE trial = :t AND epoch = 2 AND metric = :m", t=t, m=f.metric("strange"))
    return {"trial": t, "epoch": 2, "metric": "strange"}


def set_value(f, t, epoch, metric, number):
    bits, = struct.unpack("<q", struct.pack("<d", number))
    f.sql("UPDATE value SET value = :v, bits = :b, kind = 0 WHERE trial = :t AND epoch = :e AND metric = :m", v=number, b=bits,
          t=t, e=epoch, m=f.metric(metric))


@damage("history")
def a_value_is_another_with_all_its_bits(f):
    t = f.trial("features")
    set_value(f, t, 2, "train_loss", 0.123)
    return {"trial": t, "epoch": 2, "metric": "train_loss", "file": ".safetensors"}


@damage("summaries")
def a_best_value_is_gone_from_under_its_summary(f):
    t = f.trial("foreign")
    f.sql("DELETE FROM value WHERE trial = :t AND metric = :m AND epoch = (SELECT high_epoch FROM summary"
          " WHERE trial = :t AND metric = :m)", t=t, m=f.metric("val_accuracy"))
    return {"trial": t, "metric": "val_accuracy", "text": "high"}


@damage("progress")
def epochs_done_is_one_too_many(f):
    t = f.trial("images")
    f.sql("UPDATE trial SET epochs_done = epochs_done + 1 WHERE id = :t", t=t)
    return {"trial": t}


@damage("progress")
def epochs_done_is_one_too_few(f):
    t = f.trial("odd")
    f.sql("UPDATE trial SET epochs_done = epochs_done - 1 WHERE id = :t", t=t)
    return {"trial": t}


@damage("summaries")
def a_summary_has_another_high(f):
    t = f.trial("weights")
    f.sql("UPDATE summary SET high = high + 0.001 WHERE trial = :t AND metric = :m", t=t, m=f.metric("val_accuracy"))
    return {"trial": t, "metric": "val_accuracy", "text": "high"}


@damage("summaries")
def a_summary_has_its_low_in_another_epoch(f):
    t = f.trial("weights")
    f.sql("UPDATE summary SET low_epoch = low_epoch + 1 WHERE trial = :t AND metric = :m", t=t, m=f.metric("val_loss"))
    return {"trial": t, "metric": "val_loss", "text": "low"}


@damage("summaries")
def a_summary_has_another_last(f):
    t = f.trial("odd")
    f.sql("UPDATE summary SET last = NULL WHERE trial = :t AND metric = :m", t=t, m=f.metric("strange"))
    return {"trial": t, "metric": "strange", "text": "last"}


@damage("summaries")
def a_summary_is_missing(f):
    t = f.trial("features")
    f.sql("DELETE FROM summary WHERE trial = :t AND metric = :m", t=t, m=f.metric("lr"))
    return {"trial": t, "metric": "lr", "text": "no summary"}


@damage("summaries")
def a_summary_has_no_values(f):
    t = f.trial("foreign")
    f.sql("INSERT INTO summary SELECT trial, :m, low, low_epoch, high, high_epoch, last, last_epoch FROM summary"
          " WHERE trial = :t LIMIT 1", t=t, m=f.metric("grad_norm"))
    return {"trial": t, "metric": "grad_norm", "text": "no values"}


# ---- superseded ----


@damage("superseded")
def a_superseded_value_is_of_a_later_attempt(f):
    t = f.trial("odd")
    f.sql("UPDATE superseded SET attempt = 2, by = 1 WHERE trial = :t", t=t)
    return {"trial": t, "text": "earlier"}


@damage("superseded")
def a_superseded_value_is_of_no_attempt(f):
    t = f.trial("odd")
    f.sql("UPDATE superseded SET by = 9 WHERE trial = :t", t=t)
    return {"trial": t, "text": "not both"}


@damage("superseded")
def a_superseded_value_is_another_than_its_bits(f):
    t = f.trial("odd")
    f.sql("UPDATE superseded SET bits = bits + 1 WHERE trial = :t AND kind = 0", t=t)
    return {"trial": t, "text": "another number"}


@damage("superseded")
def what_superseded_is_not_there(f):
    t = f.trial("odd")
    f.sql("UPDATE epoch SET attempt = 1 WHERE trial = :t AND epoch = 1", t=t)
    return {"trial": t, "epoch": 1, "text": "still"}


@damage("superseded")
def a_deterministic_trainer_has_superseded(f):
    t = f.trial("features")
    f.sql("INSERT INTO superseded SELECT trial, epoch, metric, kind, value, bits, 1, 1, 0 FROM value"
          " WHERE trial = :t LIMIT 1", t=t)
    return {"trial": t, "text": "same bits"}


# ---- attempts and status ----


@damage("attempts")
def an_attempt_is_there_twice(f):
    t = f.trial("features")
    f.without_keys("attempt")
    f.sql("INSERT INTO attempt SELECT * FROM attempt WHERE trial = :t", t=t)
    return {"trial": t, "attempt": 1, "text": "twice"}


@damage("attempts")
def the_first_attempt_is_missing(f):
    t = f.trial("odd")
    f.sql("DELETE FROM attempt WHERE trial = :t AND attempt = 1", t=t)
    return {"trial": t, "attempt": 2, "text": "missing"}


@damage("attempts")
def the_last_attempt_is_missing(f):
    t = f.trial("odd")
    f.sql("DELETE FROM attempt WHERE trial = :t AND attempt = 2", t=t)
    return {"trial": t, "text": "counts 2 attempts"}


@damage("attempts")
def attempts_are_counted_wrong(f):
    t = f.trial("images")
    f.sql("UPDATE trial SET attempts = 5 WHERE id = :t", t=t)
    return {"trial": t, "text": "counts 5"}


@damage("attempts")
def an_attempt_of_a_complete_trial_is_open(f):
    t = f.trial("features")
    f.sql("UPDATE attempt SET ended_at = NULL WHERE trial = :t", t=t)
    return {"trial": t, "attempt": 1, "text": "no end"}


@damage("attempts")
def an_earlier_attempt_is_open(f):
    t = f.trial("odd")
    f.sql("UPDATE attempt SET ended_at = NULL WHERE trial = :t AND attempt = 1", t=t)
    return {"trial": t, "attempt": 1, "text": "has begun"}


@damage("status")
def a_failed_trial_is_complete(f):
    t = f.one("SELECT id FROM trial WHERE status = 'failed'")
    f.sql("UPDATE trial SET status = 'complete' WHERE id = :t", t=t)
    return {"trial": t, "text": "did not complete"}


@damage("status")
def a_complete_trial_has_failed(f):
    t = f.trial("features")
    f.sql("UPDATE trial SET status = 'failed' WHERE id = :t", t=t)
    return {"trial": t, "text": "completed"}


@damage("status")
def a_complete_trial_is_paused(f):
    t = f.trial("foreign")
    f.sql("UPDATE trial SET status = 'paused' WHERE id = :t", t=t)
    return {"trial": t, "text": "paused"}


@damage("status")
def a_complete_trial_is_pending(f):
    t = f.trial("foreign")
    f.sql("UPDATE trial SET status = 'pending' WHERE id = :t", t=t)
    return {"trial": t, "text": "pending"}


@damage("status")
def a_complete_trial_is_running(f):
    t = f.trial("images")
    f.sql("UPDATE trial SET status = 'running' WHERE id = :t", t=t)
    return {"trial": t, "text": "no attempt is open"}


@damage("status")
def a_trial_is_complete_that_never_began(f):
    t = f.trial("odd")
    f.sql("DELETE FROM attempt WHERE trial = :t", t=t)
    return {"trial": t, "text": "never started"}


@damage("status")
def a_complete_trial_should_have_more_epochs(f):
    t = f.trial("weights")
    f.sql("UPDATE trial SET epochs = epochs_done + 3, stopped = NULL WHERE id = :t", t=t)
    return {"trial": t, "text": "nothing stopped it"}


# ---- sweeps ----


@damage("sweeps")
def a_replicate_is_there_twice(f):
    t = f.trial("features")
    f.sql("UPDATE member SET replicate = 2 WHERE trial = :t", t=t)
    return {"text": "replicate 2"}


@damage("sweeps")
def two_points_have_one_place(f):
    f.sql("UPDATE member SET ordinal = 0 WHERE ordinal = 1 AND sweep = (SELECT id FROM sweep WHERE name = 'images')")
    return {"text": "place 0"}


@damage("sweeps")
def a_point_has_an_axis_that_is_none(f):
    t = f.trial("images")
    f.sql("""UPDATE member SET params = '{"optimiser": "adam", "activation": "tanh"}' WHERE trial = :t""", t=t)
    return {"trial": t, "text": "axes"}


@damage("sweeps")
def a_trial_is_no_point_of_its_sweep(f):
    t = f.trial("weights")
    f.sql("DELETE FROM member WHERE trial = :t", t=t)
    return {"trial": t, "text": "no point"}


@damage("seeds")
def a_trial_has_another_seed(f):
    t = f.trial("foreign")
    f.sql("UPDATE trial SET seed = 9 WHERE id = :t", t=t)
    return {"trial": t, "text": "seed 9"}


@damage("leaderboard")
def the_leaderboard_takes_the_largest(f):
    sql = f.one("SELECT sql FROM sqlite_schema WHERE name = 'leaderboard'")
    f.sql("DROP VIEW leaderboard", sql.replace("avg(value)", "max(value)"))
    return {"text": "mean"}


@damage("leaderboard")
def the_leaderboard_counts_one_replicate_too_few(f):
    sql = f.one("SELECT sql FROM sqlite_schema WHERE name = 'leaderboard'")
    f.sql("DROP VIEW leaderboard", sql.replace("count(*) AS n", "count(*) - 1 AS n"))
    return {"text": "n 1"}


@damage("leaderboard")
def the_leaderboard_is_upside_down(f):
    sql = f.one("SELECT sql FROM sqlite_schema WHERE name = 'leaderboard'")
    f.sql("DROP VIEW leaderboard", sql.replace("p.sign * p.mean", "-p.sign * p.mean"))
    return {"text": "better"}


@damage("leaderboard")
def students_t_is_another(f):
    f.sql("UPDATE student_t SET t = t * 1.01 WHERE df = 1")
    return {"text": "interval"}


# ---- the file ----


@damage("database")
def a_value_is_of_no_trial(f):
    f.sql("INSERT INTO value SELECT 4711, epoch, metric, kind, value, bits FROM value LIMIT 1")
    return {"text": "trial"}


@damage("database")
def it_is_of_another_application(f):
    f.sql("PRAGMA application_id = 1")
    return {"text": "application_id"}


@damage("database")
def it_has_no_version(f):
    f.sql("PRAGMA user_version = 0")
    return {"text": "user_version"}


@damage("database")
def a_table_is_missing(f):
    f.sql("DROP TABLE superseded")
    return {"text": "superseded"}


@damage("database")
def a_page_is_overwritten(f):
    root = f.one("SELECT rootpage FROM sqlite_schema WHERE name = 'value'")
    size = f.one("PRAGMA page_size")
    with open(f.path / "results.db", "r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x5a" * 200)
    return {"file": "results.db"}


@damage("views")
def a_view_is_missing(f):
    f.sql("DROP VIEW curves")
    return {"text": "curves"}


@damage("views")
def the_view_of_a_sweep_is_missing(f):
    f.sql("DROP VIEW sweep_images")
    return {"text": "sweep_images"}


@damage("layers")
def a_share_is_above_one(f):
    t = f.trial("features")
    f.sql("UPDATE layer SET dead = 1.5 WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "1.5"}


@damage("layers")
def a_histogram_is_cut(f):
    t = f.trial("features")
    f.sql("UPDATE layer SET histogram = substr(histogram, 1, 10) WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 2, "text": "histogram"}


@damage("layers")
def a_layer_was_seen_behind_the_last_epoch(f):
    t = f.trial("features")
    f.sql("UPDATE layer SET epoch = 50 WHERE trial = :t AND epoch = 2", t=t)
    return {"trial": t, "epoch": 50}


# ---- folders ----


@damage("keys")
def a_key_is_another(f):
    t = f.trial("foreign")
    folder = f.folder(t)
    f.sql("UPDATE trial SET key = :k WHERE id = :t", t=t, k="0" * 32)
    folder.rename(folder.parent / ("0" * 32))
    return {"trial": t}


@damage("keys")
def two_trials_have_changed_their_folders(f):
    a, b = f.trial("features"), f.trial("features") + 1
    one, other = f.folder(a), f.folder(b)
    f.sql("UPDATE trial SET key = 'x' WHERE id = :t", t=a)
    f.sql("UPDATE trial SET key = :k WHERE id = :t", t=b, k=one.name)
    f.sql("UPDATE trial SET key = :k WHERE id = :t", t=a, k=other.name)
    return {"trial": a, "file": ".safetensors"}


@damage("keys")
def the_config_of_a_trial_is_another(f):
    t = f.trial("foreign")
    f.sql("UPDATE trial SET config = replace(config, '{', '{\"a\":1,') WHERE id = :t", t=t)
    return {"trial": t}


@damage("folders")
def config_json_is_another(f):
    t = f.trial("images")
    path = f.folder(t) / "config.json"
    path.write_text(path.read_text().replace('"l2":0.001', '"l2":0.002'))
    return {"trial": t, "file": "config.json"}


@damage("folders")
def config_json_is_empty(f):
    t = f.trial("foreign")
    (f.folder(t) / "config.json").write_text("")
    return {"trial": t, "file": "config.json"}


@damage("folders")
def config_json_is_missing(f):
    t = f.trial("odd")
    (f.folder(t) / "config.json").unlink()
    return {"trial": t, "file": "config.json"}


@damage("folders")
def a_folder_is_missing(f):
    t = f.trial("weights")
    shutil.rmtree(f.folder(t))
    return {"trial": t, "text": "No such file"}


# ---- checkpoints ----


def flip(path, at, bit=0x10):
    raw = bytearray(path.read_bytes())
    raw[at] ^= bit
    path.write_bytes(raw)


@damage("checkpoints")
def a_bit_of_a_weight_is_flipped(f):
    t = f.trial("features")
    flip(f.last(t), -3)
    return {"trial": t, "file": f.last(t).name, "text": "checksum"}


@damage("checkpoints")
def a_bit_of_the_history_is_flipped(f):
    t = f.trial("features")
    flip(f.last(t), f.last(t).read_bytes().index(b'train_loss') + 14, 1)
    return {"trial": t, "file": f.last(t).name, "text": "checksum"}


@damage("checkpoints")
def a_bit_of_the_length_is_flipped(f):
    t = f.trial("images")
    flip(f.last(t), 1, 1)
    return {"trial": t, "file": f.last(t).name}


@damage("checkpoints")
def a_checkpoint_is_truncated(f):
    t = f.trial("features")
    raw = f.last(t).read_bytes()
    f.last(t).write_bytes(raw[:-4])
    return {"trial": t, "file": f.last(t).name}


@damage("checkpoints")
def a_checkpoint_has_a_byte_too_many(f):
    t = f.trial("features")
    with open(f.last(t), "ab") as file:
        file.write(b"\0")
    return {"trial": t, "file": f.last(t).name}


@damage("checkpoints")
def a_checkpoint_is_empty(f):
    t = f.trial("weights")
    f.last(t).write_bytes(b"")
    return {"trial": t, "file": f.last(t).name}


@damage("checkpoints")
def a_checkpoint_is_a_link(f):
    t = f.trial("weights")
    last = f.last(t)
    last.rename(last.parent / "elsewhere")
    last.symlink_to("elsewhere")
    return {"trial": t, "file": last.name}


@damage("checkpoints")
def a_checkpoint_has_another_name(f):
    t = f.trial("weights")
    f.last(t).rename(f.last(t).parent / "cp-0090.safetensors")
    return {"trial": t, "file": "cp-0090.safetensors", "text": "name"}


@damage("checkpoints")
def a_checkpoint_lacks_an_entry(f):
    t = f.trial("features")
    rewrite(f.last(t), lambda h: h["__metadata__"].pop("dataset"))
    return {"trial": t, "file": f.last(t).name, "text": "dataset"}


@damage("checkpoints")
def a_checkpoint_has_no_checksum(f):
    t = f.trial("features")
    rewrite(f.last(t), lambda h: h["__metadata__"].pop("checksum"), checksum=False)
    return {"trial": t, "file": f.last(t).name, "text": "checksum"}


@damage("checkpoints")
def a_checkpoint_is_of_another_format(f):
    t = f.trial("features")
    rewrite(f.last(t), lambda h: h["__metadata__"].update(format="besom-checkpoint 9"))
    return {"trial": t, "file": f.last(t).name, "text": "format"}


@damage("checkpoints")
def optimizer_state_has_another_shape(f):
    t = f.trial("features")

    def turn(header):
        name = next(n for n in header if n.startswith("optimizer.") and len(header[n]["shape"]) == 2)
        header[name]["shape"].reverse()
    rewrite(f.last(t), turn)
    return {"trial": t, "file": f.last(t).name, "text": "shape"}


@damage("checkpoints")
def tensors_overlap(f):
    t = f.trial("features")

    def shift(header):
        name = [n for n in header if n != "__metadata__"][1]
        begin, end = header[name]["data_offsets"]
        header[name]["data_offsets"] = [begin - 4, end - 4]
    rewrite(f.last(t), shift)
    return {"trial": t, "file": f.last(t).name, "text": "begins"}


@damage("identity")
def a_checkpoint_is_of_another_trial(f):
    t = f.trial("features")
    shutil.copy(f.last(t + 1), f.last(t))
    return {"trial": t, "file": ".safetensors"}


@damage("keys")
def all_checkpoints_are_of_another_trial(f):
    t = f.trial("images")
    for path in f.checkpoints(t):
        path.unlink()
    for path in f.checkpoints(t + 2):  # the same seed, another point
        shutil.copy(path, f.folder(t))
    return {"trial": t, "file": ".safetensors"}


@damage("identity")
def all_checkpoints_are_of_another_replicate(f):
    t = f.trial("images")
    for path in f.checkpoints(t):
        path.unlink()
    for path in f.checkpoints(t + 1):
        shutil.copy(path, f.folder(t))
    return {"trial": t, "file": ".safetensors", "text": "seed 2"}


@damage("identity")
def the_config_of_a_checkpoint_is_another(f):
    t = f.trial("features")

    def change(header):
        m = header["__metadata__"]
        m["config"] = m["config"].replace('"batch_size":16', '"batch_size":32')
    rewrite(f.last(t), change)
    return {"trial": t, "file": f.last(t).name, "text": "hash"}


@damage("identity")
def a_checkpoint_was_made_with_other_data(f):
    t = f.trial("features")
    rewrite(f.checkpoints(t)[0], lambda h: h["__metadata__"].update(dataset="0" * 32))
    return {"trial": t, "text": "dataset"}


@damage("history")
def the_history_has_another_number(f):
    t = f.trial("features")

    def change(header):
        history = json.loads(header["__metadata__"]["history"])
        history[1]["grad_norm"] *= 1 + 2 ** -52
        header["__metadata__"]["history"] = json.dumps(history)
    rewrite(f.last(t), change)
    return {"trial": t, "epoch": 2, "metric": "grad_norm", "file": f.last(t).name}


@damage("history")
def the_history_lacks_an_epoch(f):
    t = f.trial("features")

    def change(header):
        history = json.loads(header["__metadata__"]["history"])
        header["__metadata__"]["history"] = json.dumps(history[:-1])
    rewrite(f.last(t), change)
    return {"trial": t, "file": f.last(t).name, "text": "epochs"}


@damage("history")
def the_history_lacks_a_metric(f):
    t = f.trial("features")

    def change(header):
        history = json.loads(header["__metadata__"]["history"])
        del history[0]["lr"]
        header["__metadata__"]["history"] = json.dumps(history)
    rewrite(f.last(t), change)
    return {"trial": t, "epoch": 1, "file": f.last(t).name, "text": "metrics"}


@damage("history")
def the_best_epoch_is_another(f):
    t = f.trial("features")

    def change(header):
        m = header["__metadata__"]
        m["best_epoch"] = str(int(m["best_epoch"]) % 5 + 1)
    rewrite(f.last(t), change)
    return {"trial": t, "file": f.last(t).name, "text": "best_epoch"}


@damage("retention")
def the_final_checkpoint_is_missing(f):
    t = f.trial("features")
    f.last(t).unlink()
    return {"trial": t, "text": "cp-0005"}


@damage("retention")
def the_best_checkpoint_is_missing(f):
    for t, in f.sql("SELECT id FROM trial WHERE attempts = 1 AND status = 'complete' ORDER BY id"):
        for path in f.checkpoints(t):
            m = meta(path)
            if m["best_epoch"] == m["epoch"] and m["step"] == "0" and path != f.last(t):
                path.unlink()
                return {"trial": t, "text": "best"}
    raise AssertionError("no trial has its best before its last epoch")


@damage("retention")
def there_are_too_many_checkpoints(f):
    t = f.trial("images")
    for epoch in (1, 2, 3):
        path = f.folder(t) / f"cp-{epoch:04}.safetensors"
        shutil.copy(f.last(t), path)

        def change(header):
            m = header["__metadata__"]
            history = json.loads(m["history"])[:epoch]
            best = max(history, key=lambda r: (r["val_accuracy"], -r["epoch"]))
            m.update(history=json.dumps(history), epoch=str(epoch), best_epoch=str(best["epoch"]))
        rewrite(path, change)
    return {"trial": t, "text": "4 checkpoints"}


@damage("retention")
def a_final_checkpoint_is_of_weights_alone(f):
    t = f.trial("images")
    rewrite(f.last(t), lambda h: h["__metadata__"].update(content="weights"))
    return {"trial": t, "file": f.last(t).name, "text": "weights"}


# ---- the second copy of the rows ----


@damage("snapshots")
def a_snapshot_has_another_number(f):
    t = f.trial("features")
    path = f.folder(t) / "rows.jsonl"
    flip(path, path.read_bytes().index(b'{"table":"value"') + 90, 1)
    return {"trial": t, "file": "rows.jsonl", "text": "hash"}


@damage("snapshots")
def a_snapshot_is_truncated(f):
    t = f.trial("foreign")
    path = f.folder(t) / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    return {"trial": t, "file": "rows.jsonl", "text": "whole"}


@damage("snapshots")
def a_snapshot_has_other_bits_under_a_true_hash(f):
    t = f.trial("features")
    path = f.folder(t) / "rows.jsonl"
    raw = path.read_bytes()
    bits = raw.index(b',"', raw.index(b'"val_accuracy",0,')) + 2
    at = raw.index(b'"', bits) - 1  # their last digit
    raw = raw[:at] + (b"7" if raw[at:at + 1] != b"7" else b"6") + raw[at + 1:]
    path.write_bytes(raw[:-35] + xxh128(raw[:-35]).encode() + raw[-3:])
    return {"trial": t, "metric": "val_accuracy", "file": "rows.jsonl", "text": "bits"}


@damage("snapshots")
def the_database_has_lost_what_a_snapshot_has(f):
    t = f.trial("foreign")
    f.sql("DELETE FROM value WHERE trial = :t AND epoch = 3", "DELETE FROM epoch WHERE trial = :t AND epoch = 3", t=t)
    return {"trial": t, "epoch": 3, "file": "rows.jsonl"}


def other_row(table, sweep, change, where="1"):
    """The database has a row in which nothing is wrong, but which the copy has otherwise."""
    def change_row(f):
        t = f.trial(sweep)
        f.sql(f"UPDATE {table} SET {change} WHERE trial = :t AND {where}", t=t)
        return {"file": ".jsonl", "text": f"table {table}"}
    DAMAGES.append((f"another row of {table}: {change}", "snapshots", change_row))


other_row("attempt", "foreign", "slot = 77", "attempt = 1")
other_row("attempt", "foreign", "peak_mb = coalesce(peak_mb, 0) + 1", "attempt = 1")
other_row("attempt", "odd", "message = 'x'", "attempt = 1")
other_row("epoch", "features", "seconds = seconds * 2", "epoch = 2")
other_row("epoch", "features", "at = at - 1e-3", "epoch = 2")
other_row("superseded", "odd", "at = at + 1")
other_row("layer", "features", "mean = mean + 0.5", "epoch = 2")
other_row("member", "images", "label = label || 'x'")
other_row("cell", "images", "value = 'other'")


@damage("snapshots")
def a_sweep_has_another_description(f):
    f.sql("UPDATE sweep SET description = 'other' WHERE name = 'images'")
    return {"file": "images.jsonl", "text": "table sweep"}


@damage("snapshots")
def an_older_copy_has_a_value_that_was_not_set_aside(f):
    t = f.trial("foreign")
    f.sql("INSERT INTO attempt (trial, attempt, slot, started_at, ended_at, from_epoch, reason) SELECT trial,"
          " attempt + 1, 1, ended_at + 1, ended_at + 2, 3, 'signal' FROM attempt WHERE trial = :t ORDER BY attempt DESC LIMIT 1",
          "UPDATE trial SET attempts = attempts + 1, status = 'paused' WHERE id = :t",
          "UPDATE value SET bits = bits + 1 WHERE trial = :t AND epoch = 1", t=t)
    return {"trial": t, "epoch": 1, "file": "rows.jsonl", "text": "bits"}


@damage("snapshots")
def the_snapshot_of_a_sweep_is_empty(f):
    (f.path / "sweeps" / "images.jsonl").write_bytes(b"")
    return {"file": "images.jsonl"}

-- results/schema.sql - the tables of results.db, embedded into the program when it is built.
--
-- The tables are the program's own and may change with user_version.  A column that a later version
-- adds stands last in its table, is NULL where nobody filled it, and has its row in store_schema.c.
-- The views are in views.sql.
--
-- No table's name may begin with "sweep_": a sweep can have any name, and its view would clash.

CREATE TABLE metric (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE sweep (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    view        TEXT NOT NULL UNIQUE, -- sweep_<name>, '-' as '_'
    description TEXT,
    spec        TEXT NOT NULL,        -- the sweep file as it was read
    axes        TEXT NOT NULL,        -- JSON array: the dotted paths, in order
    parts       TEXT NOT NULL,        -- JSON array: "axis.member" of axis values that are objects
    trainer     TEXT NOT NULL,        -- JSON array: argv
    metric      TEXT NOT NULL,        -- of the objective
    metric_id   INTEGER NOT NULL REFERENCES metric,
    goal        TEXT NOT NULL CHECK (goal IN ('maximize', 'minimize')),
    created_at  REAL NOT NULL,        -- seconds since 1970, as all times here
    planned_at  REAL NOT NULL
) STRICT;

CREATE TABLE trial (
    id          INTEGER PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    sweep       INTEGER NOT NULL REFERENCES sweep, -- the one that made it first
    seed        INTEGER NOT NULL,
    config      TEXT NOT NULL,
    epochs      INTEGER NOT NULL,                  -- to be done; 0: the config does not say
    epochs_done INTEGER NOT NULL DEFAULT 0,        -- epochs 1 .. n are all there
    attempts    INTEGER NOT NULL DEFAULT 0,
    status      TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'paused',
                'complete', 'failed', 'pruned', 'cancelled')),
    stopped     TEXT                               -- why it is complete before its last epoch
) STRICT;
CREATE INDEX trial_running ON trial (id) WHERE status = 'running';

-- The points of a sweep.  A trial may belong to several; each calls it what it likes.
CREATE TABLE member (
    sweep     INTEGER NOT NULL REFERENCES sweep,
    trial     INTEGER NOT NULL REFERENCES trial,
    ordinal   INTEGER NOT NULL,
    replicate INTEGER NOT NULL,
    label     TEXT NOT NULL,
    params    TEXT NOT NULL,    -- JSON object: axis -> value
    present   INTEGER NOT NULL, -- 0: the sweep file has this point no more
    PRIMARY KEY (sweep, trial)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_trial ON member (trial, sweep);

-- What the sweep's view shows of a point's params: "optimizer" -> 'sgd lr=0.1', "optimizer.lr" -> 0.1.
-- Rows, since SQLite 3.40 refuses json_extract() in a view where trusted_schema is off.
CREATE TABLE heading (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE cell (
    sweep   INTEGER NOT NULL REFERENCES sweep,
    trial   INTEGER NOT NULL REFERENCES trial,
    heading INTEGER NOT NULL REFERENCES heading,
    value   ANY NOT NULL,
    PRIMARY KEY (sweep, trial, heading)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    trial       INTEGER NOT NULL REFERENCES trial,
    attempt     INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    started_at  REAL NOT NULL,
    ended_at    REAL,    -- NULL: still running, or the runner died
    from_epoch  INTEGER, -- what the start event told
    numerics    TEXT,
    reason      TEXT,    -- NULL once it has ended: completed
    message     TEXT,
    exit_status INTEGER,
    signal      INTEGER,
    log_tail    TEXT,
    class       TEXT,    -- of the failure: which rule for retries holds
    program     TEXT,    -- what the start event told of the trainer's program
    peak_mb     REAL,    -- the most memory that it was seen to use, in 10^6 bytes
    seconds     REAL,    -- that it ran, without the time that it was held up
    barren      INTEGER, -- attempts in a row that got nowhere; while it runs, those before it
    PRIMARY KEY (trial, attempt)
) STRICT;
CREATE INDEX attempt_open ON attempt (trial) WHERE ended_at IS NULL;

CREATE TABLE epoch (
    trial              INTEGER NOT NULL REFERENCES trial,
    epoch              INTEGER NOT NULL CHECK (epoch >= 1),
    attempt            INTEGER NOT NULL,
    seconds            REAL,
    samples_per_second REAL,
    at                 REAL NOT NULL,
    PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE value (
    trial  INTEGER NOT NULL REFERENCES trial,
    epoch  INTEGER NOT NULL,
    metric INTEGER NOT NULL REFERENCES metric,
    kind   INTEGER NOT NULL, -- 0 finite, 1 NaN, 2 Inf, 3 -Inf
    value  REAL,             -- NULL for NaN
    bits   INTEGER NOT NULL, -- the IEEE 754 binary64, which REAL does not keep for NaN and -0.0
    PRIMARY KEY (trial, epoch, metric)
) STRICT, WITHOUT ROWID;

-- What a later attempt measured anew and otherwise.
CREATE TABLE superseded (
    trial   INTEGER NOT NULL REFERENCES trial,
    epoch   INTEGER NOT NULL,
    metric  INTEGER NOT NULL REFERENCES metric,
    kind    INTEGER NOT NULL,
    value   REAL,
    bits    INTEGER NOT NULL,
    attempt INTEGER NOT NULL, -- that measured it
    by      INTEGER NOT NULL, -- the attempt in whose favour it went
    at      REAL NOT NULL     -- when it was measured
) STRICT;
CREATE INDEX superseded_trial ON superseded (trial, epoch);

-- Kept in step with `value`, so that no view has to read all epochs.  NaN is neither low nor high; of
-- equal values the earliest epoch counts.
CREATE TABLE summary (
    trial      INTEGER NOT NULL REFERENCES trial,
    metric     INTEGER NOT NULL REFERENCES metric,
    low        REAL,
    low_epoch  INTEGER,
    high       REAL,
    high_epoch INTEGER,
    last       REAL,
    last_epoch INTEGER NOT NULL,
    PRIMARY KEY (trial, metric)
) STRICT, WITHOUT ROWID;

-- The metrics that a sweep's view has columns for.
CREATE TABLE measured (
    sweep  INTEGER NOT NULL REFERENCES sweep,
    metric INTEGER NOT NULL REFERENCES metric,
    PRIMARY KEY (sweep, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE layer (
    trial     INTEGER NOT NULL REFERENCES trial,
    epoch     INTEGER NOT NULL, -- 0: before the first
    layer     TEXT NOT NULL,
    mean      REAL,
    std       REAL,
    min       REAL,
    max       REAL,
    dead      REAL, -- shares of the units, 0 to 1
    saturated REAL,
    histogram TEXT, -- JSON array: how many values in each of as many equal bins
    position  INTEGER, -- in the network, from 0
    histogram_low  REAL, -- the lower edge of the first bin
    histogram_high REAL, -- the upper edge of the last
    gradient_mean  REAL, -- of the loss by the layer's outputs
    gradient_std   REAL,
    gradient_histogram TEXT,
    gradient_low   REAL,
    gradient_high  REAL,
    update_ratio   REAL, -- length of the step of the weights by their own
    PRIMARY KEY (trial, epoch, layer)
) STRICT, WITHOUT ROWID;

-- t of the two-sided 95% interval by degrees of freedom, from stats_t_quantile().
CREATE TABLE student_t (
    df INTEGER PRIMARY KEY,
    t  REAL NOT NULL
) STRICT;

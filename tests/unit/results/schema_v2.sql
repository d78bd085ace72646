-- The tables and views of version 2, as they were: what test_store_upgrade makes old files of.
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
CREATE VIEW trials AS
SELECT s.name AS sweep,
       m.trial AS trial,
       t.key AS key,
       m.label AS label,
       t.status AS status,
       m.replicate AS replicate,
       t.seed AS seed,
       m.params AS params,
       t.config AS config,
       t.attempts AS attempts,
       t.epochs_done AS epochs_done,
       nullif(t.epochs, 0) AS epochs,
       CASE s.goal WHEN 'maximize' THEN b.high ELSE b.low END AS best_value,
       CASE s.goal WHEN 'maximize' THEN b.high_epoch ELSE b.low_epoch END AS best_epoch,
       b.last AS last_value,
       (SELECT sum(e.seconds) FROM epoch e WHERE e.trial = m.trial) AS seconds,
       CASE t.status WHEN 'failed' THEN
           (SELECT coalesce(a.message, a.reason) FROM attempt a
            WHERE a.trial = m.trial AND a.reason IS NOT NULL ORDER BY a.attempt DESC LIMIT 1)
       END AS error,
       CASE t.status WHEN 'complete' THEN t.stopped END AS stopped
FROM member m
JOIN sweep s ON s.id = m.sweep
JOIN trial t ON t.id = m.trial
LEFT JOIN summary b ON b.trial = m.trial AND b.metric = s.metric_id
WHERE m.present;

CREATE VIEW curves AS
SELECT s.name AS sweep, v.trial AS trial, v.epoch AS epoch, m.name AS metric, v.value AS value
FROM value v
JOIN metric m ON m.id = v.metric
JOIN trial t ON t.id = v.trial
JOIN sweep s ON s.id = t.sweep;

CREATE VIEW epochs AS
SELECT s.name AS sweep, e.trial AS trial, e.epoch AS epoch, e.attempt AS attempt,
       e.seconds AS seconds, e.samples_per_second AS samples_per_second,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.at, 'unixepoch') AS at
FROM epoch e
JOIN trial t ON t.id = e.trial
JOIN sweep s ON s.id = t.sweep;

CREATE VIEW leaderboard AS
WITH run AS ( -- what counts: complete trials of the present plan that have a value
    SELECT m.sweep, m.params, m.label, m.replicate, m.trial, s.name, s.planned_at,
           CASE s.goal WHEN 'maximize' THEN -1 ELSE 1 END AS sign,
           CASE s.goal WHEN 'maximize' THEN b.high ELSE b.low END AS value
    FROM sweep s
    JOIN member m ON m.sweep = s.id AND m.present
    JOIN trial t ON t.id = m.trial AND t.status = 'complete'
    JOIN summary b ON b.trial = m.trial AND b.metric = s.metric_id
),
placed AS ( -- the mean first, so that the deviations keep their digits
    SELECT *, avg(value) OVER point AS mean,
           row_number() OVER (point ORDER BY sign * value, replicate, trial) AS place
    FROM run WHERE value IS NOT NULL
    WINDOW point AS (PARTITION BY sweep, params)
),
point AS (
    SELECT sweep, name, planned_at, sign, params, min(label) AS label, count(*) AS n, min(mean) AS mean,
           sqrt(sum((value - mean) * (value - mean)) / (count(*) - 1)) AS std,
           max(trial) FILTER (WHERE place = 1) AS best_trial
    FROM placed GROUP BY sweep, params
)
SELECT p.name AS sweep,
       row_number() OVER (PARTITION BY p.sweep ORDER BY p.sign * p.mean, p.best_trial) AS rank,
       p.label AS label, p.params AS params, p.n AS n, p.mean AS mean, p.std AS std,
       p.mean - q.t * p.std / sqrt(p.n) AS ci_low,
       p.mean + q.t * p.std / sqrt(p.n) AS ci_high,
       p.best_trial AS best_trial
FROM point p
LEFT JOIN student_t q ON q.df = min(p.n - 1, (SELECT max(df) FROM student_t))
ORDER BY p.planned_at DESC, p.sweep DESC, rank;

CREATE VIEW layers AS
SELECT s.name AS sweep, l.trial AS trial, l.epoch AS epoch, l.layer AS layer, l.mean AS mean,
       l.std AS std, l.min AS min, l.max AS max, l.dead AS dead, l.saturated AS saturated,
       l.histogram AS histogram, l.position AS position, l.histogram_low AS histogram_low,
       l.histogram_high AS histogram_high, l.gradient_mean AS gradient_mean,
       l.gradient_std AS gradient_std, l.gradient_histogram AS gradient_histogram,
       l.gradient_low AS gradient_low, l.gradient_high AS gradient_high,
       l.update_ratio AS update_ratio
FROM layer l
JOIN trial t ON t.id = l.trial
JOIN sweep s ON s.id = t.sweep;

CREATE VIEW failures AS
SELECT s.name AS sweep, a.trial AS trial, a.attempt AS attempt, a.reason AS reason,
       a.exit_status AS exit_status, a.signal AS signal, a.log_tail AS log_tail
FROM attempt a
JOIN trial t ON t.id = a.trial
JOIN sweep s ON s.id = t.sweep
WHERE a.reason IS NOT NULL;

-- results/views.sql - the views of results.db, embedded into the program when it is built.
--
-- They are the interface; docs/schema.md describes them column by column.  A new column stands behind the
-- last.  The view sweep_<name> of each sweep is made by store_views.c, since its columns are the sweep's axes
-- and metrics.
--
-- Each begins with CREATE VIEW, its name and AS: store_schema.c makes them anew over the tables of an older file.

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
       a.exit_status AS exit_status, a.signal AS signal, a.log_tail AS log_tail, a.class AS class
FROM attempt a
JOIN trial t ON t.id = a.trial
JOIN sweep s ON s.id = t.sweep
WHERE a.reason IS NOT NULL;

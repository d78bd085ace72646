/* results/store_sql.h - every statement that the store runs again and again, by name.
 *
 * Private to the store.  Parameters are numbered, so that one may occur several times; each statement's
 * are bound where it is used. */
#ifndef RESULTS_STORE_SQL_H
#define RESULTS_STORE_SQL_H

/* The numbers as STORE_LAYER_NUMBERS has them. */
#define STORE_LAYER_COLUMNS                                                                        \
    "trial, epoch, layer, position, mean, std, min, max, dead, saturated, histogram_low,"          \
    " histogram_high, gradient_mean, gradient_std, gradient_low, gradient_high, update_ratio,"     \
    " histogram, gradient_histogram"
#define STORE_LAYER_VALUES                                                                         \
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19"

/* How often in a row the trial t got nowhere.  A trial that is to be begun anew (new, extended, or failed and
 * reset) is pending; one between two attempts is paused.  NULL is 0. */
#define STORE_BARREN                                                                               \
    "(SELECT a.barren FROM attempt a WHERE a.trial = t.id AND t.status <> 'pending'"               \
    " ORDER BY a.attempt DESC LIMIT 1)"

#define STORE_STMT_MAP(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(LOOK, "BEGIN")                                                                               \
    X(COMMIT, "COMMIT")                                                                            \
    X(METRIC_FIND, "SELECT id FROM metric WHERE name = ?1")                                        \
    X(METRIC_ADD, "INSERT INTO metric (name) VALUES (?1)")                                         \
    X(SWEEP_FIND, "SELECT id FROM sweep WHERE name = ?1")                                          \
    X(SWEEP_OF_VIEW, "SELECT name FROM sweep WHERE view = ?1 AND name <> ?2")                      \
    X(SWEEP_ADD, "INSERT INTO sweep (name, view, description, spec, axes, parts, trainer, metric," \
                 " metric_id, goal, created_at, planned_at)"                                       \
                 " VALUES (?1, ?2, ?3, ?4, ?5, '[]', ?6, ?7, ?8, ?9, ?10, ?10)")                   \
    X(SWEEP_SET, "UPDATE sweep SET description = ?3, spec = ?4, axes = ?5, trainer = ?6,"          \
                 " metric = ?7, metric_id = ?8, goal = ?9, planned_at = ?10 WHERE name = ?1")      \
    X(SWEEP_AXES, "SELECT axes FROM sweep WHERE id = ?1")                                          \
    X(SWEEP_SET_PARTS, "UPDATE sweep SET parts = ?2 WHERE id = ?1 AND parts <> ?2")                \
    X(SWEEP_VIEW, "SELECT view, axes, parts, metric_id, goal FROM sweep WHERE id = ?1")            \
    X(PLANNED_CLEAR, "DELETE FROM temp.planned")                                                   \
    X(PLANNED_ADD, "INSERT OR IGNORE INTO temp.planned (trial) VALUES (?1)")                       \
    X(HEADING_FIND, "SELECT id FROM heading WHERE name = ?1")                                      \
    X(HEADING_ADD, "INSERT INTO heading (name) VALUES (?1)")                                       \
    X(CELL_DROP, "DELETE FROM cell WHERE sweep = ?1 AND trial = ?2")                               \
    X(CELL_ADD, "INSERT INTO cell (sweep, trial, heading, value) VALUES (?1, ?2, ?3, ?4)")         \
    X(MEMBER_PUT,                                                                                  \
      "INSERT INTO member (sweep, trial, ordinal, replicate, label, params, present)"              \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)"                                                        \
      " ON CONFLICT (sweep, trial) DO UPDATE SET ordinal = excluded.ordinal,"                      \
      " replicate = excluded.replicate, label = excluded.label, params = excluded.params,"         \
      " present = 1"                                                                               \
      " WHERE NOT present OR ordinal <> excluded.ordinal OR replicate <> excluded.replicate"       \
      " OR label <> excluded.label OR params <> excluded.params")                                  \
    X(MEMBER_LEAVE, "UPDATE member SET present = 0 WHERE sweep = ?1 AND present"                   \
                    " AND trial NOT IN (SELECT trial FROM temp.planned)")                          \
    X(MEMBER_SWEEPS, "SELECT sweep FROM member WHERE trial = ?1")                                  \
    X(TRIAL_FIND, "SELECT id, status, epochs, epochs_done, attempts, config, stopped FROM trial"   \
                  " WHERE key = ?1")                                                               \
    X(TRIAL_ADD, "INSERT INTO trial (key, sweep, seed, config, epochs)"                            \
                 " VALUES (?1, ?2, ?3, ?4, ?5)")                                                   \
    X(TRIAL_REPLAN, "UPDATE trial SET status = ?2, epochs = ?3, config = ?4 WHERE id = ?1")        \
    X(TRIAL_RESET, "UPDATE trial SET status = 'pending' WHERE id = ?1 AND status = 'failed'")      \
    X(TRIAL_JOB,                                                                                   \
      "SELECT t.seed, m.replicate, t.attempts, t.epochs, t.epochs_done, t.key, m.label,"           \
      " t.config, " STORE_BARREN ", (SELECT total(a.seconds) FROM attempt a WHERE a.trial = t.id)" \
      " FROM trial t JOIN member m ON m.trial = t.id AND m.sweep = ?2"                             \
      " WHERE t.id = ?1")                                                                          \
    X(TRIAL_EPOCHS, "SELECT epochs_done FROM trial WHERE id = ?1")                                 \
    X(TRIAL_SET_EPOCHS, "UPDATE trial SET epochs_done = ?2 WHERE id = ?1")                         \
    X(TRIAL_BARREN, "SELECT " STORE_BARREN " FROM trial t WHERE t.id = ?1")                        \
    X(TRIAL_BEGIN, "UPDATE trial SET status = 'running', stopped = NULL,"                          \
                   " attempts = max(attempts, ?2) WHERE id = ?1")                                  \
    X(TRIAL_END, "UPDATE trial SET status = ?2, stopped = ?3 WHERE id = ?1")                       \
    X(TRIAL_RECOVER, "UPDATE trial SET status = 'paused' WHERE status = 'running'")                \
    X(ATTEMPT_LAST, "SELECT ended_at IS NOT NULL AND reason IS NULL FROM attempt WHERE trial = ?1" \
                    " ORDER BY attempt DESC LIMIT 1")                                              \
    X(ATTEMPT_ADD, "INSERT INTO attempt (trial, attempt, slot, started_at, barren)"                \
                   " VALUES (?1, ?2, ?3, ?4, ?5)"                                                  \
                   " ON CONFLICT DO NOTHING")                                                      \
    X(ATTEMPT_START, "UPDATE attempt SET from_epoch = ?3, numerics = ?4, program = ?5"             \
                     " WHERE trial = ?1 AND attempt = ?2")                                         \
    X(ATTEMPT_END,                                                                                 \
      "UPDATE attempt SET ended_at = ?3, reason = ?4, message = ?5, exit_status = ?6,"             \
      " signal = ?7, log_tail = ?8, class = ?9, peak_mb = ?10, seconds = ?11, barren = ?12"        \
      " WHERE trial = ?1 AND attempt = ?2")                                                        \
    X(ATTEMPT_RECOVER,                                                                             \
      "UPDATE attempt SET reason = 'runner died', class = 'lost', ended_at = ?1,"                  \
      " seconds = max(0.0, coalesce((SELECT max(e.at) FROM epoch e WHERE e.trial = attempt.trial"  \
      " AND e.attempt = attempt.attempt), started_at) - started_at)"                               \
      " WHERE ended_at IS NULL")                                                                   \
    X(EPOCH_ADD, "INSERT INTO epoch (trial, epoch, attempt, seconds, samples_per_second, at)"      \
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")                        \
    X(EPOCH_FIND, "SELECT attempt FROM epoch WHERE trial = ?1 AND epoch = ?2")                     \
    X(EPOCH_DROP, "DELETE FROM epoch WHERE trial = ?1 AND epoch >= ?2")                            \
    X(VALUE_ADD, "INSERT INTO value (trial, epoch, metric, kind, value, bits)"                     \
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")                        \
    X(VALUE_BITS, "SELECT bits FROM value WHERE trial = ?1 AND epoch = ?2 AND metric = ?3")        \
    X(VALUE_ASIDE, "INSERT INTO superseded (trial, epoch, metric, kind, value, bits, attempt, by," \
                   " at) SELECT v.trial, v.epoch, v.metric, v.kind, v.value, v.bits, e.attempt,"   \
                   " ?3, e.at FROM value v JOIN epoch e USING (trial, epoch)"                      \
                   " WHERE v.trial = ?1 AND v.epoch >= ?2")                                        \
    X(VALUE_DROP, "DELETE FROM value WHERE trial = ?1 AND epoch >= ?2")                            \
    X(SUMMARY_SET,                                                                                 \
      "UPDATE summary SET"                                                                         \
      " low_epoch = CASE WHEN low IS NULL OR ?3 < low OR (?3 = low AND ?4 < low_epoch)"            \
      "  THEN iif(?3 IS NULL, low_epoch, ?4) ELSE low_epoch END,"                                  \
      " low = CASE WHEN low IS NULL OR ?3 < low THEN ?3 ELSE low END,"                             \
      " high_epoch = CASE WHEN high IS NULL OR ?3 > high OR (?3 = high AND ?4 < high_epoch)"       \
      "  THEN iif(?3 IS NULL, high_epoch, ?4) ELSE high_epoch END,"                                \
      " high = CASE WHEN high IS NULL OR ?3 > high THEN ?3 ELSE high END,"                         \
      " last = iif(?4 >= last_epoch, ?3, last), last_epoch = max(last_epoch, ?4)"                  \
      " WHERE trial = ?1 AND metric = ?2")                                                         \
    X(SUMMARY_ADD, "INSERT INTO summary (trial, metric, low, low_epoch, high, high_epoch, last,"   \
                   " last_epoch) VALUES (?1, ?2, ?3, iif(?3 IS NULL, NULL, ?4), ?3,"               \
                   " iif(?3 IS NULL, NULL, ?4), ?3, ?4)")                                          \
    X(SUMMARY_DROP, "DELETE FROM summary WHERE trial = ?1")                                        \
    X(SUMMARY_MAKE,                                                                                \
      "INSERT INTO summary (trial, metric, low, low_epoch, high, high_epoch, last, last_epoch)"    \
      " SELECT v.trial, v.metric, min(v.value),"                                                   \
      " (SELECT a.epoch FROM value a WHERE a.trial = v.trial AND a.metric = v.metric"              \
      "  AND a.value IS NOT NULL ORDER BY a.value, a.epoch LIMIT 1),"                              \
      " max(v.value),"                                                                             \
      " (SELECT a.epoch FROM value a WHERE a.trial = v.trial AND a.metric = v.metric"              \
      "  AND a.value IS NOT NULL ORDER BY a.value DESC, a.epoch LIMIT 1),"                         \
      " (SELECT a.value FROM value a WHERE a.trial = v.trial AND a.metric = v.metric"              \
      "  ORDER BY a.epoch DESC LIMIT 1), max(v.epoch)"                                             \
      " FROM value v WHERE v.trial = ?1 GROUP BY v.metric")                                        \
    X(LAYER_ADD, "INSERT INTO layer (" STORE_LAYER_COLUMNS ") VALUES (" STORE_LAYER_VALUES ")"     \
                 " ON CONFLICT DO NOTHING")                                                        \
    X(LAYER_SET, "INSERT OR REPLACE INTO layer (" STORE_LAYER_COLUMNS ")"                          \
                 " VALUES (" STORE_LAYER_VALUES ")")                                               \
    X(LAYER_DROP, "DELETE FROM layer WHERE trial = ?1 AND epoch > ?2")                             \
    X(VIEW_SQL, "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?1")                 \
    X(MEASURED_ADD, "INSERT INTO measured (sweep, metric) SELECT ?1, ?2"                           \
                    " WHERE (SELECT count(*) FROM measured WHERE sweep = ?1) < ?3"                 \
                    " ON CONFLICT DO NOTHING")                                                     \
    X(MEASURED_SHARE, "INSERT INTO measured (sweep, metric)"                                       \
                      " SELECT ?1, metric FROM summary WHERE trial = ?2"                           \
                      " ORDER BY metric"                                                           \
                      " LIMIT max(0, ?3 - (SELECT count(*) FROM measured WHERE sweep = ?1))"       \
                      " ON CONFLICT DO NOTHING")                                                   \
    X(MEASURED_LIST, "SELECT id, name FROM metric WHERE id IN (SELECT metric FROM measured"        \
                     " WHERE sweep = ?1 UNION SELECT metric_id FROM sweep WHERE id = ?1)"          \
                     " ORDER BY id")

#endif

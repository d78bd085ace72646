"""What besom export wrote, read back as its readers do, against the views of results.db."""
import csv, datetime, json, math, resource, sqlite3, struct, subprocess, sys

FIXED = ['trial', 'key', 'label', 'status', 'replicate', 'seed', 'attempts', 'epochs_done', 'epochs', 'best_value', 'best_epoch',
         'last_value', 'seconds', 'started_at', 'ended_at', 'error', 'stopped', 'params']


def connect(folder):
    return sqlite3.connect(f'file:{folder}/results.db?mode=ro', uri=True)


def rows_of(db, sql, *args):
    cursor = db.execute(sql, args)
    return [d[0] for d in cursor.description], cursor.fetchall()


def bits(value):
    return struct.pack('<d', value)


def same(told, known):
    """A value read back and what sqlite3 says; NaN is NULL there."""
    if isinstance(told, float) and math.isnan(told):
        return known is None
    return type(told) in (int, float) and told == known if isinstance(known, (int, float)) else told == known


def number(text):
    try:
        return int(text)
    except ValueError:
        return float(text)


def read(path):
    """The rows of both formats, CSV's texts made numbers where the JSON has some."""
    text = open(path + '.jsonl', encoding='utf-8', newline='').read()
    lines = text.split('\n')
    assert lines.pop() == ''
    pairs = [json.loads(line, object_pairs_hook=list) for line in lines]
    raw = open(path + '.csv', encoding='utf-8', newline='').read()
    assert raw.endswith('\r\n')
    table = list(csv.reader(open(path + '.csv', encoding='utf-8', newline=''), strict=True))
    head, body = table[0], table[1:]
    assert len(body) == len(pairs) and all(len(r) == len(head) for r in table)
    for row, line in zip(body, pairs):
        assert [name for name, _ in line] == head
        for text, (name, value) in zip(row, line):
            if name == 'params':
                assert json.loads(text) == json.loads(json.dumps(dict_of(value))), (text, value)
            elif value is None:
                assert text == ''
            elif isinstance(value, str):
                assert text == value, (text, value)
            else:
                assert bits(float(text)) == bits(float(value)) and number(text) == value or value != value, (text, value)
    return head, pairs


def dict_of(value):
    if isinstance(value, list) and value and all(isinstance(x, tuple) for x in value):
        return {k: dict_of(v) for k, v in value}
    return [dict_of(x) for x in value] if isinstance(value, list) else value


def rows(folder, sweep, what, path):
    db = connect(folder)
    head, told = read(path)
    if what == 'curves':
        assert head == ['trial', 'epoch', 'metric', 'value']
        _, known = rows_of(db, '''SELECT trial, epoch, metric, value FROM curves WHERE trial IN (SELECT trial FROM trials WHERE sweep = ?)
                                  ORDER BY 1, 2, 3''', sweep)
        kept = {(t, e, m): b for t, e, m, b in db.execute('SELECT v.trial, v.epoch, m.name, v.bits FROM value v JOIN metric m ON m.id = v.metric')}
        table = sorted([v for _, v in r] for r in told)
        assert len(table) == len(known) and (known or sweep == 'none')
        for row, want in zip(table, known):
            assert tuple(row[:3]) == want[:3] and same(row[3], want[3]), (row, want)
            assert bits(float(row[3])) == struct.pack('<q', kept[want[:3]]), row
        assert [r[0][1] for r in told] == sorted(r[0][1] for r in told)
        if sweep == 'odd':
            values = [r[3] for r in table]
            assert any(v != v for v in values) and math.inf in values and -math.inf in values
            assert any(bits(float(v)) == bits(-0.0) for v in values)
        return

    view = 'sweep_' + sweep.replace('-', '_')
    names, trials = rows_of(db, 'SELECT * FROM trials WHERE sweep = ? ORDER BY trial', sweep)
    own_names, own = rows_of(db, f'SELECT * FROM {view} ORDER BY trial')
    axes = json.loads(db.execute('SELECT axes FROM sweep WHERE name = ?', (sweep,)).fetchone()[0])
    times = {t: (a, b) for t, a, b in db.execute('SELECT trial, min(started_at), max(ended_at) FROM attempt GROUP BY trial')}
    assert len(told) == len(trials) == len(own) and trials
    assert len({n.lower() for n in head}) == len(head)
    # every column is one of the two views', and none is missing
    metrics_and_parts = own_names[3 + len(axes):]
    parts = [n for n in metrics_and_parts if not n.endswith(('_best', '_last'))]
    metrics = [n for n in metrics_and_parts if n not in parts]
    apart = lambda n: n + '_' if n.lower() in FIXED else n
    want = FIXED[:6] + [apart(n) for n in own_names[2:2 + len(axes)]] + parts + FIXED[6:12] + metrics + FIXED[12:]
    assert head == want, (head, want)
    for line, trial, row in zip(told, trials, own):
        trial, row = dict(zip(names, trial)), dict(zip(own_names, row))
        line = dict(line)
        for name in FIXED:
            if name.endswith('_at'):
                started, ended = times[trial['trial']]
                at = started if name == 'started_at' else ended
                assert line[name].endswith('Z')
                assert abs(datetime.datetime.fromisoformat(line[name][:-1] + '+00:00').timestamp() - at) < 1e-3
            elif name == 'params':
                assert dict_of(line[name]) == json.loads(trial[name])
            else:
                assert same(line[name], trial[name]), (name, line[name], trial[name])
        for name in own_names:
            if name not in ('trial', 'status', 'replicate'):
                assert same(line[apart(name)], row[name]), (name, line, row)
            if name.endswith('_last') and row[name] is None: # NaN is told from nothing
                measured = db.execute('SELECT 1 FROM curves WHERE trial = ? AND metric = ?', (trial['trial'], name[:-5])).fetchone()
                assert (line[name] is None) == (measured is None), (name, line)
    if sweep == 'odd':
        assert any(dict(l)['last_value'] != dict(l)['last_value'] for l in told) and any(dict(l)['last_value'] is None for l in told)
        assert any(dict(l)['error'] for l in told) and any('\U0001f600' in str(l) for l in told) and 'Label_' in head


def states(path):
    table = list(csv.DictReader(open(path, encoding='utf-8', newline='')))
    assert [r['status'] for r in table[:7]] == ['pending', 'paused', 'paused', 'failed', 'pruned', 'cancelled', 'complete'], table[:7]
    assert [bool(r['ended_at']) for r in table[:7]] == [False, False, False, True, True, True, False]
    assert table[6]['started_at'] == ''


# ---- Optuna ----

def load(path, name):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.load_study(study_name=name, storage='sqlite:///' + path)


def state_of(status, value):
    if status == 'complete':
        return 'FAIL' if value is None else 'COMPLETE'
    return {'pruned': 'PRUNED', 'pending': 'WAITING', 'failed': 'FAIL', 'cancelled': 'FAIL'}.get(status, 'RUNNING')


def optuna(folder, path, at):
    import optuna as library
    db = connect(folder)
    assert sqlite3.connect(path).execute('PRAGMA integrity_check').fetchall() == [('ok',)]
    assert sqlite3.connect(path).execute('PRAGMA foreign_key_check').fetchall() == []
    sweeps = db.execute('SELECT name, goal, metric FROM sweep').fetchall()
    assert {s.study_name for s in library.get_all_study_summaries('sqlite:///' + path)} == {s[0] for s in sweeps}
    for name, goal, metric in sweeps:
        study = load(path, name)
        assert study.direction.name.lower() == goal and study.user_attrs['metric'] == metric and study.user_attrs['value'] == at
        known = rows_of(db, f'''SELECT trial, key, label, status, replicate, seed, params, {at}_value, epochs_done, error
                                FROM trials WHERE sweep = ? ORDER BY trial''', name)[1]
        trials = study.get_trials()
        assert [t.number for t in trials] == list(range(len(known)))
        own = dict((r[0], dict(zip(names, r))) for names, table in [rows_of(db, f'SELECT * FROM "sweep_{name.replace("-", "_")}"')] for r in table)
        for t, (trial, key, label, status, replicate, seed, params, value, done, error) in zip(trials, known):
            a = t.user_attrs
            assert (a['trial'], a['key'], a['label'], a['status'], a['replicate'], a['seed'], a['epochs_done']) == (
                trial, key, label, status, replicate, seed, done)
            assert a.get('error') == error and a['params'] == json.loads(params)
            assert t.state.name == state_of(status, value), (t.state, status, value)
            assert (t.value is None) if t.state.name == 'FAIL' else bits(t.value) == bits(value), (t.value, value)
            started, ended = db.execute('SELECT min(started_at), max(ended_at) FROM attempt WHERE trial = ?', (trial,)).fetchone()
            assert abs(t.datetime_start - datetime.datetime.fromtimestamp(started)) < datetime.timedelta(milliseconds=1)
            assert abs(t.datetime_complete - datetime.datetime.fromtimestamp(ended)) < datetime.timedelta(milliseconds=1)
            assert (t.datetime_complete is not None) == t.state.is_finished() and t.datetime_start is not None
            steps = dict(db.execute('SELECT epoch, value FROM curves WHERE trial = ? AND metric = ?', (trial, metric)))
            assert t.intermediate_values.keys() == steps.keys()
            for step, v in steps.items():
                got = t.intermediate_values[step]
                assert math.isnan(got) if v is None else bits(got) == bits(v), (step, got, v)
            plain = {k: v for k, v in json.loads(params).items() if not isinstance(v, (dict, list))}
            assert {k: t.params[k] for k in plain} == plain and all(type(t.params[k]) is type(v) for k, v in plain.items() if k != 'width')
            assert t.params.keys() == json.loads(params).keys()
            for k, d in t.distributions.items():
                assert d._contains(d.to_internal_repr(t.params[k])) if not isinstance(d, library.distributions.CategoricalDistribution) else t.params[k] in d.choices
            for column, v in own[trial].items():
                if column.endswith('_best') and v is not None:
                    assert a[column] == v if math.isfinite(v) else float(a[column]) == v, (column, a[column], v)
                if column == 'opt.lr':
                    assert a.get(column) == v
        valued = [k for k in known if k[3] == 'complete' and k[7] is not None]
        assert bool(valued) == (name != 'none')
        if valued: # of equal ones the lowest number
            best = min(valued, key=lambda k: (k[7] if goal == 'minimize' else -k[7], k[0]))
            assert study.best_trial.user_attrs['trial'] == best[0], (study.best_trial, best)
            assert at != 'best' or name == 'reps' or best[0] == db.execute('SELECT best_trial FROM leaderboard WHERE sweep = ? AND rank = 1', (name,)).fetchone()[0]
        else:
            try:
                study.best_trial
                raise AssertionError('a best trial of none')
            except ValueError:
                pass
    grid = load(path, 'main-grid')
    d = grid.trials[0].distributions
    assert d == {
        'lr': library.distributions.FloatDistribution(0.001, 0.1, log=True),
        'units': library.distributions.IntDistribution(16, 32),
        'width': library.distributions.FloatDistribution(1.5, 2),
        'bn': library.distributions.CategoricalDistribution([True, False, None]),
        'opt': library.distributions.CategoricalDistribution(['sgd lr=0.3', '{"lr":0.1,"name":"sgd"}', 'adam', 'sgd lr=0.1'])}, d
    assert [c is x for c, x in zip(d['bn'].choices, (True, False, None))] == [True] * 3
    assert load(path, 'reps').trials[0].distributions['one'] == library.distributions.IntDistribution(7, 7)
    assert all(t.distributions == d for t in grid.trials)
    try:
        import pandas, sklearn
    except ImportError:
        print('no pandas or scikit-learn: the importances and the data frame were not tested', file=sys.stderr)
        return
    importances = library.importance.get_param_importances(grid)
    assert set(importances) == set(d) and abs(sum(importances.values()) - 1) < 1e-9 and list(importances)[:2] == ['opt', 'lr'], importances
    assert library.importance.get_param_importances(load(path, 'reps'))['lr'] == 1
    for name, _, _ in sweeps:
        frame = load(path, name).trials_dataframe()
        assert len(frame) == len(load(path, name).trials)
    frame = grid.trials_dataframe()
    assert list(frame['params_lr']) == [t.params['lr'] for t in grid.trials] and frame['value'].dtype == float
    stem = 'main-grid-trials'
    read_back = pandas.read_csv(stem + '.csv', float_precision='round_trip', keep_default_na=False, na_values=['', 'NaN'])
    lines = [json.loads(line) for line in open(stem + '.jsonl')]
    for column in ('best_value', 'last_value', 'score_best', 'lr', 'opt.lr'):
        told = [math.nan if l[column] is None else l[column] for l in lines]
        assert read_back[column].dtype == float and list(map(bits, map(float, told))) == list(map(bits, read_back[column]))
    odd = pandas.read_json('odd-curves.jsonl', lines=True)
    assert odd['value'].dtype == float and odd['value'].isna().any() and (odd['value'] == math.inf).any()
    odd = pandas.read_csv('odd-curves.csv')
    assert odd['value'].dtype == float and odd['value'].isna().any() and (odd['value'] == -math.inf).any()


def optuna_states(path):
    trials = load(path, 'main-grid').trials[:7]
    assert [t.state.name for t in trials] == ['WAITING', 'RUNNING', 'RUNNING', 'FAIL', 'PRUNED', 'FAIL', 'COMPLETE']
    assert [t.datetime_start is not None for t in trials] == [False] + [True] * 6
    assert [t.datetime_complete is not None for t in trials] == [False, False, False, True, True, True, True]
    assert [t.value is not None for t in trials] == [False] * 4 + [True, False, True]


def optuna_goes_on(path, finished):
    """Optuna takes the study further: first the trial that waits, with its parameters, then new ones of its own."""
    study = load(path, 'main-grid')
    waiting = study.trials[0]
    def objective(trial):
        lr = trial.suggest_float('lr', 0.001, 0.1, log=True)
        trial.suggest_int('units', 16, 32)
        trial.suggest_float('width', 1.5, 2)
        trial.suggest_categorical('bn', [True, False, None])
        trial.suggest_categorical('opt', ['sgd lr=0.3', '{"lr":0.1,"name":"sgd"}', 'adam', 'sgd lr=0.1'])
        return -lr
    n = len(study.trials)
    study.optimize(objective, n_trials=3)
    assert len(study.trials) == n + 2 and study.trials[0].state.name == 'COMPLETE' and study.trials[0].params == waiting.params
    assert study.trials[-1].number == n + 1
    study = load(finished, 'reps')
    study.enqueue_trial({'lr': 0.10005})
    study.optimize(lambda trial: trial.suggest_float('lr', 0.1, 0.2), n_trials=1)
    assert study.trials[-1].params == {'lr': 0.10005}


def memory(besom, short, long):
    def peak(folder, words):
        subprocess.run([besom, 'export', 'main-grid', '--out', folder, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss # the largest so far, in KiB
    ways = [['--what', 'curves'], ['--what', 'curves', '--format', 'jsonl'], ['--force', '-o', 'long.db'], []]
    before = max(peak(short, words) for words in ways)
    after = max(peak(long, words) for words in ways)
    count = connect(long).execute('SELECT count(*) FROM value').fetchone()[0]
    assert count > 250000 and after - before < 4096, (count, before, after)


if __name__ == '__main__':
    globals()[sys.argv[1]](*sys.argv[2:])

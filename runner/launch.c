#include "runner/launch.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/wire.h"
#include "results/store.h"
#include "runner/placeholder.h"
#include "runner/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- lists of strings ---- */

static int list_count(char *const *list) {
    int n = 0;
    while (list[n] != NULL) {
        n++;
    }
    return n;
}

static void list_free(char **list) {
    for (int i = 0; list != NULL && list[i] != NULL; i++) {
        free(list[i]);
    }
    free(list);
}

/* ---- files ---- */

/* Nothing is written when the file says it already: a retry costs no fsync. */
static int write_config(const char *dir, const char *path, const char *config, struct err *err) {
    const struct fs_part parts[] = {{config, strlen(config)}, {"\n", 1}};
    struct buf there = {0};
    struct err ignored; // it is written anew then
    bool same = fs_read(path, JSON_FILE_MAX, &there, &ignored) == ERR_OK &&
                there.len == parts[0].len + 1 && memcmp(there.data, config, parts[0].len) == 0 &&
                there.data[there.len - 1] == '\n';
    buf_release(&there);
    return same ? ERR_OK : fs_write_atomic(dir, "config.json", parts, 2, err);
}

/* ---- what the trainer has ---- */

#define ASIDE      "aside-"
#define ASIDE_HALF ".aside" // not all is in it yet

bool launch_is_runners(const char *name) {
    static const char *const names[] = {
        ".",   "..",       ASIDE_HALF,   "config.json", ".config.json.tmp",
        "log", "log.tail", "log.tail.1", "rows.jsonl",  ".rows.jsonl.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, ASIDE, strlen(ASIDE)) == 0;
}

/* The next name of the trainer's, on the heap; NULL at the end.  Renaming what was read may be done meanwhile. */
static char *next_name(DIR *folder) {
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (!launch_is_runners(entry->d_name)) {
            return mem_strdup(entry->d_name);
        }
    }
    return NULL;
}

bool launch_has_state(const char *dir) {
    DIR *folder = opendir(dir);
    char *name = next_name(folder);
    bool has = name != NULL;
    free(name);
    if (folder != NULL) {
        (void)closedir(folder); // only read
    }
    return has;
}

static int move_all(const char *dir, const char *into, struct err *err) {
    DIR *folder = opendir(dir);
    if (folder == NULL) {
        return err_io(err, errno, "open %s", dir);
    }
    int rc = ERR_OK;
    for (char *name; rc == ERR_OK && (name = next_name(folder)) != NULL; free(name)) {
        char *from = mem_printf("%s/%s", dir, name), *to = mem_printf("%s/%s", into, name);
        if (rename(from, to) != 0) {
            rc = err_io(err, errno, "rename %s to %s", from, to);
        }
        free(from);
        free(to);
    }
    (void)closedir(folder); // only read
    return rc;
}

/* The first number that is free. */
static int name_aside(const char *dir, const char *half, struct err *err) {
    int rc = -1;
    for (int i = 1; rc < 0; i++) {
        char *name = mem_printf("%s/" ASIDE "%d", dir, i);
        rc = access(name, F_OK) == 0 ? -1 : rename(half, name) == 0 ? 0 : errno;
        free(name);
    }
    return rc == 0 ? ERR_OK : err_io(err, rc, "rename %s", half);
}

/* A runner that is killed on the way leaves a half: the next attempt is begun with the rest of it done. */
static int put_aside(const char *dir, bool afresh, struct err *err) {
    char *half = mem_printf("%s/" ASIDE_HALF, dir);
    bool is_half = access(half, F_OK) == 0;
    int rc = ERR_OK;
    if (is_half || (afresh && launch_has_state(dir))) {
        rc = is_half || mkdir(half, 0777) == 0 ? ERR_OK : err_io(err, errno, "make %s", half);
        rc = rc == ERR_OK ? move_all(dir, half, err) : rc;
        rc = rc == ERR_OK ? name_aside(dir, half, err) : rc;
    }
    free(half);
    return rc;
}

/* ---- environment ---- */

/* Is `entry`, "NAME=value", the variable `name`? */
static bool is_variable(const char *entry, const char *name) {
    size_t len = strlen(name);
    return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

/* Sets a variable in a list with room for one more; *count grows when it is new. */
static void set_variable(char **env, int *count, const char *name, const char *value) {
    char *entry = mem_printf("%s=%s", name, value);
    for (int i = 0; i < *count; i++) {
        if (is_variable(env[i], name)) {
            free(env[i]);
            env[i] = entry;
            return;
        }
    }
    env[(*count)++] = entry;
}

static void set_number(char **env, int *count, const char *name, int64_t value) {
    char *text = mem_printf("%lld", (long long)value);
    set_variable(env, count, name, text);
    free(text);
}

static char **make_env(const struct launch *l, const struct launch_site *site,
                       const struct store_job *job, int attempt, int slot) {
    static const char *const threads[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
                                          "MKL_NUM_THREADS"};
    enum { ADDED_MAX = 16 };
    int count = list_count(environ);
    char **env = mem_zalloc((size_t)count + ADDED_MAX, sizeof *env);
    for (int i = 0; i < count; i++) {
        env[i] = mem_strdup(environ[i]);
    }
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        if (getenv(threads[i]) == NULL) {
            set_variable(env, &count, threads[i], "1"); // a slot is a processor
        }
    }
    char *cache = mem_printf("%s/cache", site->out_dir);
    set_number(env, &count, WIRE_ENV_TRIAL, job->trial);
    set_number(env, &count, WIRE_ENV_ATTEMPT, attempt);
    set_number(env, &count, WIRE_ENV_SEED, job->seed);
    set_number(env, &count, WIRE_ENV_SLOT, slot);
    set_variable(env, &count, WIRE_ENV_CONFIG, l->config_path);
    set_variable(env, &count, WIRE_ENV_CHECKPOINT_DIR, l->dir);
    set_variable(env, &count, WIRE_ENV_CACHE_DIR, cache);
    free(cache);
    return env;
}

/* ---- command ---- */

/* The shim and its arguments; the trainer's follow.  Returns how many. */
static int put_shim(char **argv, const struct launch_site *site, const char *group) {
    int n = 0;
    argv[n++] = mem_strdup(site->shim);
    argv[n++] = mem_strdup("-r");
    if (site->memory_bytes > 0) {
        argv[n++] = mem_printf("-m%lld", (long long)site->memory_bytes);
    }
    if (group != NULL) {
        argv[n++] = mem_printf("-g%s", group);
    }
    argv[n++] = mem_printf("%d", (int)getpid());
    return n;
}

/* The program itself is looked for. */
static int fill_argv(struct launch *l, const struct launch_site *site, const char *group,
                     const struct placeholder_trial *trial, struct err *err) {
    enum { SHIM_MAX = 5 };
    int count = list_count(site->trainer);
    l->argv = mem_zalloc((size_t)count + SHIM_MAX + 1, sizeof *l->argv);
    int first = put_shim(l->argv, site, group);
    int rc = ERR_OK;
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        struct buf arg = {0};
        rc = placeholder_expand(&arg, site->trainer[i], trial, err);
        l->argv[first + i] = buf_detach(&arg);
    }
    char *program = NULL;
    rc = rc == ERR_OK ? program_find(&program, l->argv[first], err) : rc;
    if (rc == ERR_OK) {
        free(l->argv[first]);
        l->argv[first] = program;
        l->program = program;
    }
    return rc;
}

static int make_argv(struct launch *l, const struct launch_site *site, const struct store_job *job,
                     const char *group, struct err *err) {
    struct json_doc *doc;
    int rc = json_parse(&doc, "config", job->config, strlen(job->config), JSON_STRICT, err);
    if (rc != ERR_OK) {
        return rc;
    }
    char *trial = mem_printf("%lld", (long long)job->trial);
    char *seed = mem_printf("%lld", (long long)job->seed);
    const struct placeholder_trial values = {.config_file = l->config_path,
                                             .checkpoint_dir = l->dir,
                                             .trial = trial,
                                             .seed = seed,
                                             .config = json_root(doc)};
    rc = fill_argv(l, site, group, &values, err);
    free(trial);
    free(seed);
    json_free(doc);
    return rc;
}

int launch_prepare(struct launch *launch, const struct launch_site *site,
                   const struct store_job *job, const struct launch_place *place, struct err *err) {
    struct launch l = {.dir = mem_printf("%s/trials/%s", site->out_dir, job->key)};
    l.config_path = mem_printf("%s/config.json", l.dir);
    l.log_path = mem_printf("%s/log", l.dir);
    *launch = (struct launch){0};
    int rc = fs_mkdirs(l.dir, err);
    rc = rc == ERR_OK ? put_aside(l.dir, place->afresh, err) : rc;
    rc = rc == ERR_OK ? write_config(l.dir, l.config_path, job->config, err) : rc;
    rc = rc == ERR_OK ? make_argv(&l, site, job, place->group, err) : rc;
    if (rc != ERR_OK) {
        launch_release(&l);
        return rc;
    }
    l.env = make_env(&l, site, job, place->attempt, place->slot);
    *launch = l;
    return ERR_OK;
}

void launch_release(struct launch *launch) {
    free(launch->dir);
    free(launch->config_path);
    free(launch->log_path);
    list_free(launch->argv);
    list_free(launch->env);
    *launch = (struct launch){0};
}

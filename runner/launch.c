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

#include <stdlib.h>
#include <string.h>
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

/* The folders of trials: docs/protocol.md, docs/design.md. */
#include "verify/checks.h"
#include "verify/db.h"
#include "verify/facts.h"
#include "verify/hash128.h"
#include "verify/report.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- keys ---- */

static bool is_key(const char *text) {
    return strlen(text) == HASH128_DIGITS && strspn(text, "0123456789abcdef") == HASH128_DIGITS;
}

/* Whether the key is that of `config` with the trainer of some sweep that has the trial. */
static bool key_fits(const struct checking *c, const struct facts *f, const char *config) {
    bool fits = false;
    for (sqlite3_stmt *q = db_ask(c->db,
                                  "SELECT s.trainer FROM member m JOIN sweep s ON s.id = m.sweep"
                                  " WHERE m.trial = ?1 AND m.present",
                                  f->trial);
         db_next(c->db, &q);) {
        char key[HASH128_DIGITS + 1];
        fits = fits || (trial_key(key, config, f->seed, db_text(q, 0)) && strcmp(key, f->key) == 0);
    }
    return fits;
}

static bool is_in_a_sweep(const struct checking *c, const struct facts *f) {
    return db_number(c->db, "SELECT count(*) FROM member WHERE trial = ?1 AND present", f->trial) >
           0;
}

void check_key_of(const struct checking *c, const struct facts *f, const char *config,
                  const char *file) {
    static const char *const seed[] = {"seed", NULL};
    char *without = canonical_without(config, seed);
    const struct place place = {.trial = f->trial, .file = file};
    if (without == NULL) {
        report_bad(c->report, VERIFY_KEYS, &place, "its config is no canonical JSON object: %s",
                   config);
    } else if (!key_fits(c, f, without)) {
        report_bad(c->report, VERIFY_KEYS, &place,
                   "key %s is not the hash of this config, seed %" PRId64
                   " and the sweep's trainer",
                   f->key, f->seed);
    }
    free(without);
}

/* For any trainer but besom-trainer the whole config counts, without `epochs`.  (What counts for besom-trainer is
 * in its checkpoints.) */
static void check_key(const struct checking *c, const struct facts *f) {
    const struct place place = {.trial = f->trial};
    cJSON *config = cJSON_Parse(f->config);
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(config, "seed");
    if (!is_key(f->key)) {
        report_bad(c->report, VERIFY_KEYS, &place, "key \"%s\" is not 32 hexadecimal digits",
                   f->key);
    } else if (!cJSON_IsObject(config)) {
        report_bad(c->report, VERIFY_KEYS, &place, "its config is no JSON object: %s", f->config);
    } else if (seed != NULL && (!cJSON_IsNumber(seed) || seed->valuedouble != (double)f->seed)) {
        report_bad(c->report, VERIFY_KEYS, &place,
                   "its seed is %" PRId64 ", that of its config another", f->seed);
    } else if (!f->by_besom && is_in_a_sweep(c, f)) {
        static const char *const epochs[] = {"epochs", NULL};
        char *counts = canonical_without(f->config, epochs);
        check_key_of(c, f, counts != NULL ? counts : f->config, NULL);
        free(counts);
    }
    cJSON_Delete(config);
    report_count(c->report, VERIFY_KEYS, 1);
}

/* ---- config.json ---- */

/* The file's text, to be freed; NULL: it is not there, or cannot be read. */
static char *read_config(int folder_fd) {
    enum { CONFIG_MAX = 64 << 20 };
    struct stat st;
    int fd = openat(folder_fd, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONFIG_MAX) {
        text = checked_alloc((size_t)st.st_size + 1);
        if (read(fd, text, (size_t)st.st_size) != st.st_size) {
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0) {
        (void)close(fd); // only read
    }
    return text;
}

/* But for `epochs`: of a complete trial whose extension was taken back before it was started, the database has
 * another number than the file. */
static bool differs_in_epochs_alone(const char *a, const char *b) {
    static const char *const epochs[] = {"epochs", NULL};
    char *x = canonical_without(a, epochs), *y = canonical_without(b, epochs);
    bool same = x != NULL && y != NULL && strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

static void compare_config(const struct checking *c, const struct facts *f, char *text,
                           const struct place *place) {
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n') {
        text[len - 1] = '\0';
    }
    if (strcmp(text, f->config) == 0) {
        return;
    }
    cJSON *json = cJSON_Parse(text);
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(json, "seed");
    bool started = f->running && f->attempt_count > 0 && f->attempt[f->attempt_count - 1].ran;
    if (!cJSON_IsObject(json)) {
        report_bad(c->report, VERIFY_FOLDERS, place, "is no JSON object");
    } else if (seed != NULL && seed->valuedouble != (double)f->seed) {
        report_bad(c->report, VERIFY_FOLDERS, place, "has another seed than the trial, %" PRId64,
                   f->seed);
    } else if ((f->complete && !differs_in_epochs_alone(text, f->config)) || started) {
        report_bad(c->report, VERIFY_FOLDERS, place, "is not the config that the database has");
    } else {
        report_note(
            c->report, place,
            "is the config of its last attempt; the database has what the next one will get");
    }
    cJSON_Delete(json);
}

/* ---- a folder ---- */

static bool must_have_begun(const struct facts *f) {
    for (int i = 0; i < f->attempt_count; i++) {
        if (f->attempt[i].ran) {
            return true;
        }
    }
    return f->epoch_count > 0 || f->complete;
}

DIR *check_names(int folder_fd) {
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL && fd >= 0) {
        (void)close(fd); // nothing was read
    }
    return dir;
}

static bool is_temporary(const char *name) {
    size_t len = strlen(name);
    return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

static void look_for_temporaries(const struct checking *c, const struct facts *f, int folder_fd,
                                 const char *folder) {
    DIR *dir = check_names(folder_fd);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_temporary(entry->d_name) && !f->under_way) {
            char *path = checked_printf("%s/%s", folder, entry->d_name);
            const struct place place = {.trial = f->trial, .file = path};
            report_note(c->report, &place,
                        "a writer died while it wrote this; no reader takes it, the next attempt "
                        "removes it");
            free(path);
        }
    }
    (void)closedir(dir); // only read
}

void check_folder(const struct checking *c, const struct facts *f) {
    check_key(c, f);
    if (f->attempt_count == 0 || !is_key(f->key)) {
        return;
    }
    char *folder = checked_printf("trials/%s", f->key);
    char *path = checked_printf("%s/%s", c->dir, folder);
    char *config_path = checked_printf("%s/config.json", folder);
    const struct place place = {.trial = f->trial, .file = folder};
    const struct place config_place = {.trial = f->trial, .file = config_path};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool begun = must_have_begun(f);
    report_count(c->report, VERIFY_FOLDERS, 1);
    if (fd < 0 && (begun || errno != ENOENT)) {
        report_bad(c->report, VERIFY_FOLDERS, &place, "%s", strerror(errno));
    }
    if (fd >= 0) {
        char *config = read_config(fd);
        if (config != NULL) {
            compare_config(c, f, config, &config_place);
        } else if (begun) {
            report_bad(c->report, VERIFY_FOLDERS, &config_place, "is not there, or cannot be read");
        }
        look_for_temporaries(c, f, fd, folder);
        check_checkpoints(c, f, fd, config != NULL ? config : f->config);
        check_trial_snapshot(c, f, fd);
        free(config);
        (void)close(fd); // only read
    }
    free(config_path);
    free(path);
    free(folder);
}

/* ---- folders of no trial ---- */

void check_strangers(const struct checking *c) {
    char *path = checked_printf("%s/trials", c->dir);
    DIR *dir = opendir(path);
    if (dir == NULL && db_number(c->db, "SELECT count(*) FROM epoch", 0) > 0) {
        const struct place place = {.file = "trials"};
        report_bad(c->report, VERIFY_FOLDERS, &place, "%s", strerror(errno));
    }
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char *sql = sqlite3_mprintf("SELECT count(*) FROM trial WHERE key = %Q", entry->d_name);
        if (!c->db->failed && db_number(c->db, sql, 0) == 0) {
            char *name = checked_printf("trials/%s", entry->d_name);
            const struct place place = {.file = name};
            report_note(c->report, &place,
                        "belongs to no trial of results.db, and nothing uses it");
            free(name);
        }
        sqlite3_free(sql);
    }
    if (dir != NULL) {
        (void)closedir(dir); // only read
    }
    free(path);
}

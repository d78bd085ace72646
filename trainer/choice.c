#include "trainer/choice.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/race.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 4096, LOCK_WAIT_MS = 10000 };

bool choice_is_narrow(const struct choice_times *times) {
    return times->wide * 100 > times->narrow * (100 + CHOICE_MARGIN); // both below 2^50
}

/* ---- the file ---- */

/* `{"program": ..., "processor": ...}`: what it is about. */
static struct cJSON *subject(const struct choice_rivals *rivals) {
    struct cJSON *json = json_new_object();
    json_set(json, "program", json_new_string(rivals->program));
    json_set(json, "processor", json_new_string(rivals->processor));
    return json;
}

static void hash_json(char out[HASH_HEX_LEN + 1], const struct cJSON *json) {
    struct buf text = {0};
    json_print_canonical(&text, json);
    hash_hex(out, text.data, text.len);
    buf_release(&text);
}

static char *name_of(const struct choice_rivals *rivals, const char *ending) {
    char hex[HASH_HEX_LEN + 1];
    struct cJSON *json = subject(rivals);
    hash_json(hex, json);
    json_delete(json);
    return mem_printf("kernels-%.8s.%s", hex, ending);
}

char *choice_path(const struct choice_rivals *rivals, const char *dir) {
    char *name = name_of(rivals, "json"), *path = mem_printf("%s/%s", dir, name);
    free(name);
    return path;
}

/* All of the file. */
static void print(struct buf *out, const struct choice_rivals *rivals,
                  const struct choice_times *times) {
    const struct kernels *taken = choice_is_narrow(times) ? rivals->narrow : rivals->wide;
    struct cJSON *json = subject(rivals), *ns = json_new_object();
    json_set(ns, rivals->wide->name, json_new_number((double)times->wide));
    json_set(ns, rivals->narrow->name, json_new_number((double)times->narrow));
    json_set(json, "kernels", json_new_string(taken->name));
    json_set(json, "ns", ns);
    char check[HASH_HEX_LEN + 1];
    hash_json(check, json);
    json_set(json, "check", json_new_string(check));
    json_print_pretty(out, json);
    buf_putc(out, '\n');
    json_delete(json);
}

static bool take_ns(const struct cJSON *ns, const struct kernels *set, int64_t *out) {
    const struct cJSON *value = json_get(ns, set->name);
    return value != NULL && json_integer(value, 1, INT64_C(1) << 50, out);
}

static bool parse(struct choice_times *times, const struct buf *text,
                  const struct choice_rivals *rivals) {
    struct json_doc *doc = NULL;
    struct err err;
    if (json_parse(&doc, "kernels", buf_text(text), text->len, JSON_STRICT, &err) != ERR_OK) {
        return false;
    }
    const struct cJSON *root = json_root(doc);
    const struct cJSON *ns = json_type(root) == JSON_OBJECT ? json_get(root, "ns") : NULL;
    struct choice_times read;
    bool good = ns != NULL && json_type(ns) == JSON_OBJECT &&
                take_ns(ns, rivals->wide, &read.wide) && take_ns(ns, rivals->narrow, &read.narrow);
    json_free(doc);
    if (good) {
        struct buf whole = {0};
        print(&whole, rivals, &read);
        good = whole.len == text->len && memcmp(whole.data, text->data, text->len) == 0;
        buf_release(&whole);
    }
    if (good) {
        *times = read;
    }
    return good;
}

static bool load(struct choice_times *times, const struct choice_rivals *rivals, const char *dir) {
    char *path = choice_path(rivals, dir);
    struct buf text = {0};
    struct err err; // whatever is wrong with it: it is measured anew
    bool good = fs_read(path, FILE_MAX, &text, &err) == ERR_OK && parse(times, &text, rivals);
    buf_release(&text);
    free(path);
    return good;
}

static bool save(const struct choice_times *times, const struct choice_rivals *rivals,
                 const char *dir) {
    char *name = name_of(rivals, "json");
    struct buf text = {0};
    struct err err;
    print(&text, rivals, times);
    const struct fs_part part = {text.data, text.len};
    bool saved = fs_write_atomic(dir, name, &part, 1, &err) == ERR_OK;
    buf_release(&text);
    free(name);
    return saved;
}

/* ---- first of all ---- */

static bool lock(int *fd, const struct choice_rivals *rivals, const char *dir) {
    char *name = name_of(rivals, "lock"), *path = mem_printf("%s/%s", dir, name);
    struct err err;
    bool locked = fs_mkdirs(dir, &err) == ERR_OK &&
                  fs_lock_wait(path, LOCK_WAIT_MS, NULL, NULL, fd, &err) == ERR_OK;
    free(path);
    free(name);
    return locked;
}

bool choice_kept(const struct choice_rivals *rivals, const char *const dirs[], int count,
                 struct choice_times *times) {
    for (int i = 0; i < count; i++) {
        if (load(times, rivals, dirs[i])) {
            return true;
        }
    }
    return false;
}

bool choice_keep(const struct choice_rivals *rivals, const char *const dirs[], int count,
                 struct choice_times *times) {
    if (count == 0) {
        return false;
    }
    if (load(times, rivals, dirs[0])) {
        return true;
    }
    // before the lock is taken, so that nobody ever holds two: they may be one folder under two names
    struct choice_times found = {0};
    bool known = choice_keep(rivals, dirs + 1, count - 1, &found), kept = known;
    int fd;
    if (lock(&fd, rivals, dirs[0])) {
        kept = load(&found, rivals, dirs[0]);
        if (!kept) {
            if (!known) {
                const struct kernels *const sets[2] = {rivals->wide, rivals->narrow};
                int64_t ns[2];
                rivals->measure(sets, ns);
                found = (struct choice_times){ns[0], ns[1]};
            }
            kept = save(&found, rivals, dirs[0]) || known;
        }
        (void)close(fd); // nothing was written to it; lets the next one in
    }
    if (kept) {
        *times = found;
    }
    return kept;
}

/* ---- what there is to choose between ---- */

/* The text after the colon of the line of `key`, up to the empty line behind the first processor. */
static void put_field(struct buf *out, const char *cpuinfo, const char *key) {
    const char *end = strstr(cpuinfo, "\n\n");
    for (const char *line = cpuinfo; line != NULL && (end == NULL || line <= end);) {
        size_t len = strcspn(line, "\n"), name = strcspn(line, "\t:\n");
        if (name == strlen(key) && strncmp(line, key, name) == 0 && memchr(line, ':', len)) {
            const char *value = (const char *)memchr(line, ':', len) + 1;
            value += strspn(value, " ");
            buf_printf(out, "%s%.*s", out->len > 0 ? " " : "", (int)(line + len - value), value);
            return;
        }
        line = line[len] == '\n' ? line + len + 1 : NULL;
    }
}

void choice_processor(struct buf *out, const char *cpuinfo) {
    static const char *const keys[] = {"vendor_id", "cpu family", "model", "stepping",
                                       "model name"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        put_field(out, cpuinfo, keys[i]);
    }
}

/* From the kernel, which has asked once, and not by cpuid: a hypervisor takes 50 us for each. */
static void read_processor(struct buf *out) {
    char text[FILE_MAX] = "";
    int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1); // the first processor's are enough
    if (len >= 0) {
        text[len] = '\0';
        choice_processor(out, text);
    }
    if (fd >= 0) {
        (void)close(fd); // only read from
    }
}

static void choose(struct choice *out, const char *program, const char *const dirs[], int count,
                   bool measure) {
    const struct kernels *sets[4], *forced = kernels_forced();
    int set_count = kernels_all(sets);
    *out = (struct choice){.set = sets[0], .how = CHOICE_ONLY};
    if (forced != NULL) {
        *out = (struct choice){.set = forced, .how = CHOICE_FORCED};
        return;
    }
    if (set_count < 2 || strcmp(sets[0]->name, "x86-64-v4") != 0) {
        return; // v2 has no fused multiply-add, and is never faster than v3
    }
    struct buf processor = {0};
    read_processor(&processor);
    const struct choice_rivals rivals = {
        .wide = sets[0],
        .narrow = sets[1],
        .program = program,
        .processor = buf_text(&processor),
        .measure = kernels_race,
    };
    out->how = CHOICE_UNMEASURED;
    bool known = processor.len > 0 &&
                 (measure ? choice_keep : choice_kept)(&rivals, dirs, count, &out->times);
    if (known) {
        out->how = CHOICE_MEASURED;
        out->set = choice_is_narrow(&out->times) ? rivals.narrow : rivals.wide;
    }
    buf_release(&processor);
}

void choice_settle(struct choice *out, const char *program, const char *const dirs[], int count) {
    choose(out, program, dirs, count, true);
}

void choice_look(struct choice *out, const char *program, const char *const dirs[], int count) {
    choose(out, program, dirs, count, false);
}

void choice_describe(struct buf *out, const struct choice *choice) {
    const double wide = (double)choice->times.wide * 1e-6,
                 narrow = (double)choice->times.narrow * 1e-6;
    switch (choice->how) {
    case CHOICE_FORCED:
        buf_puts(out, "kernels chosen by BESOM_KERNELS");
        break;
    case CHOICE_ONLY:
        buf_puts(out, "kernels chosen as the widest that this processor runs");
        break;
    case CHOICE_MEASURED:
        buf_printf(out,
                   "kernels chosen by measuring: x86-64-v4 took %.2f ms, x86-64-v3 %.2f ms; v3 is "
                   "taken where v4 takes %d%% longer",
                   wide, narrow, CHOICE_MARGIN);
        break;
    case CHOICE_UNMEASURED:
        buf_puts(out, "kernels chosen as the widest that this processor runs, until the first "
                      "training has measured x86-64-v4 and x86-64-v3");
        break;
    }
}

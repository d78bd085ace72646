/* All of it must be possible in any thread at any time, inside malloc() too: no allocation, no stdio, and
 * system calls are made directly, past the wrappers. */
#include "tests/faults/inject_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t) // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN alike

enum { NO_LOG_FLUSH = 2, FIELD_COUNT = 6, PATTERN_MAX = 128, TEXT_MAX = 16384 };

enum action { ACT_KILL, ACT_KILL_RUNNER, ACT_CUT, ACT_TEAR, ACT_SKIP, ACT_FAIL };

struct rule {
    enum inject_call call;
    char pattern[PATTERN_MAX];
    bool after, on;
    uint64_t nth;
    enum action action;
    int error;
    int place; // in the state
};

static struct rule rules[INJECT_RULE_MAX];
static int rule_count;
static unsigned wanted; // a bit a call
static struct inject_state *state;
static int fs_fd = -1;
static char lines_path[INJECT_PATH_MAX];

static const char *const call_names[] = {
#define X(name) #name,
    INJECT_CALL_MAP(X)
#undef X
};

/* ---- reading the rules ---- */

static const struct {
    const char *name;
    int number;
} errors[] = {{"ENOMEM", ENOMEM}, {"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE},
              {"EAGAIN", EAGAIN}, {"EROFS", EROFS}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT},
              {"ENFILE", ENFILE}, {"EINTR", EINTR}};

static const char *const action_names[] = {"kill", "kill-runner", "cut", "tear", "skip"};

static _Noreturn void refuse(const char *what) {
    (void)!write(STDERR_FILENO, what, strlen(what));
    _exit(99);
}

static void read_action(struct rule *rule, const char *word) {
    for (int i = 0; i < ACT_FAIL; i++) {
        if (strcmp(word, action_names[i]) == 0) {
            rule->action = (enum action)i;
            return;
        }
    }
    rule->action = ACT_FAIL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(word, errors[i].name) == 0) {
            rule->error = errors[i].number;
            return;
        }
    }
    refuse("inject: no such action\n");
}

static bool is_this_program(const char *name) {
    static char path[INJECT_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    path[len < 0 ? 0 : len] = '\0';
    const char *slash = strrchr(path, '/');
    return strcmp(name, "*") == 0 || strcmp(name, slash == NULL ? path : slash + 1) == 0;
}

static void read_rule(char *line, int place) {
    char *field[FIELD_COUNT], *rest = line;
    for (int i = 0; i < FIELD_COUNT; i++) {
        field[i] = strsep(&rest, "\t");
        if (field[i] == NULL || strlen(field[i]) >= PATTERN_MAX) {
            refuse("inject: a rule has six fields\n");
        }
    }
    struct rule rule = {.place = place, .after = strcmp(field[3], "after") == 0};
    int call = 0;
    while (call < INJECT_CALL_COUNT && strcmp(call_names[call], field[1]) != 0) {
        call++;
    }
    if (call == INJECT_CALL_COUNT || place >= INJECT_RULE_MAX) {
        refuse("inject: no such call, or too many rules\n");
    }
    rule.call = (enum inject_call)call;
    (void)strcpy(rule.pattern, field[2]); // measured above
    char *end;
    rule.nth = strtoull(field[4], &end, 10);
    rule.on = *end == '+';
    read_action(&rule, field[5]);
    if (is_this_program(field[0])) {
        rules[rule_count++] = rule;
    }
}

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("BESOM_INJECT"), *file = getenv("BESOM_INJECT_STATE");
    const char *fs = getenv("BESOM_INJECT_FS"), *lines = getenv("BESOM_INJECT_LINES");
    if (text == NULL || file == NULL) {
        return;
    }
    static char copy[TEXT_MAX];
    (void)strncpy(copy, text, sizeof copy - 1);
    (void)strncpy(lines_path, lines == NULL ? "" : lines, sizeof lines_path - 1);
    int place = 0;
    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0') {
            read_rule(line, place++);
        }
    }
    if (rule_count == 0) {
        return;
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED
                      : mmap(NULL, INJECT_STATE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        refuse("inject: BESOM_INJECT_STATE cannot be mapped\n");
    }
    (void)syscall(SYS_close, fd);
    if (fs != NULL) { // now: later the program may have used up its descriptors
        fs_fd = (int)syscall(SYS_openat, AT_FDCWD, fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    state = at;
    for (int i = 0; i < rule_count; i++) {
        wanted |= 1U << rules[i].call;
    }
}

/* ---- matching ---- */

static bool matches(const char *pattern, const char *text) {
    for (; *pattern != '\0' && *pattern != '*'; pattern++, text++) {
        if (*pattern != *text) {
            return false;
        }
    }
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (pattern[1] == '\0') {
        return true; // whatever is left, and perhaps not a string
    }
    for (;; text++) {
        if (matches(pattern + 1, text)) {
            return true;
        }
        if (*text == '\0') {
            return false;
        }
    }
}

bool inject_wants(enum inject_call call) {
    return (wanted >> call & 1) != 0;
}

/* ---- doing ---- */

/* The parent of `pid` and whether `pid` is a besom, out of "PID (NAME) STATE PPID ...". */
static pid_t parent_of(pid_t pid, bool *is_besom) {
    char path[32] = "/proc/", digits[16], text[256];
    int n = 0;
    for (pid_t rest = pid; rest > 0; rest /= 10) {
        digits[n++] = (char)('0' + rest % 10);
    }
    size_t len = strlen(path);
    while (n > 0) {
        path[len++] = digits[--n];
    }
    (void)strcpy(path + len, "/stat"); // fits
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : syscall(SYS_read, fd, text, sizeof text - 1);
    (void)syscall(SYS_close, fd);
    if (got <= 0) {
        return 0;
    }
    text[got] = '\0';
    *is_besom = strstr(text, "(besom)") != NULL;
    const char *end = strrchr(text, ')');
    return end == NULL || strlen(end) < 5 ? 0 : (pid_t)atoi(end + 4);
}

static void kill_runner(void) {
    bool is_besom = false;
    pid_t pid = getpid();
    for (int up = 0; up < 4 && pid > 1; up++) {
        pid_t parent = parent_of(pid, &is_besom);
        if (is_besom) {
            (void)kill(pid, SIGKILL);
            return;
        }
        pid = parent;
    }
}

static void cut_power(void) {
    uint32_t how = NO_LOG_FLUSH;
    struct stat said = {0};
    (void)syscall(SYS_newfstatat, AT_FDCWD, lines_path, &said, 0); // 0 bytes when there is none
    atomic_store(&state->lines_len, (uint64_t)said.st_size);
    if (syscall(SYS_ioctl, fs_fd, FS_SHUTDOWN, &how) != 0) {
        refuse("inject: BESOM_INJECT_FS cannot be shut down\n");
    }
}

static _Noreturn void die(void) {
    (void)kill(getpid(), SIGKILL);
    for (;;) { // another thread may be the one that receives it
        (void)pause();
    }
}

/* Does not return but for skip and fail. */
static void perform(const struct rule *rule) {
    if (rule->action == ACT_SKIP || rule->action == ACT_FAIL) {
        return;
    }
    if (rule->action == ACT_CUT) {
        cut_power();
    }
    if (rule->action == ACT_CUT || rule->action == ACT_KILL_RUNNER) {
        kill_runner();
    }
    die();
}

/* Counts a call that a rule is about; whether it is one that the rule is to strike. */
static bool is_struck(const struct rule *rule) {
    uint64_t count = atomic_fetch_add(&state->met[rule->place], 1) + 1;
    bool struck = count == rule->nth || (rule->on && count > rule->nth);
    if (struck) {
        (void)atomic_fetch_add(&state->fired[rule->place], 1);
    }
    return struck;
}

struct inject_shot inject_meet(enum inject_call call, const char *subject) {
    struct inject_shot shot = {0};
    int saved = errno;
    for (int i = 0; i < rule_count; i++) {
        const struct rule *rule = &rules[i];
        if (rule->call != call || !matches(rule->pattern, subject)) {
            continue;
        }
        if (rule->after) {
            shot.after |= (unsigned __int128)1 << i;
        } else if (!is_struck(rule)) {
            continue;
        } else if (rule->action == ACT_TEAR) {
            shot.torn = true;
        } else {
            perform(rule);
            shot.instead = true;
            shot.error = rule->error; // 0 of skip
        }
    }
    errno = saved;
    return shot;
}

void inject_fire(const struct inject_shot *shot) {
    int saved = errno;
    if (shot->torn) {
        die();
    }
    for (int i = 0; i < rule_count; i++) {
        if ((shot->after >> i & 1) != 0 && is_struck(&rules[i])) {
            perform(&rules[i]);
        }
    }
    errno = saved;
}

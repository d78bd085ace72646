/* breeder - a trainer that leaves processes behind, in every way that there is.  For the campaign orphans.
 *
 *     breeder WAY...      each makes some more processes; then a record is printed, and all wait
 *
 *     child       children and grandchildren in its own group
 *     daemon      forked twice, in a session of its own, its descriptors closed, its parent gone
 *     stubborn    a daemon that blocks and ignores all signals that can be
 *     nameless    a daemon that has run its program anew, without any environment
 *     chain       a process that forks and ends, again and again: the pid moves on each millisecond
 *     race        the same as fast as it goes, as a daemon
 *     fan         a daemon that starts children without end, each of which lives for a while
 *     stopped     a daemon that is stopped
 *
 * Whatever it is, it ends by itself after LIFE_S, so that a failed campaign leaves the machine as it was. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE_S = 20, FAN_MAX = 20, WIDTH = 3 };

static time_t end_s; // of the monotonic clock, the same in all processes

static time_t now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return now.tv_sec;
}

static void nap(long us) {
    (void)nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL); // short is fine
}

static _Noreturn void live(void) {
    while (now_s() < end_s) {
        nap(100000);
    }
    _exit(0);
}

/* In a process that is nobody's child, in a session of its own: true.  In the caller: false. */
static bool in_daemon(void) {
    pid_t pid = fork();
    if (pid != 0) {
        (void)waitpid(pid, NULL, 0); // fails when fork() has failed: then there is one less
        return false;
    }
    (void)setsid();
    if (fork() != 0) {
        _exit(0);
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++) {
        (void)dup2(null, fd);
    }
    return true;
}

static void breed_child(void) {
    for (int i = 0; i < WIDTH; i++) {
        if (fork() == 0) {
            (void)fork(); // either way there is one more
            live();
        }
    }
}

static _Noreturn void be_stubborn(void) {
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_IGN); // fails for SIGKILL and SIGSTOP
    }
    live();
}

static _Noreturn void be_nameless(void) {
    char end[32];
    (void)snprintf(end, sizeof end, "%lld", (long long)end_s); // fits
    char *argv[] = {(char[]){"x"}, (char[]){"wait"}, end, NULL}, *env[] = {NULL};
    (void)execve("/proc/self/exe", argv, env); // returns when it failed
    live();
}

static _Noreturn void be_chain(long us) {
    while (now_s() < end_s) {
        if (us > 0) {
            nap(us);
        }
        pid_t pid = fork();
        if (pid > 0) {
            _exit(0);
        }
    }
    _exit(0);
}

static _Noreturn void be_fan(void) {
    (void)signal(SIGCHLD, SIG_IGN); // its children leave no zombies
    for (int i = 0; now_s() < end_s; i++) {
        if (fork() == 0) {
            nap(1000L * FAN_MAX);
            _exit(0);
        }
        nap(1000);
    }
    _exit(0);
}

static bool breed(const char *way) {
    if (strcmp(way, "child") == 0) {
        breed_child();
    } else if (strcmp(way, "daemon") == 0) {
        if (in_daemon()) {
            live();
        }
    } else if (strcmp(way, "stubborn") == 0) {
        if (in_daemon()) {
            be_stubborn();
        }
    } else if (strcmp(way, "nameless") == 0) {
        if (in_daemon()) {
            be_nameless();
        }
    } else if (strcmp(way, "chain") == 0) {
        if (fork() == 0) {
            be_chain(1000);
        }
    } else if (strcmp(way, "race") == 0) {
        if (in_daemon()) {
            be_chain(0);
        }
    } else if (strcmp(way, "fan") == 0) {
        if (in_daemon()) {
            be_fan();
        }
    } else if (strcmp(way, "stopped") == 0) {
        if (in_daemon()) {
            (void)raise(SIGSTOP);
            live();
        }
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "wait") == 0) {
        end_s = (time_t)atoll(argv[2]);
        live();
    }
    end_s = now_s() + LIFE_S;
    (void)signal(SIGTERM, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (!breed(argv[i])) {
            (void)fprintf(stderr, "breeder: no way \"%s\"\n", argv[i]);
            return 2;
        }
    }
    (void)printf("{\"epoch\": 1, \"val_accuracy\": 0.5}\n");
    (void)fflush(stdout);
    live();
}

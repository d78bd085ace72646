/* _exit() and raise() of programs that are built for coverage: the counters are written first, as exit() does by itself. */
#include <gcov.h>

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
int __real_raise(int number);
int __wrap_raise(int number);

void __wrap__exit(int status) {
    __gcov_dump(); // once: a second call writes nothing
    __real__exit(status);
}

int __wrap_raise(int number) {
    __gcov_dump();
    __gcov_reset(); // it may come back: what is counted from here is added by the next dump
    return __real_raise(number);
}

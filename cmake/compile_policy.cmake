# Warnings, language level, sanitizers and fuzzing as one INTERFACE target, `policy`.
# Nothing in the tree writes CMAKE_C_FLAGS.
option(WERROR "Treat warnings as errors" OFF)
set(SANITIZE "" CACHE STRING "Comma list for -fsanitize=, e.g. address,undefined")
option(COVERAGE "Count which lines and branches run (needs gcc), see scripts/coverage" OFF)
option(FUZZ "Build the targets of tests/fuzz with libFuzzer (needs clang)" OFF)

add_library(policy INTERFACE)
target_compile_definitions(policy INTERFACE _GNU_SOURCE)
target_compile_options(
  policy
  INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wdouble-promotion -Wvla
            -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wcast-qual -Wwrite-strings
            -Wundef -Wimplicit-fallthrough -fno-common
            # clang counts INFINITY and assert(!"...") among these
            $<$<C_COMPILER_ID:Clang>:-Wno-double-promotion;-Wno-string-conversion>
            # Floating point stays IEEE: under -ffast-math isnan(loss) is folded to 0.
            -fno-fast-math -ffp-contract=off $<$<BOOL:${WERROR}>:-Werror>)
if(SANITIZE)
  target_compile_options(policy INTERFACE -fsanitize=${SANITIZE} -fno-sanitize-recover=all
                                          -fno-omit-frame-pointer)
  target_link_options(policy INTERFACE -fsanitize=${SANITIZE})
endif()
if(FUZZ) # every floor tells libFuzzer where it has been; -O1, since executions a second count
  target_compile_options(policy INTERFACE -fsanitize=fuzzer-no-link -O1)
endif()
if(COVERAGE)
  # Counters are added up over threads and processes.  They are written at exit(): coverage_exit.c writes them also
  # where a program ends by _exit() or raise(), as besom-shim does.  A process that is killed loses its own.
  add_library(coverage_exit STATIC ${PROJECT_SOURCE_DIR}/cmake/coverage_exit.c)
  target_compile_options(policy INTERFACE --coverage -fprofile-update=atomic -fprofile-abs-path)
  target_link_options(policy INTERFACE --coverage -Wl,--wrap=_exit,--wrap=raise)
  target_link_libraries(policy INTERFACE coverage_exit)
endif()

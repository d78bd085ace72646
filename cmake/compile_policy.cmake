# Warnings, language level and sanitizers as one INTERFACE target, `policy`.
# Nothing in the tree writes CMAKE_C_FLAGS.
option(WERROR "Treat warnings as errors" OFF)
set(SANITIZE "" CACHE STRING "Comma list for -fsanitize=, e.g. address,undefined")

add_library(policy INTERFACE)
target_compile_definitions(policy INTERFACE _GNU_SOURCE)
target_compile_options(
  policy
  INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wdouble-promotion -Wvla
            -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wcast-qual -Wwrite-strings
            -Wundef -Wimplicit-fallthrough -fno-common
            # Floating point stays IEEE: under -ffast-math isnan(loss) is folded to 0.
            -fno-fast-math -ffp-contract=off $<$<BOOL:${WERROR}>:-Werror>)
if(SANITIZE)
  target_compile_options(policy INTERFACE -fsanitize=${SANITIZE} -fno-sanitize-recover=all
                                          -fno-omit-frame-pointer)
  target_link_options(policy INTERFACE -fsanitize=${SANITIZE})
endif()

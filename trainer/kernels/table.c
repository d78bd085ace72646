/* trainer/kernels/table.c - the kernels of one instruction set as a struct. */
#include "trainer/kernels/isa.h"

extern const struct kernels KERNEL(kernels);

#define KERNEL_TEXT(isa) #isa
#define KERNEL_NAME(isa) KERNEL_TEXT(isa)

#define X(member) .member = KERNEL(member),
#if defined __x86_64__
const struct kernels KERNEL(kernels) = {.name = "x86-64-" KERNEL_NAME(KERNELS_ISA), KERNELS_MAP(X)};
#else
const struct kernels KERNEL(kernels) = {.name = KERNEL_NAME(KERNELS_ISA), KERNELS_MAP(X)};
#endif
#undef X

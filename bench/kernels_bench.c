/* bench/kernels_bench.c - the speed of the kernels, each set beside the others.
 *
 *     kernels_bench [PASSES]      default 9; the figure is the median of the passes
 *
 * Convolutions in GFLOP/s, counting 2*N*K*C*R*S*P*Q for each of the three kernels, borders included and
 * whatever the method, both methods where there are two, * before the one that the shape gets;
 * the other kernels in microseconds a call.  Scratch and tensors are warm.  Time is the processor's, so
 * that others on it do not count, but for what they do to its caches.  Figures drift from machine to
 * machine and from minute to minute: compare those of one run. */
#include "base/mem.h"
#include "trainer/kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PASSES_MAX = 99, SETS_MAX = 4 };

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); // cannot fail with these arguments
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What is measured: a call of one kernel. */
typedef void call_fn(const struct kernels *set, void *context);

/* Seconds a call: the median over passes of about 20 ms each. */
static double seconds_per_call(const struct kernels *set, call_fn *call, void *context,
                               int passes) {
    double seconds[PASSES_MAX];
    call(set, context);
    double start = now_s();
    call(set, context);
    const int calls = 1 + (int)(0.02 / (now_s() - start + 1e-9));
    for (int pass = 0; pass < passes; pass++) {
        start = now_s();
        for (int i = 0; i < calls; i++) {
            call(set, context);
        }
        seconds[pass] = (now_s() - start) / calls;
    }
    qsort(seconds, (size_t)passes, sizeof *seconds, compare_doubles);
    return seconds[passes / 2];
}

static float *filled(size_t n) {
    float *to = mem_aligned(n, sizeof *to);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u; // LCG, Numerical Recipes
        to[i] = (float)(seed >> 8) * 0x1p-23f - 1.0f;
    }
    return to;
}

/* ---- convolution ---- */

struct conv2d_bench {
    struct conv2d_shape shape;
    float *x, *y, *w, *b, *dw, *scratch;
};

static void forward(const struct kernels *set, void *context) {
    struct conv2d_bench *c = context;
    set->conv2d_forward(c->y, c->x, c->w, c->b, c->scratch, &c->shape);
}

static void backward_data(const struct kernels *set, void *context) {
    struct conv2d_bench *c = context;
    set->conv2d_backward_data(c->x, c->y, c->w, c->scratch, &c->shape);
}

static void backward_weight(const struct kernels *set, void *context) {
    struct conv2d_bench *c = context;
    set->conv2d_backward_weight(c->dw, c->b, c->y, c->x, c->scratch, &c->shape);
}

static void conv2d_line(const struct conv2d_shape *s, int passes) {
    static const char *const names[] = {"", "direct", "winograd", "lines"};
    const double flop = 2.0 * s->N * s->K * s->C * s->R * s->S * s->P * s->Q;
    const size_t x_len = (size_t)s->C * s->H * s->W * s->N,
                 y_len = (size_t)s->K * s->P * s->Q * s->N;
    const size_t w_len = (size_t)s->K * s->C * s->R * s->S;
    struct conv2d_shape free_shape = *s;
    free_shape.method = CONV2D_BY_SHAPE;
    const struct kernels *sets[SETS_MAX];
    const int count = kernels_all(sets);
    call_fn *const calls[] = {forward, backward_data, backward_weight};

    printf("%3d -> %-3d %dx%d %2dx%-2d pad %d N %-4d %c%-8s", s->C, s->K, s->R, s->S, s->H, s->W,
           s->pad, s->N, conv2d_method(&free_shape) == s->method ? '*' : ' ', names[s->method]);
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < 3; j++) {
            struct conv2d_bench c = {.shape = *s,
                                     .x = filled(x_len),
                                     .y = filled(y_len),
                                     .w = filled(w_len),
                                     .b = filled((size_t)s->K),
                                     .dw = filled(w_len),
                                     .scratch = filled(conv2d_scratch_len(s))};
            printf(" %6.1f", flop / seconds_per_call(sets[i], calls[j], &c, passes) * 1e-9);
            (void)fflush(stdout); // progress only
            free(c.x);
            free(c.y);
            free(c.w);
            free(c.b);
            free(c.dw);
            free(c.scratch);
        }
        printf("  |");
    }
    printf("\n");
}

static void conv2d_table(int passes) {
    static const int shapes[][5] = {// C, K, filter, size, pad
                                    {1, 6, 5, 28, 2},   {6, 16, 5, 14, 0},  {1, 8, 5, 28, 2},
                                    {8, 16, 5, 14, 2},  {1, 32, 3, 28, 1},  {32, 32, 3, 28, 1},
                                    {32, 64, 3, 14, 1}, {64, 64, 3, 14, 1}, {64, 64, 3, 7, 1}};
    static const int batches[] = {16, 32, 64, 128, 256};
    const struct kernels *sets[SETS_MAX];
    const int count = kernels_all(sets);

    printf("GFLOP/s: forward, backward data, backward weight\n%46s", "");
    for (int i = 0; i < count; i++) {
        printf("%-21s  | ", sets[i]->name);
    }
    printf("\n");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t j = 0; j < sizeof batches / sizeof *batches; j++) {
            const int *of = shapes[i], out = of[3] + 2 * of[4] - of[2] + 1;
            struct conv2d_shape s = {.N = batches[j],
                                     .C = of[0],
                                     .H = of[3],
                                     .W = of[3],
                                     .K = of[1],
                                     .R = of[2],
                                     .S = of[2],
                                     .stride = 1,
                                     .pad = of[4],
                                     .P = out,
                                     .Q = out,
                                     .method = CONV2D_DIRECT};
            conv2d_line(&s, passes);
            if (s.R == 5 || s.C > 1) {
                s.method = s.R == 5 ? CONV2D_LINES : CONV2D_WINOGRAD;
                conv2d_line(&s, passes);
            }
        }
    }
}

/* ---- the rest, at the sizes of LeNet-5's first layers, batch 64 ---- */

enum { N = 64, MAPS = 6 * 28 * 28 * N, FEATURES = 784, IMAGES = 10000, PARAMETERS = 61706 };

struct other_bench {
    float *x, *y, *m, *s;
    uint8_t *arg, *bytes;
    uint32_t *random, *index;
    struct activation_spec activation;
};

static const struct pool_shape pool = {
    .N = N, .C = 6, .H = 28, .W = 28, .kernel = 2, .stride = 2, .P = 14, .Q = 14};

static void activation_forward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->activation_forward(o->y, o->x, MAPS, &o->activation);
}

static void activation_backward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->activation_backward(o->m, o->x, o->x, o->y, MAPS, &o->activation);
}

static void maxpool_forward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->maxpool_forward(o->y, o->arg, o->x, &pool);
}

static void maxpool_backward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->maxpool_backward(o->x, o->y, o->arg, &pool);
}

static void avgpool_forward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->avgpool_forward(o->y, o->x, &pool);
}

static void avgpool_backward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->avgpool_backward(o->x, o->y, &pool);
}

static void dropout(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->dropout(o->y, o->x, o->random, 0.2f, MAPS);
}

static void gather(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->gather(o->x, o->bytes, o->index, FEATURES, N, N);
}

static void gather_floats(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->gather_floats(o->x, o->m, NULL, FEATURES, N, N);
}

static void normalize(const struct kernels *set, void *context) {
    static const float mean = 0.286f, std = 0.353f;
    struct other_bench *o = context;
    set->normalize(o->x, &mean, &std, 1, (size_t)FEATURES * N);
}

static void softmax_xent(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    double loss = 0.0;
    int64_t correct = 0;
    const struct loss_batch batch = {
        .logits = o->x, .dlogits = o->y, .labels = o->arg, .classes = 10, .N = N, .n = N};
    set->softmax_xent(&batch, &loss, &correct);
}

static void bias_grad(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->bias_grad(o->y, o->x, 6, MAPS / 6);
}

static const struct norm_shape norm = {.C = 6, .pixels = 784, .N = N, .n = N};

static void batch_norm_forward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    const float ones[6] = {1, 1, 1, 1, 1, 1};
    double mean[6], var[6];
    set->batch_norm_moments(mean, var, o->x, &norm);
    set->batch_norm_forward(o->y, o->x, mean, var, ones, ones,
                            &norm); // var is as good as 1 / std here
}

static void batch_norm_backward(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    const float ones[6] = {1, 1, 1, 1, 1, 1};
    const double zeros[6] = {0}, units[6] = {1, 1, 1, 1, 1, 1};
    float dw[6], db[6];
    set->batch_norm_backward(o->m, dw, db, o->y, o->x, zeros, units, ones, &norm);
}

static void adam(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    set->adam(o->y, o->x, o->m, o->s, PARAMETERS, 1e-9f, 0.9f, 0.999f, 0.5f, 1e-8f);
}

static void sum_squares(const struct kernels *set, void *context) {
    struct other_bench *o = context;
    volatile double sum = set->sum_squares(o->x, PARAMETERS); // so that the call stays
    (void)sum;
}

static void other_line(const char *name, call_fn *call, struct other_bench *o, int passes) {
    const struct kernels *sets[SETS_MAX];
    const int count = kernels_all(sets);
    printf("%-36s", name);
    for (int i = 0; i < count; i++) {
        printf(" %20.1f  |", seconds_per_call(sets[i], call, o, passes) * 1e6);
    }
    printf("\n");
}

static void other_table(int passes) {
    struct other_bench o = {.x = filled(MAPS),
                            .y = filled(MAPS),
                            .m = filled(MAPS),
                            .s = mem_aligned(MAPS, sizeof(float)),
                            .arg = mem_aligned(MAPS, 1),
                            .bytes = mem_aligned((size_t)IMAGES * FEATURES, 1),
                            .random = mem_aligned(MAPS, sizeof(uint32_t)),
                            .index = mem_aligned(N, sizeof(uint32_t)),
                            .activation = {.negative_slope = 0.01f, .alpha = 1.0f}};
    uint32_t seed = 2;
    for (int i = 0; i < MAPS; i++) {
        seed = seed * 1664525u + 1013904223u;
        o.random[i] = seed;
        o.index[i % N] = seed % IMAGES;
    }
    printf("\nmicroseconds a call, batch %d\n", N);
    for (int kind = ACTIVATION_SIGMOID; kind <= ACTIVATION_ELU; kind++) {
        static const char *const names[] = {"sigmoid", "tanh", "relu", "leaky_relu", "elu"};
        o.activation.kind = (enum activation_kind)kind;
        other_line(names[kind], activation_forward, &o, passes);
    }
    other_line("elu, backward", activation_backward, &o, passes);
    other_line("maxpool 2x2, 6x28x28", maxpool_forward, &o, passes);
    other_line("maxpool, backward", maxpool_backward, &o, passes);
    other_line("avgpool 2x2, 6x28x28", avgpool_forward, &o, passes);
    other_line("avgpool, backward", avgpool_backward, &o, passes);
    other_line("dropout, 6x28x28", dropout, &o, passes);
    other_line("bias gradient, 6x28x28", bias_grad, &o, passes);
    other_line("batch_norm, 6x28x28", batch_norm_forward, &o, passes);
    other_line("batch_norm, backward", batch_norm_backward, &o, passes);
    other_line("gather 784", gather, &o, passes);
    other_line("gather 784 floats", gather_floats, &o, passes);
    other_line("normalize 784", normalize, &o, passes);
    for (int i = 0; i < N; i++) {
        o.arg[i] = (uint8_t)(i % 10);
    }
    other_line("softmax, 10 classes", softmax_xent, &o, passes);
    other_line("adam, 61,706 parameters", adam, &o, passes);
    other_line("sum of squares, as many", sum_squares, &o, passes);
    free(o.x);
    free(o.y);
    free(o.m);
    free(o.s);
    free(o.arg);
    free(o.bytes);
    free(o.random);
    free(o.index);
}

int main(int argc, char **argv) {
    const int passes = argc > 1 ? atoi(argv[1]) : 9;
    if (argc > 2 || passes < 1 || passes > PASSES_MAX) {
        fprintf(stderr, "usage: kernels_bench [PASSES], 1 to %d\n", PASSES_MAX);
        return 2;
    }
    conv2d_table(passes);
    other_table(passes);
    return 0;
}

/* What results/ computes, for a program that knows it better: a question a line on stdin, its answer on stdout.
 *
 *     cdf T DF            quantile P DF      two_sided T DF
 *     power EFFECT N ALPHA                   pairs EFFECT ALPHA POWER
 *     paired N A... B...                  -> mean half t p exact
 *     flip SIDE N D...                    -> p             SIDE 0: two-sided, 1: greater
 *     holm FAMILY N P...                  -> N adjusted
 *     anova K LEVELS... N (LEVEL... POINT VALUE)...
 *                                         -> SS_total SS_noise df_noise noise  FIRST SECOND SS df share ... */
#include "base/mem.h"
#include "results/holm.h"
#include "results/importance.h"
#include "results/paired.h"
#include "results/permutation.h"
#include "results/power.h"
#include "results/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 1 << 17 };

static void answer_anova(const double *x) {
    size_t axes = (size_t)*x++;
    int *counts = mem_zalloc(axes + 1, sizeof *counts);
    for (size_t a = 0; a < axes; a++) {
        counts[a] = (int)*x++;
    }
    size_t n = (size_t)*x++;
    int *level = mem_zalloc(n * axes + 1, sizeof *level), *point = mem_zalloc(n + 1, sizeof *point);
    double *value = mem_zalloc(n + 1, sizeof *value);
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < axes; a++) {
            level[i * axes + a] = (int)*x++;
        }
        point[i] = (int)*x++;
        value[i] = *x++;
    }
    struct importance im;
    if (!importance_of(&im, &(struct importance_data){.axis_count = (int)axes,
                                                      .trial_count = (int)n,
                                                      .level_count = counts,
                                                      .level = level,
                                                      .point = point,
                                                      .value = value})) {
        printf("nothing\n");
    } else {
        printf("%.17g %.17g %d %.17g", im.ss_total, im.ss_noise, im.df_noise, im.noise_share);
        for (int t = 0; t < im.term_count; t++) {
            const struct importance_term *term = &im.terms[t];
            printf(" %d %d %.17g %d %.17g", term->first, term->second, term->ss, term->df,
                   term->share);
        }
        printf("\n");
        importance_release(&im);
    }
    free(counts);
    free(level);
    free(point);
    free(value);
}

static void answer(const char *word, double *x, size_t n) {
    if (strcmp(word, "cdf") == 0) {
        printf("%.17g\n", stats_t_cdf(x[0], x[1]));
    } else if (strcmp(word, "quantile") == 0) {
        printf("%.17g\n", stats_t_quantile(x[0], x[1]));
    } else if (strcmp(word, "two_sided") == 0) {
        printf("%.17g\n", stats_t_two_sided(x[0], x[1]));
    } else if (strcmp(word, "power") == 0) {
        printf("%.17g\n", power_paired_t(x[0], (size_t)x[1], x[2]));
    } else if (strcmp(word, "pairs") == 0) {
        printf("%zu\n", power_pairs_needed(x[0], x[1], x[2]));
    } else if (strcmp(word, "paired") == 0) {
        size_t pairs = (size_t)x[0];
        struct paired p = paired_of(x + 1, x + 1 + pairs, pairs);
        printf("%.17g %.17g %.17g %.17g %.17g\n", p.difference.mean, p.ci_half, p.t, p.p,
               p.p_exact);
    } else if (strcmp(word, "flip") == 0) {
        printf("%.17g\n", permutation_test(x + 2, (size_t)x[1], (enum permutation_side)x[0]));
    } else if (strcmp(word, "holm") == 0) {
        holm_adjust(x + 2, (size_t)x[1], x[0]);
        for (size_t i = 2; i < n; i++) {
            printf("%.17g%c", x[i], i + 1 < n ? ' ' : '\n');
        }
    } else if (strcmp(word, "anova") == 0) {
        answer_anova(x);
    } else {
        fprintf(stderr, "unknown question \"%s\"\n", word);
        exit(2);
    }
}

int main(void) {
    static char line[1 << 21];
    static double numbers[NUMBERS_MAX];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *rest = NULL, *word = strtok_r(line, " \n", &rest), *text;
        size_t n = 0;
        while (word != NULL && n < NUMBERS_MAX && (text = strtok_r(NULL, " \n", &rest)) != NULL) {
            numbers[n++] = strtod(text, NULL);
        }
        if (word != NULL) {
            answer(word, numbers, n);
        }
    }
    return 0;
}

/* base/num.h - numbers as text, exactly.
 *
 * Text produced here reads back to the same bits.  Independent of the locale as long as LC_NUMERIC
 * stays "C", which every program here leaves alone. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_TEXT_MAX = 32 };

/* The shortest of %.15g, %.16g, %.17g that strtod() reads back to `value`; "nan", "inf", "-inf";
 * negative zero is "-0".  Returns the length. */
size_t num_format(char out[NUM_TEXT_MAX], double value);

/* `digits` significant digits for people: "0.8412", "1.2e-05".  Returns the length. */
size_t num_human(char out[NUM_TEXT_MAX], double value, int digits);

/* Likewise for a figure that changes in place: with zeros at the end, and from 0.001 to below 1 with `digits`
 * decimals, "0.8400" and "0.0962".  Returns the length. */
size_t num_steady(char out[NUM_TEXT_MAX], double value, int digits);

/* The whole of `text` as a finite decimal number or as nan / inf / -inf; false otherwise. */
bool num_parse(const char *text, double *value);

/* The whole of `text` as a decimal integer within [min, max]; false otherwise. */
bool num_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);

/* true when both have the same 64 bits, so that nan equals nan and 0.0 differs from -0.0 */
bool num_same_bits(double a, double b);

#endif

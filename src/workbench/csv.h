/* Fields of a CSV line (libcsv's quoting), put together in a text. */
#ifndef SECATEUR_CSV_H
#define SECATEUR_CSV_H

#include "base/text.h"

/* A field in quotes where it needs them. */
void csv_add_string(struct text *line, const char *string);

/* A number with as many digits as give it back exactly; nothing for NaN and infinities. */
void csv_add_number(struct text *line, double number);

#endif

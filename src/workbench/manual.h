/* The whole program's help, manual page and bash completion, made from the tables of commands, options and columns. */
#ifndef SECATEUR_MANUAL_H
#define SECATEUR_MANUAL_H

#include "base/text.h"

void manual_help(struct text *output);       /* --help */
void manual_page(struct text *output);       /* man/secateur.1 */
void manual_completion(struct text *output); /* for bash */

#endif

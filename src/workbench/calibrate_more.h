/* More text for a model that is calibrated already: what adds up over tokens is added to what is known, and what does
 * not stays as it was. */
#ifndef SECATEUR_CALIBRATE_MORE_H
#define SECATEUR_CALIBRATE_MORE_H

#include "plan/findings.h"

/* What does not add up without the Hessians of the first text, for the user. */
#define CALIBRATE_MORE_KEPT "exact errors, eigenvalues and distances between blocks remain those of the text before"

/* ERROR_USAGE unless all blocks are known, and from another text than that of `corpus_hash`. */
bool calibrate_more_check(const struct sensitivity *sensitivity, uint64_t corpus_hash, struct error *error);

/* Adds to a gathered block what is known of it: sums, tokens, activity, experts, influence. */
void calibrate_more_merge(struct gathering *gathering, const struct sensitivity *known);

/* Puts into the findings of that block what only the text before could tell. */
bool calibrate_more_keep(struct findings *findings, const struct sensitivity *known, struct error *error);

#endif

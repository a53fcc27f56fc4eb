/* What a session's file holds, as JSON. For session.c. */
#ifndef SECATEUR_SESSION_DATA_H
#define SECATEUR_SESSION_DATA_H

#include "base/text.h"
#include "plan/plan.h"
#include <jansson.h>

/* New references; NULL on lack of memory. */
json_t *session_data_make(const struct plan *plan, json_t *log);
/* Checks all of it before anything is changed. The log is an array of strings. */
bool session_data_check(json_t *data, const struct model *model, struct error *error);
bool session_data_apply(json_t *data, struct plan *plan, struct error *error);
/* "saved 2026-11-24 02:15, 41 commands, 2 snapshots". */
void session_data_describe(struct text *text, const json_t *data);

#endif

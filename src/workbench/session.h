/* The work on one model, kept as it changes: the plan, its budget, tags and snapshots, and the log of commands.
 *
 * One JSON file for each model in the XDG state folder, named by a hash of the model's real path, its files' sizes and
 * their headers; replaced atomically. A model that is open already is worked on as a copy: a file of its own. */
#ifndef SECATEUR_SESSION_H
#define SECATEUR_SESSION_H

#include "base/text.h"
#include "plan/plan.h"

struct session;

/* Looks for earlier work on this model and takes its lock. keep: false for scripts and subcommands, whose session is
 * only a log in memory. A session that cannot be kept (no state folder) or a damaged file is no error: session_note
 * says so. NULL on lack of memory. The model must outlive the session. */
struct session *session_open(const struct model *model, bool keep, struct error *error);
void session_close(struct session *session); /* does not write; call session_save before */

/* A sentence for the user about what was met when opening ("" when all is well): another secateur has this model open;
 * a damaged session was set aside; the state folder cannot be written. */
const char *session_note(const struct session *session);
const char *session_path(const struct session *session); /* where the work is saved; NULL when it is not kept */

/* Whether earlier work was found; `description` (may be NULL) says when it was saved and how much it is. Until it is
 * restored or discarded nothing is written over it. */
bool session_found(const struct session *session, struct text *description);
/* Puts it back: targets and budget as one undo group, tags, snapshots, log. */
bool session_restore(struct session *session, struct plan *plan, struct error *error);
/* Starts afresh; the earlier work stays beside the session's file as FILE.previous until the next time. */
bool session_discard(struct session *session, struct error *error);

/* Adds a command line to the log; NULL sessions are allowed. Lines are kept in order, as typed. */
void session_record(struct session *session, const char *line);
size_t session_log_count(const struct session *session);
const char *session_log_line(const struct session *session, size_t index);
/* The log as a script that makes the same plan again. */
bool session_log_write(const struct session *session, const char *path, struct error *error);

/* Call touch from the screen's loop: it writes when something changed and the last write is a second old. `wait` is the
 * number of milliseconds after which it wants to be called again, -1: not before something changes. */
#define SESSION_INTERVAL 1.0
bool session_touch(struct session *session, const struct plan *plan, int *wait, struct error *error);
bool session_save(struct session *session, const struct plan *plan, struct error *error); /* at once, if needed */

#endif

#define _DEFAULT_SOURCE /* flock */
#include "workbench/session.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "workbench/model_key.h"
#include "workbench/session_data.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_MAXIMUM ((size_t)1 << 30)
#define COPIES_MAXIMUM 16

struct session {
    const struct model *model;
    char *path; /* NULL: not kept */
    int lock;   /* descriptor; -1: none */
    struct text note;
    json_t *found; /* earlier work, until restored or discarded */
    json_t *log;   /* array of strings */
    uint64_t written_revision;
    size_t written_lines;
    double written; /* progress_clock of the last write; 0: none */
};

/* ---- where it is ---- */

/* Takes the lock of one copy. False when somebody else holds it, or (with errno) when there can be none. */
static bool take_lock(struct session *session, const char *path) {
    struct text name = {0};
    text_add(&name, "%s.lock", path);
    int descriptor = name.failed ? -1 : open(text_string(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    text_free(&name);
    if (descriptor < 0)
        return false;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        (void)close(descriptor);
        errno = reason;
        return false;
    }
    session->lock = descriptor;
    return true;
}

/* The first copy that nobody works on: KEY.json, then KEY-2.json, ... */
static void choose_copy(struct session *session, const char *folder, uint64_t key) {
    struct text path = {0};
    for (int copy = 1; copy <= COPIES_MAXIMUM && session->lock < 0; copy++) {
        text_clear(&path);
        text_add(&path, copy == 1 ? "%s/%016llx.json" : "%s/%016llx-%d.json", folder, (unsigned long long)key, copy);
        errno = 0;
        if (path.failed || (!take_lock(session, text_string(&path)) && errno != EWOULDBLOCK))
            break;
        if (session->lock >= 0 && copy > 1)
            text_add(&session->note,
                     "this model is open in another secateur: here you work on a copy of its plan, saved as %s",
                     text_string(&path));
    }
    if (session->lock >= 0)
        session->path = path.data;
    else {
        text_add(&session->note, "the work will not be saved: cannot write in %s: %s", folder, strerror(errno));
        text_free(&path);
    }
}

static char *make_state_folder(struct error *error) {
    char *folder = file_xdg_folder("STATE", error);
    if (folder != NULL && file_make_folders(folder, error))
        return folder;
    memory_free(folder);
    return NULL;
}

/* ---- what was there ---- */

static void set_aside(struct session *session, const char *path, const struct error *reason) {
    struct text aside = {0};
    struct error failure = {0};
    text_add(&aside, "%s.damaged", path);
    bool moved = !aside.failed && file_rename(path, text_string(&aside), &failure);
    text_add(&session->note, "the saved session is damaged (%s); %s %s, and a fresh one begins", reason->text,
             moved ? "it was kept as" : "it could not be moved away from", moved ? text_string(&aside) : path);
    text_free(&aside);
}

static void look_for_work(struct session *session, const char *path) {
    struct error error = {0};
    json_error_t fault;
    size_t length;
    if (!file_exists(path))
        return;
    char *bytes = file_read(path, FILE_MAXIMUM, &length, &error);
    json_t *data = bytes != NULL ? json_loadb(bytes, length, 0, &fault) : NULL;
    if (bytes != NULL && data == NULL)
        (void)error_set(&error, ERROR_INPUT, "line %d: %s", fault.line, fault.text);
    if (data != NULL && session_data_check(data, session->model, &error))
        session->found = json_incref(data);
    else if (error.code != ERROR_MEMORY)
        set_aside(session, path, &error);
    json_decref(data);
    memory_free(bytes);
}

/* A second secateur finds the work of the first. */
static void look_in_folder(struct session *session, const char *folder) {
    struct text first = {0};
    uint64_t key = model_key(session->model->checkpoint);
    choose_copy(session, folder, key);
    text_add(&first, "%s/%016llx.json", folder, (unsigned long long)key);
    if (session->path != NULL && !first.failed)
        look_for_work(session, text_string(&first));
    text_free(&first);
}

struct session *session_open(const struct model *model, bool keep, struct error *error) {
    struct error reason = {0};
    struct session *session = memory_alloc(1, sizeof *session, error);
    if (session == NULL)
        return NULL;
    session->model = model;
    session->lock = -1;
    session->log = json_array();
    char *folder = keep ? make_state_folder(&reason) : NULL;
    if (folder != NULL)
        look_in_folder(session, folder);
    else if (keep)
        text_add(&session->note, "the work will not be saved: %s", reason.text);
    memory_free(folder);
    return session;
}

void session_close(struct session *session) {
    if (session == NULL)
        return;
    if (session->lock >= 0)
        (void)close(session->lock);
    json_decref(session->found);
    json_decref(session->log);
    memory_free(session->path);
    text_free(&session->note);
    memory_free(session);
}

const char *session_note(const struct session *session) {
    return text_string(&session->note);
}

const char *session_path(const struct session *session) {
    return session->path;
}

bool session_found(const struct session *session, struct text *description) {
    if (session->found == NULL)
        return false;
    if (description != NULL)
        session_data_describe(description, session->found);
    return true;
}

bool session_restore(struct session *session, struct plan *plan, struct error *error) {
    if (session->found == NULL)
        return error_set(error, ERROR_USAGE, "there is no earlier work on this model to restore");
    if (!session_data_apply(session->found, plan, error))
        return false;
    json_t *log = json_object_get(session->found, "log");
    (void)json_array_extend(log, session->log);
    json_decref(session->log);
    session->log = json_incref(log);
    json_decref(session->found);
    session->found = NULL;
    return true;
}

bool session_discard(struct session *session, struct error *error) {
    struct text previous = {0};
    json_decref(session->found);
    session->found = NULL;
    if (session->path == NULL || !file_exists(session->path))
        return true;
    text_add(&previous, "%s.previous", session->path);
    bool ok = previous.failed ? error_set(error, ERROR_MEMORY, "no memory for a path")
                              : file_rename(session->path, text_string(&previous), error);
    text_free(&previous);
    return ok;
}

/* ---- the log ---- */

void session_record(struct session *session, const char *line) {
    if (session == NULL)
        return;
    json_t *string = json_string(line);
    if (string == NULL) /* JSON holds UTF-8 only */
        string = json_string("# a command that is not UTF-8 was left out here");
    (void)json_array_append_new(session->log, string);
}

size_t session_log_count(const struct session *session) {
    return json_array_size(session->log);
}

const char *session_log_line(const struct session *session, size_t index) {
    return json_string_value(json_array_get(session->log, index));
}

bool session_log_write(const struct session *session, const char *path, struct error *error) {
    struct file_output output;
    if (!file_output_open(&output, path, error))
        return false;
    (void)fprintf(output.stream, "# Made by secateur on %s: run it with secateur --script FILE MODEL\n",
                  session->model->checkpoint->path);
    for (size_t i = 0; i < session_log_count(session); i++)
        (void)fprintf(output.stream, "%s\n", session_log_line(session, i));
    return file_output_commit(&output, error);
}

/* ---- saving ---- */

static bool has_changed(const struct session *session, const struct plan *plan) {
    return session->path != NULL && session->found == NULL &&
           (session->written_revision != plan_revision(plan) || session->written_lines != session_log_count(session));
}

static bool write_file(struct session *session, const char *bytes, struct error *error) {
    struct file_output output;
    if (!file_output_open(&output, session->path, error))
        return false;
    (void)fputs(bytes, output.stream);
    return file_output_commit(&output, error);
}

bool session_save(struct session *session, const struct plan *plan, struct error *error) {
    if (session == NULL || !has_changed(session, plan))
        return true;
    json_t *data = session_data_make(plan, session->log);
    char *bytes = data != NULL ? json_dumps(data, JSON_INDENT(1)) : NULL;
    bool ok = bytes != NULL ? write_file(session, bytes, error)
                            : error_set(error, ERROR_MEMORY, "no memory to save the session");
    session->written = progress_clock();
    if (ok) {
        session->written_revision = plan_revision(plan);
        session->written_lines = session_log_count(session);
    }
    free(bytes);
    json_decref(data);
    return ok;
}

bool session_touch(struct session *session, const struct plan *plan, int *wait, struct error *error) {
    *wait = -1;
    if (session == NULL || !has_changed(session, plan))
        return true;
    double due = session->written + SESSION_INTERVAL - progress_clock();
    if (session->written > 0 && due > 0) {
        *wait = (int)(due * 1000) + 1;
        return true;
    }
    bool ok = session_save(session, plan, error);
    if (!ok) /* a full disk: try again, but not at every key */
        *wait = (int)(SESSION_INTERVAL * 1000);
    return ok;
}

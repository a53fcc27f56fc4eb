#include "checkpoint/writer_state.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static bool is_inside(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 &&
           (path[length] == '\0' || path[length] == '/' || strcmp(folder, "/") == 0);
}

static bool resolve(char **out, const char *path, struct error *error) {
    char *real = realpath(path, NULL);
    if (real == NULL)
        return error_set_errno(error, ERROR_USAGE, "cannot resolve %s", path);
    *out = memory_copy_string(real, error);
    free(real);
    return *out != NULL;
}

/* The target need not exist; its parent must. */
static bool resolve_target(struct writer *writer, const char *target, struct error *error) {
    if (file_exists(target))
        return resolve(&writer->target, target, error);
    char *copy = memory_copy_string(target, error), *parent = NULL;
    if (copy == NULL)
        return false;
    for (size_t length = strlen(copy); length > 1 && copy[length - 1] == '/'; length--)
        copy[length - 1] = '\0';
    const char *name = file_name(copy);
    bool fit = name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    bool ok = fit || error_set(error, ERROR_USAGE, "\"%s\" is no name for a folder to write", target);
    char *folder = ok ? memory_copy_bytes(copy, (size_t)(name - copy), error) : NULL;
    ok = folder != NULL && resolve(&parent, folder[0] == '\0' ? "." : folder, error);
    ok = ok && (writer->target = file_join(parent, name, error)) != NULL;
    memory_free(folder);
    memory_free(parent);
    memory_free(copy);
    return ok;
}

static bool name_partial(struct writer *writer, struct error *error) {
    const char *name = file_name(writer->target);
    struct text path = {0};
    text_add(&path, "%.*s.%s.secateur-partial", (int)(name - writer->target), writer->target, name);
    writer->partial = path.data;
    return !path.failed || error_set(error, ERROR_MEMORY, "out of memory for the name of %s", writer->target);
}

static bool refuse_overlap(const struct writer *writer, const char *source, struct error *error) {
    if (strcmp(writer->target, source) == 0)
        return error_set(error, ERROR_USAGE, "the target %s is the source model itself", writer->target);
    if (is_inside(writer->target, source))
        return error_set(error, ERROR_USAGE, "the target %s lies inside the source model %s", writer->target, source);
    if (is_inside(source, writer->target))
        return error_set(error, ERROR_USAGE, "the target %s contains the source model %s", writer->target, source);
    return true;
}

/* The source's files may be links out of its folder, as in Hugging Face's cache: they count as the source, too. */
static bool check_apart(const struct writer *writer, struct error *error) {
    char *source = NULL;
    bool ok = resolve(&source, writer->source->folder, error) && refuse_overlap(writer, source, error);
    memory_free(source);
    for (size_t i = 0; ok && i < writer->source->file_count; i++) {
        source = NULL;
        ok = resolve(&source, writer->source->files[i].map.path, error) &&
             (!is_inside(source, writer->target) || refuse_overlap(writer, source, error));
        memory_free(source);
    }
    return ok;
}

/* So that force never removes a folder that is something else. */
static bool looks_like_model(const char *folder) {
    static const char *const signs[] = {"config.json", "secateur.json", "model.safetensors", WRITER_INDEX};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        char *path = file_join(folder, signs[i], NULL);
        bool there = path != NULL && file_exists(path);
        memory_free(path);
        if (there)
            return true;
    }
    return false;
}

bool writer_check_existing(const struct writer *writer, bool *exists, struct error *error) {
    *exists = file_exists(writer->target);
    if (!*exists)
        return true;
    if (!writer->force)
        return error_set(error, ERROR_USAGE, "%s exists already; --force replaces it", writer->target);
    if (!file_is_folder(writer->target) || !looks_like_model(writer->target))
        return error_set(error, ERROR_USAGE, "%s is not a model folder and is not replaced, even with --force",
                         writer->target);
    return true;
}

bool writer_choose_target(struct writer *writer, const char *target, struct error *error) {
    bool exists;
    return resolve_target(writer, target, error) && check_apart(writer, error) &&
           writer_check_existing(writer, &exists, error) && name_partial(writer, error);
}

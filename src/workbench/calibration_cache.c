#include "workbench/calibration_cache.h"

#include "base/file.h"
#include "base/memory.h"
#include "plan/knowledge_file.h"
#include "workbench/knowledge.h"
#include "workbench/model_key.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".calibration"
#define BYTES_MAXIMUM ((size_t)4 << 30)

static char *cache_folder(struct error *error) {
    char *base = file_xdg_folder("CACHE", error);
    char *folder = base != NULL ? file_join(base, "calibration", error) : NULL;
    memory_free(base);
    return folder;
}

static char *cache_path(const struct workbench *workbench, uint64_t key, struct error *error) {
    char name[64];
    char *folder = cache_folder(error);
    (void)snprintf(name, sizeof name, "%016llx-%016llx%s", (unsigned long long)model_key(workbench->model->checkpoint),
                   (unsigned long long)key, SUFFIX);
    char *path = folder != NULL ? file_join(folder, name, error) : NULL;
    memory_free(folder);
    return path;
}

static bool make_folder(struct error *error) {
    char *folder = cache_folder(error);
    bool ok = folder != NULL && file_make_folders(folder, error);
    memory_free(folder);
    return ok;
}

static bool write_bytes(const char *path, const struct text *bytes, struct error *error) {
    struct file_output output;
    if (!file_output_open(&output, path, error))
        return false;
    (void)fwrite(text_string(bytes), 1, bytes->length, output.stream); /* commit finds a short write */
    return file_output_commit(&output, error);
}

bool calibration_cache_save(struct workbench *workbench, struct error *error) {
    struct text bytes = {0};
    if (workbench->sensitivity == NULL || workbench->sensitivity->key == 0)
        return true;
    (void)pthread_mutex_lock(&workbench->mutex);
    bool ok = knowledge_pack(&bytes, workbench->sensitivity, workbench->forecaster, error);
    (void)pthread_mutex_unlock(&workbench->mutex);
    char *path = ok && make_folder(error) ? cache_path(workbench, workbench->sensitivity->key, error) : NULL;
    ok = path != NULL && write_bytes(path, &bytes, error);
    memory_free(path);
    text_free(&bytes);
    return ok;
}

void calibration_cache_keep(struct workbench *workbench) {
    struct error error = {0};
    if (progress_clock() - workbench->cache_kept < 1)
        return;
    (void)calibration_cache_save(workbench, &error);
    workbench->cache_kept = progress_clock();
}

static bool load_path(struct workbench *workbench, const char *path) {
    struct error error = {0};
    struct sensitivity *sensitivity;
    struct forecaster *forecaster;
    size_t size;
    char *bytes = file_exists(path) ? file_read(path, BYTES_MAXIMUM, &size, &error) : NULL;
    if (bytes == NULL)
        return false;
    bool ok = knowledge_unpack(&sensitivity, &forecaster, workbench->model, bytes, size, &error);
    memory_free(bytes);
    if (ok)
        knowledge_take(workbench, sensitivity, forecaster);
    else
        text_add(&workbench->results, "%s %s; it was not used\n", path, error.text);
    return ok;
}

bool calibration_cache_load(struct workbench *workbench, uint64_t key) {
    char *path = cache_path(workbench, key, NULL);
    bool ok = path != NULL && load_path(workbench, path);
    memory_free(path);
    return ok;
}

/* ---- all files ---- */

struct walk {
    char *folder;
    char **names;
    size_t count;
};

static bool walk_open(struct walk *walk, struct error *error) {
    memset(walk, 0, sizeof *walk);
    walk->folder = cache_folder(error);
    if (walk->folder == NULL)
        return false;
    return !file_is_folder(walk->folder) || file_list(&walk->names, &walk->count, walk->folder, error);
}

static void walk_close(struct walk *walk) {
    if (walk->names != NULL)
        file_list_free(walk->names, walk->count);
    memory_free(walk->folder);
}

/* The path of a file of ours, NULL for others; *status is filled. */
static char *walk_path(struct stat *status, const struct walk *walk, size_t index) {
    char *path = text_ends(walk->names[index], SUFFIX) ? file_join(walk->folder, walk->names[index], NULL) : NULL;
    if (path != NULL && stat(path, status) == 0)
        return path;
    memory_free(path);
    return NULL;
}

bool calibration_cache_load_latest(struct workbench *workbench) {
    struct walk walk;
    char prefix[32];
    char *newest = NULL;
    struct stat status;
    time_t time = 0;
    (void)snprintf(prefix, sizeof prefix, "%016llx-", (unsigned long long)model_key(workbench->model->checkpoint));
    if (!walk_open(&walk, NULL))
        return false;
    for (size_t i = 0; i < walk.count; i++) {
        char *path = text_starts(walk.names[i], prefix) ? walk_path(&status, &walk, i) : NULL;
        bool newer = path != NULL && (newest == NULL || status.st_mtime >= time);
        if (newer) {
            memory_free(newest);
            newest = path;
            time = status.st_mtime;
        } else
            memory_free(path);
    }
    bool ok = newest != NULL && load_path(workbench, newest);
    memory_free(newest);
    walk_close(&walk);
    return ok;
}

bool calibration_cache_list(struct text *output, bool clear, struct error *error) {
    struct walk walk;
    struct stat status;
    char size[TEXT_NUMBER_SIZE];
    double total = 0;
    bool ok = walk_open(&walk, error);
    for (size_t i = 0; ok && i < walk.count; i++) {
        char *path = walk_path(&status, &walk, i);
        if (path == NULL)
            continue;
        total += (double)status.st_size;
        if (clear)
            ok = file_remove_tree(path, error);
        else
            text_add(output, "%9s  %s\n", text_bytes(size, (double)status.st_size), path);
        memory_free(path);
    }
    if (ok)
        text_add(output, "%s %s\n", text_bytes(size, total), clear ? "removed" : "in all; \"cache clear\" removes it");
    walk_close(&walk);
    return ok;
}

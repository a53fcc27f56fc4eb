#define _GNU_SOURCE /* renameat2 */
#include "base/file.h"

#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_BUFFER ((size_t)1 << 20)

bool file_map_open(struct file_map *map, const char *path, struct error *error) {
    memset(map, 0, sizeof *map);
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, ERROR_INPUT, "cannot open %s", path);
    bool ok = false;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)error_set(error, ERROR_INPUT, "%s is not a regular file", path);
        goto out;
    }
    map->size = (size_t)status.st_size;
    if (map->size > 0) {
        void *data = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED) {
            (void)error_set_errno(error, ERROR_FAILURE, "cannot map %s", path);
            goto out;
        }
        map->data = data;
    }
    map->path = memory_copy_string(path, error);
    ok = map->path != NULL;
out:
    (void)close(descriptor);
    if (!ok)
        file_map_close(map);
    return ok;
}

void file_map_close(struct file_map *map) {
    if (map->data != NULL)
        (void)munmap((void *)(uintptr_t)map->data, map->size);
    memory_free(map->path);
    memset(map, 0, sizeof *map);
}

static void advise(const struct file_map *map, size_t offset, size_t length, int advice) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = offset / page * page;
    if (map->data != NULL && offset < map->size && length <= map->size - offset)
        (void)madvise((void *)(uintptr_t)(map->data + begin), offset - begin + length, advice);
}

void file_map_will_need(const struct file_map *map, size_t offset, size_t length) {
    advise(map, offset, length, MADV_WILLNEED);
}

void file_map_drop(const struct file_map *map, size_t offset, size_t length) {
    advise(map, offset, length, MADV_DONTNEED);
}

static char *read_all(FILE *stream, const char *path, size_t limit, size_t *size, struct error *error) {
    struct text contents = {0};
    char piece[16384];
    for (;;) {
        size_t got = fread(piece, 1, sizeof piece, stream);
        if (got > limit - contents.length) {
            (void)error_set(error, ERROR_INPUT, "%s is larger than the %zu bytes allowed for such a file", path, limit);
            goto fail;
        }
        text_add_bytes(&contents, piece, got);
        if (got < sizeof piece)
            break;
    }
    if (contents.failed) {
        (void)error_set(error, ERROR_MEMORY, "out of memory for the contents of %s", path);
        goto fail;
    }
    if (ferror(stream)) {
        (void)error_set_errno(error, ERROR_FAILURE, "cannot read %s", path);
        goto fail;
    }
    if (contents.data == NULL)
        contents.data = memory_alloc(1, 1, error);
    if (size != NULL)
        *size = contents.length;
    return contents.data;
fail:
    text_free(&contents);
    return NULL;
}

char *file_read(const char *path, size_t limit, size_t *size, struct error *error) {
    if (file_is_folder(path)) {
        (void)error_set(error, ERROR_INPUT, "%s is a folder, not a file", path);
        return NULL;
    }
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        (void)error_set_errno(error, ERROR_INPUT, "cannot open %s", path);
        return NULL;
    }
    char *contents = read_all(stream, path, limit, size, error);
    (void)fclose(stream);
    return contents;
}

char *file_join(const char *folder, const char *name, struct error *error) {
    struct text path = {0};
    bool slash = folder[0] != '\0' && text_ends(folder, "/");
    text_add(&path, "%s%s%s", folder, slash ? "" : "/", name);
    if (path.failed)
        (void)error_set(error, ERROR_MEMORY, "out of memory for a path");
    return path.failed ? NULL : path.data;
}

bool file_exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

bool file_is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_is_regular(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool file_list(char ***names, size_t *count, const char *folder, struct error *error) {
    size_t capacity = 0;
    *names = NULL;
    *count = 0;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return error_set_errno(error, ERROR_INPUT, "cannot open the folder %s", folder);
    bool ok = true;
    for (struct dirent *entry = readdir(directory); ok && entry != NULL; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ok = memory_grow(names, &capacity, *count, sizeof **names, error);
        char *name = ok ? memory_copy_string(entry->d_name, error) : NULL;
        ok = name != NULL;
        if (ok)
            (*names)[(*count)++] = name;
    }
    (void)closedir(directory);
    if (ok && *count > 1)
        qsort(*names, *count, sizeof **names, compare_names);
    if (!ok) {
        file_list_free(*names, *count);
        *names = NULL;
        *count = 0;
    }
    return ok;
}

void file_list_free(char **names, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory_free(names[i]);
    memory_free(names);
}

bool file_output_open(struct file_output *output, const char *path, struct error *error) {
    memset(output, 0, sizeof *output);
    struct text temporary = {0};
    text_add(&temporary, "%s.tmp.%ld", path, (long)getpid());
    output->temporary = temporary.data;
    output->path = memory_copy_string(path, error);
    if (temporary.failed || output->path == NULL) {
        file_output_abort(output);
        return error_set(error, ERROR_MEMORY, "out of memory for the name of %s", path);
    }
    output->stream = fopen(output->temporary, "wbe");
    if (output->stream == NULL) {
        bool result = error_set_errno(error, ERROR_FAILURE, "cannot create %s", output->temporary);
        file_output_abort(output);
        return result;
    }
    return true;
}

static char *folder_of(const char *path, struct error *error) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return memory_copy_string(".", error);
    return memory_copy_bytes(path, slash == path ? 1 : (size_t)(slash - path), error);
}

static bool sync_folder_of(const char *path, struct error *error) {
    char *folder = folder_of(path, error);
    bool ok = folder != NULL && file_sync_folder(folder, error);
    memory_free(folder);
    return ok;
}

bool file_output_commit(struct file_output *output, struct error *error) {
    errno = 0;
    bool ok = fflush(output->stream) == 0 && !ferror(output->stream) && fsync(fileno(output->stream)) == 0;
    if (!ok)
        (void)error_set_errno(error, ERROR_FAILURE, "cannot write %s", output->path);
    if (fclose(output->stream) != 0 && ok)
        ok = error_set_errno(error, ERROR_FAILURE, "cannot write %s", output->path);
    output->stream = NULL;
    ok = ok && file_rename(output->temporary, output->path, error);
    if (!ok) {
        file_output_abort(output);
        return false;
    }
    memory_free(output->path);
    memory_free(output->temporary);
    memset(output, 0, sizeof *output);
    return true;
}

void file_output_abort(struct file_output *output) {
    if (output->stream != NULL)
        (void)fclose(output->stream);
    if (output->temporary != NULL)
        (void)unlink(output->temporary);
    memory_free(output->path);
    memory_free(output->temporary);
    memset(output, 0, sizeof *output);
}

bool file_make_folder(const char *path, struct error *error) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && file_is_folder(path)))
        return true;
    return error_set_errno(error, ERROR_FAILURE, "cannot create the folder %s", path);
}

bool file_make_folders(const char *path, struct error *error) {
    char *part = memory_copy_string(path, error);
    if (part == NULL)
        return false;
    bool ok = true;
    for (char *slash = strchr(part + 1, '/'); ok && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = file_make_folder(part, error);
        *slash = '/';
    }
    ok = ok && file_make_folder(part, error);
    memory_free(part);
    return ok;
}

static bool copy_stream(FILE *to, FILE *from, struct error *error) {
    char *buffer = memory_alloc(COPY_BUFFER, 1, error);
    if (buffer == NULL)
        return false;
    bool ok = true;
    for (size_t got = fread(buffer, 1, COPY_BUFFER, from); ok && got > 0; got = fread(buffer, 1, COPY_BUFFER, from))
        ok = fwrite(buffer, 1, got, to) == got;
    if (!ok || ferror(from))
        ok = error_set_errno(error, ERROR_FAILURE, "cannot copy");
    memory_free(buffer);
    return ok;
}

bool file_copy(const char *target, const char *source, struct error *error) {
    struct file_output output;
    FILE *from = fopen(source, "rbe");
    if (from == NULL)
        return error_set_errno(error, ERROR_INPUT, "cannot open %s", source);
    bool ok = file_output_open(&output, target, error);
    if (ok && !copy_stream(output.stream, from, error)) {
        file_output_abort(&output);
        ok = error_prefix(error, "%s", source);
    }
    (void)fclose(from);
    return ok && file_output_commit(&output, error);
}

static bool remove_contents(const char *path, struct error *error) {
    char **names;
    size_t count;
    bool ok = file_list(&names, &count, path, error);
    for (size_t i = 0; ok && i < count; i++) {
        char *inner = file_join(path, names[i], error);
        ok = inner != NULL && file_remove_tree(inner, error);
        memory_free(inner);
    }
    if (names != NULL)
        file_list_free(names, count);
    return ok;
}

bool file_remove_tree(const char *path, struct error *error) {
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? true : error_set_errno(error, ERROR_FAILURE, "cannot look at %s", path);
    if (S_ISDIR(status.st_mode) && !remove_contents(path, error))
        return false;
    if (remove(path) == 0)
        return true;
    return error_set_errno(error, ERROR_FAILURE, "cannot remove %s", path);
}

bool file_rename(const char *from, const char *to, struct error *error) {
    if (rename(from, to) != 0)
        return error_set_errno(error, ERROR_FAILURE, "cannot rename %s to %s", from, to);
    return sync_folder_of(to, error);
}

bool file_exchange(const char *a, const char *b, struct error *error) {
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0)
        return error_set_errno(error, ERROR_FAILURE, "cannot exchange %s and %s", a, b);
    return sync_folder_of(b, error);
}

bool file_sync_folder(const char *folder, struct error *error) {
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, ERROR_FAILURE, "cannot open the folder %s", folder);
    bool ok = fsync(descriptor) == 0 || errno == EINVAL; /* some file systems know no sync of folders */
    if (!ok)
        (void)error_set_errno(error, ERROR_FAILURE, "cannot sync the folder %s", folder);
    (void)close(descriptor);
    return ok;
}

bool file_free_bytes(uint64_t *bytes, const char *folder, struct error *error) {
    struct statvfs status;
    if (statvfs(folder, &status) != 0)
        return error_set_errno(error, ERROR_FAILURE, "cannot ask for the free space of %s", folder);
    *bytes = (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return true;
}

bool file_same(const char *a, const char *b) {
    struct stat first;
    struct stat second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static const struct {
    const char *kind, *variable, *fallback;
} xdg_folders[] = {
    {"CACHE", "XDG_CACHE_HOME", ".cache"},
    {"STATE", "XDG_STATE_HOME", ".local/state"},
    {"CONFIG", "XDG_CONFIG_HOME", ".config"},
    {"DATA", "XDG_DATA_HOME", ".local/share"},
};

char *file_xdg_folder(const char *kind, struct error *error) {
    for (size_t i = 0; i < sizeof xdg_folders / sizeof *xdg_folders; i++) {
        if (strcmp(xdg_folders[i].kind, kind) != 0)
            continue;
        struct text path = {0};
        const char *given = getenv(xdg_folders[i].variable);
        const char *home = getenv("HOME");
        if (given != NULL && given[0] == '/')
            text_add(&path, "%s/secateur", given);
        else
            text_add(&path, "%s/%s/secateur", home != NULL ? home : "", xdg_folders[i].fallback);
        if (path.failed)
            (void)error_set(error, ERROR_MEMORY, "out of memory for a path");
        return path.failed ? NULL : path.data;
    }
    (void)error_set(error, ERROR_FAILURE, "no XDG folder of kind %s", kind);
    return NULL;
}

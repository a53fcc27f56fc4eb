/* Files: read-only mappings, outputs that appear whole or not at all, and the few folder operations that the writer
 * needs. */
#ifndef SECATEUR_FILE_H
#define SECATEUR_FILE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A file mapped read-only and private. The mapping never changes; data is NULL when size is 0. */
struct file_map {
    const uint8_t *data;
    size_t size;
    char *path;
};

bool file_map_open(struct file_map *map, const char *path, struct error *error);
void file_map_close(struct file_map *map);

/* Tells the kernel that [offset, offset+length) will be read soon / is not needed any more (bounds resident memory). */
void file_map_will_need(const struct file_map *map, size_t offset, size_t length);
void file_map_drop(const struct file_map *map, size_t offset, size_t length);

/* The whole file with a NUL behind it; an error when it has more than `limit` bytes. *size (may be NULL) without the
 * NUL. Caller frees. */
char *file_read(const char *path, size_t limit, size_t *size, struct error *error);

/* "folder/name" in new memory. */
char *file_join(const char *folder, const char *name, struct error *error);

bool file_exists(const char *path);      /* anything at all, a dangling link included */
bool file_is_folder(const char *path);   /* follows links */
bool file_is_regular(const char *path);  /* follows links */
const char *file_name(const char *path); /* the part behind the last '/' */

/* Names in a folder, sorted by bytes, without "." and "..". Free with file_list_free. */
bool file_list(char ***names, size_t *count, const char *folder, struct error *error);
void file_list_free(char **names, size_t count);

/* An output under a temporary name in its own folder. commit: flush, sync, rename over `path`, sync the folder. Exactly
 * one of commit and abort must follow open; a failed commit has removed the temporary file. Short writes and a full
 * disk are errors. */
struct file_output {
    FILE *stream; /* write to it with stdio; errors are found at commit */
    char *path;
    char *temporary;
};
bool file_output_open(struct file_output *output, const char *path, struct error *error);
bool file_output_commit(struct file_output *output, struct error *error);
void file_output_abort(struct file_output *output);

bool file_make_folder(const char *path, struct error *error);                /* one level; fine when it exists */
bool file_make_folders(const char *path, struct error *error);               /* with parents */
bool file_copy(const char *target, const char *source, struct error *error); /* contents, following links; synced */
bool file_remove_tree(const char *path, struct error *error);                /* never follows links; fine when absent */
bool file_rename(const char *from, const char *to, struct error *error);     /* and syncs the folder of `to` */
bool file_exchange(const char *a, const char *b, struct error *error);       /* atomic swap of two names (renameat2) */
bool file_sync_folder(const char *folder, struct error *error);
bool file_free_bytes(uint64_t *bytes, const char *folder, struct error *error);
bool file_same(const char *a, const char *b); /* both exist and are one file or folder */

/* $XDG_<kind>_HOME/secateur (kind "CACHE", "STATE", "CONFIG", "DATA"; the usual ~/ fallback), not created. Caller
 * frees. */
char *file_xdg_folder(const char *kind, struct error *error);

#endif

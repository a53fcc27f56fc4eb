/* The writer's insides, shared by its files only. */
#ifndef SECATEUR_WRITER_STATE_H
#define SECATEUR_WRITER_STATE_H

#include "checkpoint/writer.h"
#include <xxhash.h>

#define WRITER_BUFFER ((size_t)1 << 20)
#define WRITER_INDEX "model.safetensors.index.json"

/* A tensor of the output. */
struct writer_tensor {
    enum dtype dtype;
    size_t offset, bytes; /* in its file */
    uint64_t hash;        /* of its bytes, once done */
    uint64_t zeros;
    bool done, handed_in;
};

struct writer {
    const struct checkpoint *source;
    char *target, *partial; /* absolute */
    bool force, finished;
    enum dtype dtype;
    struct writer_tensor *tensors;
    int *files;     /* descriptors of the output's files */
    int journal;    /* descriptor */
    size_t resumed; /* tensors */
    size_t current; /* the tensor being written */
    size_t at;      /* its bytes so far; 0: none is being written */
    XXH3_state_t *hash;
    uint8_t *buffer; /* WRITER_BUFFER */
};

/* The name of source file `file` in the output. */
const char *writer_file_name(const struct writer *writer, size_t file);

/* Whether a tensor's bytes are the source's own. */
bool writer_is_plain_copy(const struct writer *writer, size_t tensor);

/* writer_target.c: sets target and partial to absolute paths; refuses a target that must not be written. */
bool writer_choose_target(struct writer *writer, const char *target, struct error *error);
/* Again before the commit: whether something is at the target; refuses when it may not be replaced. */
bool writer_check_existing(const struct writer *writer, bool *exists, struct error *error);

/* writer_folder.c: headers (*bytes long, caller frees), and all files but the weights. */
char *writer_make_header(struct writer *writer, size_t file, size_t *bytes, struct error *error);
bool writer_copy_small_files(struct writer *writer, struct error *error);

/* writer_verify.c */
bool writer_verify(struct writer *writer, struct progress *progress, struct error *error);
/* Drops the tensors whose bytes in the partial files are not those in the journal. */
bool writer_verify_journal(struct writer *writer, struct error *error);

#endif

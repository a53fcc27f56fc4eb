#include "checkpoint/writer_state.h"

#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_NAME ".secateur-journal"
#define JOURNAL_LIMIT ((size_t)1 << 26)

const char *writer_file_name(const struct writer *writer, size_t file) {
    bool single = writer->source->index == NULL;
    return single ? "model.safetensors" : writer->source->files[file].name;
}

bool writer_is_plain_copy(const struct writer *writer, size_t tensor) {
    return !writer->tensors[tensor].handed_in && writer->tensors[tensor].dtype == writer->source->tensors[tensor].dtype;
}

/* What a partial run must agree in: the caller's settings and the very files it read from. */
static bool make_fingerprint(uint64_t *fingerprint, const struct writer *writer, const struct writer_settings *settings,
                             struct error *error) {
    struct text all = {0};
    text_add(&all, "%s\n%d\n", settings->fingerprint, (int)settings->dtype);
    for (size_t i = 0; i < writer->source->file_count; i++) {
        const struct checkpoint_file *file = &writer->source->files[i];
        struct stat status;
        if (stat(file->map.path, &status) != 0) {
            text_free(&all);
            return error_set_errno(error, ERROR_INPUT, "cannot look at %s", file->map.path);
        }
        text_add(&all, "%s %zu %llu %lld.%ld\n", file->name, file->map.size, (unsigned long long)status.st_ino,
                 (long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
        text_add_bytes(&all, file->map.data, file->data_begin);
    }
    *fingerprint = XXH3_64bits(text_string(&all), all.length);
    bool ok = !all.failed || error_set(error, ERROR_MEMORY, "out of memory for the fingerprint");
    text_free(&all);
    return ok;
}

static bool write_all(const struct writer *writer, int file, const void *bytes, size_t size, off_t offset,
                      struct error *error) {
    const uint8_t *from = bytes;
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(file, from + done, size - done, offset + (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot write %zu bytes into %s", size, writer->partial);
        done += (size_t)put;
    }
    return true;
}

/* The sizes of the output's tensors, and where each will lie. */
static bool lay_out(struct writer *writer, struct error *error) {
    const struct checkpoint *source = writer->source;
    writer->tensors = memory_alloc(source->tensor_count, sizeof *writer->tensors, error);
    if (writer->tensors == NULL)
        return false;
    for (size_t i = 0; i < source->tensor_count; i++) {
        const struct tensor *tensor = &source->tensors[i];
        bool converted = writer->dtype != DTYPE_COUNT && dtype_info(tensor->dtype)->real;
        writer->tensors[i].dtype = converted ? writer->dtype : tensor->dtype;
        if (!memory_multiply(&writer->tensors[i].bytes, (size_t)tensor->count,
                             dtype_info(writer->tensors[i].dtype)->bytes))
            return error_set(error, ERROR_INPUT, "tensor \"%s\" is too large for %s", tensor->name,
                             dtype_info(writer->dtype)->name);
    }
    return true;
}

/* Opens or creates one file of the output at its full size, with its header. */
static bool open_output(struct writer *writer, size_t file, struct error *error) {
    size_t at;
    char *header = writer_make_header(writer, file, &at, error);
    char *path = header != NULL ? file_join(writer->partial, writer_file_name(writer, file), error) : NULL;
    size_t header_bytes = at;
    bool ok = path != NULL;
    for (size_t i = 0; ok && i < writer->source->tensor_count; i++)
        if (writer->source->tensors[i].file == file) {
            writer->tensors[i].offset = at;
            at += writer->tensors[i].bytes;
        }
    if (ok && (writer->files[file] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        ok = error_set_errno(error, ERROR_FAILURE, "cannot create %s", path);
    if (ok && ftruncate(writer->files[file], (off_t)at) != 0)
        ok = error_set_errno(error, ERROR_FAILURE, "cannot make %s %zu bytes long", path, at);
    ok = ok && write_all(writer, writer->files[file], header, header_bytes, 0, error);
    memory_free(path);
    memory_free(header);
    return ok;
}

static bool open_outputs(struct writer *writer, struct error *error) {
    for (size_t i = 0; i < writer->source->file_count; i++)
        if (!open_output(writer, i, error))
            return false;
    return true;
}

/* One line per finished tensor: its number, the hash of its bytes, 1 when it was handed in. A last line cut short by a
 * kill is no line. */
static void read_journal(struct writer *writer, const char *text) {
    for (const char *line = strchr(text, '\n'); line != NULL && strchr(line + 1, '\n') != NULL;
         line = strchr(line + 1, '\n')) {
        size_t tensor;
        uint64_t hash;
        int handed_in;
        if (sscanf(line + 1, "%zu %" SCNx64 " %d", &tensor, &hash, &handed_in) != 3 ||
            tensor >= writer->source->tensor_count)
            continue;
        writer->tensors[tensor].done = true;
        writer->tensors[tensor].hash = hash;
        writer->tensors[tensor].handed_in = handed_in != 0;
    }
}

/* Whether the partial folder there may be continued; fills in its tensors. */
static bool continue_partial(struct writer *writer, const char *journal, const char *heading, struct error *error) {
    char *text = file_exists(journal) ? file_read(journal, JOURNAL_LIMIT, NULL, error) : NULL;
    bool same = text != NULL && text_starts(text, heading);
    if (same)
        read_journal(writer, text);
    memory_free(text);
    return same || error_set(error, ERROR_USAGE,
                             "%s is a partial run with other settings; --force gives it up, the settings it was begun "
                             "with would resume it",
                             writer->partial);
}

/* A run killed before its journal had a heading has done nothing: what it left is cleared away. A folder that holds
 * anything else is not touched. */
static bool clear_unbegun(const struct writer *writer, const char *journal) {
    char *text = file_exists(journal) ? file_read(journal, JOURNAL_LIMIT, NULL, NULL) : NULL;
    if (text != NULL && strchr(text, '\n') == NULL)
        (void)unlink(journal);
    memory_free(text);
    return rmdir(writer->partial) == 0;
}

static bool begin_partial(struct writer *writer, bool *fresh, const char *journal, const char *heading, bool resume,
                          struct error *error) {
    *fresh = !file_exists(writer->partial) || clear_unbegun(writer, journal);
    if (*fresh && resume)
        return error_set(error, ERROR_USAGE, "there is no partial run to resume: %s does not exist", writer->partial);
    if (!*fresh && !continue_partial(writer, journal, heading, error)) {
        if (!writer->force || !file_remove_tree(writer->partial, error))
            return false;
        *fresh = true;
    }
    return file_make_folder(writer->partial, error);
}

static bool open_journal(struct writer *writer, const char *path, bool fresh, const char *heading,
                         struct error *error) {
    writer->journal = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (writer->journal < 0)
        return error_set_errno(error, ERROR_FAILURE, "cannot create %s", path);
    size_t length = strlen(heading);
    /* On resuming, an empty line ends whatever line the kill cut short. */
    ssize_t put = fresh ? write(writer->journal, heading, length) : write(writer->journal, "\n", length = 1);
    return put == (ssize_t)length || error_set_errno(error, ERROR_FAILURE, "cannot write %s", path);
}

static bool check_space(const struct writer *writer, struct error *error) {
    uint64_t need = 0, have;
    for (size_t i = 0; i < writer->source->tensor_count; i++)
        need += writer->tensors[i].done ? 0 : writer->tensors[i].bytes;
    if (!file_free_bytes(&have, writer->partial, error))
        return false;
    char wanted[TEXT_NUMBER_SIZE], free_space[TEXT_NUMBER_SIZE];
    return need <= have || error_set(error, ERROR_FAILURE, "%s needs %s but only %s are free there", writer->target,
                                     text_bytes(wanted, (double)need), text_bytes(free_space, (double)have));
}

static bool open_partial(struct writer *writer, uint64_t fingerprint, bool resume, struct error *error) {
    char heading[64];
    bool fresh = true;
    (void)snprintf(heading, sizeof heading, "secateur-journal 1 %016" PRIx64 "\n", fingerprint);
    char *journal = file_join(writer->partial, JOURNAL_NAME, error);
    bool begun = journal != NULL && begin_partial(writer, &fresh, journal, heading, resume, error);
    bool ok = begun && open_journal(writer, journal, fresh, heading, error) && open_outputs(writer, error) &&
              (fresh || writer_verify_journal(writer, error)) && check_space(writer, error);
    if (begun && fresh && !ok)
        (void)file_remove_tree(writer->partial, NULL);
    memory_free(journal);
    return ok;
}

static bool prepare(struct writer *writer, const struct writer_settings *settings, struct error *error) {
    if (writer->dtype != DTYPE_COUNT && !dtype_info(writer->dtype)->real)
        return error_set(error, ERROR_USAGE, "weights cannot be stored as %s", dtype_info(writer->dtype)->name);
    uint64_t fingerprint = 0;
    writer->files = memory_alloc(writer->source->file_count, sizeof *writer->files, error);
    if (writer->files == NULL)
        return false;
    for (size_t i = 0; i < writer->source->file_count; i++)
        writer->files[i] = -1;
    writer->buffer = memory_alloc_aligned(WRITER_BUFFER, 1, error);
    writer->hash = XXH3_createState();
    if (writer->buffer == NULL || writer->hash == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for the writer");
    return writer_choose_target(writer, settings->target, error) && lay_out(writer, error) &&
           make_fingerprint(&fingerprint, writer, settings, error) &&
           open_partial(writer, fingerprint, settings->resume, error);
}

struct writer *writer_open(const struct checkpoint *source, const struct writer_settings *settings,
                           struct error *error) {
    struct writer *writer = memory_alloc(1, sizeof *writer, error);
    if (writer == NULL)
        return NULL;
    writer->source = source;
    writer->force = settings->force;
    writer->dtype = settings->dtype;
    writer->journal = -1;
    if (prepare(writer, settings, error))
        return writer;
    writer_close(writer);
    return NULL;
}

static void close_files(struct writer *writer) {
    for (size_t i = 0; writer->files != NULL && i < writer->source->file_count; i++)
        if (writer->files[i] >= 0) {
            (void)close(writer->files[i]);
            writer->files[i] = -1;
        }
    if (writer->journal >= 0)
        (void)close(writer->journal);
    writer->journal = -1;
}

void writer_close(struct writer *writer) {
    if (writer == NULL)
        return;
    close_files(writer);
    (void)XXH3_freeState(writer->hash);
    memory_free(writer->buffer);
    memory_free(writer->files);
    memory_free(writer->tensors);
    memory_free(writer->target);
    memory_free(writer->partial);
    memory_free(writer);
}

void writer_discard(struct writer *writer) {
    if (writer != NULL)
        (void)file_remove_tree(writer->partial, NULL);
    writer_close(writer);
}

bool writer_has(const struct writer *writer, size_t tensor) {
    return writer->tensors[tensor].done;
}

size_t writer_resumed(const struct writer *writer) {
    return writer->resumed;
}

enum dtype writer_dtype(const struct writer *writer, size_t tensor) {
    return writer->tensors[tensor].dtype;
}

uint64_t writer_zeros(const struct writer *writer, size_t tensor) {
    return writer->tensors[tensor].zeros;
}

static bool complete(struct writer *writer, size_t tensor, bool handed_in, struct error *error) {
    struct writer_tensor *done = &writer->tensors[tensor];
    char line[64];
    writer->at = 0;
    done->hash = XXH3_64bits_digest(writer->hash);
    done->handed_in = handed_in;
    int length = snprintf(line, sizeof line, "%zu %016" PRIx64 " %d\n", tensor, done->hash, handed_in);
    done->done = write(writer->journal, line, (size_t)length) == length;
    return done->done || error_set_errno(error, ERROR_FAILURE, "cannot write the journal in %s", writer->partial);
}

static bool write_piece(struct writer *writer, size_t tensor, const void *bytes, size_t size, bool handed_in,
                        struct error *error) {
    struct writer_tensor *out = &writer->tensors[tensor];
    const struct tensor *source = &writer->source->tensors[tensor];
    if (writer->at > 0 && writer->current != tensor)
        return error_set(error, ERROR_FAILURE, "tensor \"%s\" was begun before \"%s\" was complete", source->name,
                         writer->source->tensors[writer->current].name);
    if (size > out->bytes - writer->at)
        return error_set(error, ERROR_FAILURE, "tensor \"%s\" has %zu bytes, but %zu were written", source->name,
                         out->bytes, writer->at + size);
    if (writer->at == 0)
        (void)XXH3_64bits_reset(writer->hash);
    out->done = false;
    if (!write_all(writer, writer->files[source->file], bytes, size, (off_t)(out->offset + writer->at), error))
        return false;
    (void)XXH3_64bits_update(writer->hash, bytes, size);
    out->handed_in = handed_in;
    writer->current = tensor;
    writer->at += size;
    return writer->at < out->bytes || complete(writer, tensor, handed_in, error);
}

bool writer_write(struct writer *writer, size_t tensor, const void *bytes, size_t size, struct error *error) {
    writer->finished = false;
    return write_piece(writer, tensor, bytes, size, true, error);
}

bool writer_write_floats(struct writer *writer, size_t tensor, const float *values, size_t count, struct error *error) {
    enum dtype dtype = writer->tensors[tensor].dtype;
    size_t element = dtype_info(dtype)->bytes;
    if (!dtype_info(dtype)->real)
        return error_set(error, ERROR_FAILURE, "tensor \"%s\" holds integers", writer->source->tensors[tensor].name);
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < WRITER_BUFFER / element ? count - done : WRITER_BUFFER / element;
        dtype_narrow(writer->buffer, values + done, dtype, piece);
        if (!writer_write(writer, tensor, writer->buffer, piece * element, error))
            return false;
        done += piece;
    }
    return true;
}

bool writer_read_floats(float *values, const struct writer *writer, size_t tensor, struct error *error) {
    const struct writer_tensor *stored = &writer->tensors[tensor];
    const struct tensor *source = &writer->source->tensors[tensor];
    size_t element = dtype_info(stored->dtype)->bytes;
    for (size_t done = 0; done < stored->bytes;) {
        size_t piece = stored->bytes - done < WRITER_BUFFER ? stored->bytes - done : WRITER_BUFFER;
        ssize_t got = pread(writer->files[source->file], writer->buffer, piece, (off_t)(stored->offset + done));
        if (got < 0 || (size_t)got != piece)
            return error_set_errno(error, ERROR_FAILURE, "cannot read tensor \"%s\" back from %s", source->name,
                                   writer->partial);
        dtype_widen(values + done / element, writer->buffer, stored->dtype, piece / element);
        done += piece;
    }
    return true;
}

/* Elements [first, first + count) of the source, in the output's dtype, into the buffer. */
static const void *convert(const struct writer *writer, size_t tensor, size_t first, size_t count) {
    const struct tensor *source = &writer->source->tensors[tensor];
    const uint8_t *from = source->data + first * dtype_info(source->dtype)->bytes;
    if (source->dtype == writer->tensors[tensor].dtype)
        return from;
    float values[1024];
    size_t element = dtype_info(writer->tensors[tensor].dtype)->bytes;
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < 1024 ? count - done : 1024;
        dtype_widen(values, from + done * dtype_info(source->dtype)->bytes, source->dtype, piece);
        dtype_narrow(writer->buffer + done * element, values, writer->tensors[tensor].dtype, piece);
        done += piece;
    }
    return writer->buffer;
}

static bool copy_tensor(struct writer *writer, size_t tensor, struct progress *progress, struct error *error) {
    const struct tensor *source = &writer->source->tensors[tensor];
    size_t element = dtype_info(writer->tensors[tensor].dtype)->bytes, count = (size_t)source->count;
    size_t read_element = dtype_info(source->dtype)->bytes;
    writer->at = 0;
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < WRITER_BUFFER / element ? count - done : WRITER_BUFFER / element;
        if (!progress_continue(progress, error) ||
            !write_piece(writer, tensor, convert(writer, tensor, done, piece), piece * element, false, error)) {
            writer->at = 0; /* starts again when it is called again */
            return false;
        }
        file_map_drop(&writer->source->files[source->file].map, source->offset + done * read_element,
                      piece * read_element);
        done += piece;
        progress_add(progress, piece * element);
    }
    if (count > 0)
        return true;
    (void)XXH3_64bits_reset(writer->hash);
    return complete(writer, tensor, false, error);
}

static bool sync_files(const struct writer *writer, struct error *error) {
    for (size_t i = 0; i < writer->source->file_count; i++)
        if (fsync(writer->files[i]) != 0)
            return error_set_errno(error, ERROR_FAILURE, "cannot sync %s in %s", writer_file_name(writer, i),
                                   writer->partial);
    return true;
}

bool writer_finish(struct writer *writer, struct progress *progress, struct error *error) {
    if (writer->at > 0 && writer->tensors[writer->current].handed_in)
        return error_set(error, ERROR_FAILURE, "tensor \"%s\" was not written to its end",
                         writer->source->tensors[writer->current].name);
    for (size_t i = 0; i < writer->source->tensor_count; i++)
        if (!writer->tensors[i].done && !copy_tensor(writer, i, progress, error))
            return false;
    writer->finished =
        sync_files(writer, error) && writer_copy_small_files(writer, error) && writer_verify(writer, progress, error);
    return writer->finished;
}

bool writer_add_file(struct writer *writer, const char *name, const void *bytes, size_t size, struct error *error) {
    if (strchr(name, '/') != NULL || name[0] == '.' || checkpoint_is_weight_file(name))
        return error_set(error, ERROR_USAGE, "\"%s\" is no name for a file beside the weights", name);
    struct file_output output;
    char *path = file_join(writer->partial, name, error);
    bool ok = path != NULL && file_output_open(&output, path, error);
    if (ok) {
        (void)fwrite(bytes, 1, size, output.stream);
        ok = file_output_commit(&output, error);
    }
    memory_free(path);
    return ok;
}

/* The journal goes last: without it, a folder that is whole but for its name could not be taken up again. A kill
 * between the two leaves it in the target, where nothing reads it. */
static bool put_in_place(struct writer *writer, bool exists, const char *journal, struct error *error) {
    bool named = exists ? file_exchange(writer->partial, writer->target, error)
                        : file_rename(writer->partial, writer->target, error);
    return named && file_remove_tree(journal, error) && file_sync_folder(writer->target, error) &&
           (!exists || file_remove_tree(writer->partial, error));
}

bool writer_commit(struct writer *writer, struct error *error) {
    bool exists;
    if (!writer->finished)
        return error_set(error, ERROR_FAILURE, "%s was not finished and verified", writer->partial);
    if (!writer_check_existing(writer, &exists, error))
        return false;
    char *journal = file_join(writer->target, JOURNAL_NAME, error);
    bool ok =
        journal != NULL && file_sync_folder(writer->partial, error) && put_in_place(writer, exists, journal, error);
    memory_free(journal);
    return ok;
}

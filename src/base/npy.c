#include "base/npy.h"

#include "base/text.h"
#include "base/memory.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char magic[6] = "\x93NUMPY";

static bool bad(const struct npy *npy, struct error *error, const char *what) {
    return error_set(error, ERROR_INPUT, "%s is not a .npy file this program can read: %s", npy->map.path, what);
}

/* Where the value of 'key' begins in the header, a Python dictionary; NULL when it is not there. */
static const char *find_value(const char *header, const char *key) {
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (at == NULL)
        return NULL;
    at += strlen(quoted);
    while (isspace((unsigned char)*at))
        at++;
    if (*at != ':')
        return NULL;
    at++;
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static bool parse_format(struct npy *npy, const char *value, struct error *error) {
    static const char *const known[] = {"<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8",
                                        "<f2", "<f4", "<f8", "|i1", "|u1", "|b1", "<b1"};
    if (value == NULL || *value != '\'')
        return bad(npy, error, "its header has no 'descr'");
    value++;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(value, known[i], 3) == 0 && value[3] == '\'') {
            npy->kind = known[i][1];
            npy->bytes = (size_t)(known[i][2] - '0');
            return true;
        }
    return error_set(error, ERROR_INPUT,
                     "%s holds elements of type '%.12s; only little-endian integers and floats of 1 to 8 bytes can be "
                     "read",
                     npy->map.path, value);
}

static bool parse_shape(struct npy *npy, const char *value, struct error *error) {
    if (value == NULL || *value != '(')
        return bad(npy, error, "its header has no 'shape'");
    npy->count = 1;
    for (value++; *value != ')';) {
        char *end;
        if (!isdigit((unsigned char)*value))
            return bad(npy, error, "its shape is not a list of sizes");
        unsigned long long size = strtoull(value, &end, 10);
        if (npy->rank == NPY_MAX_RANK)
            return bad(npy, error, "it has more than 8 dimensions");
        if (size > SIZE_MAX / 2 || !memory_multiply(&npy->count, npy->count, (size_t)size))
            return bad(npy, error, "its shape is too large for memory");
        npy->shape[npy->rank++] = (size_t)size;
        for (value = end; *value == ',' || isspace((unsigned char)*value);)
            value++;
    }
    return true;
}

static bool parse_header(struct npy *npy, const char *header, struct error *error) {
    const char *order = find_value(header, "fortran_order");
    if (order == NULL || (!text_starts(order, "False") && !text_starts(order, "True")))
        return bad(npy, error, "its header has no 'fortran_order'");
    if (text_starts(order, "True"))
        return bad(npy, error, "it is in Fortran order; save it in C order");
    return parse_format(npy, find_value(header, "descr"), error) &&
           parse_shape(npy, find_value(header, "shape"), error);
}

/* Versions: 1 has a two-byte header length, 2 and 3 a four-byte one. */
static bool read_header(struct npy *npy, struct error *error) {
    const uint8_t *data = npy->map.data;
    if (npy->map.size < 12 || memcmp(data, magic, sizeof magic) != 0)
        return bad(npy, error, "it does not begin with \\x93NUMPY");
    if (data[6] < 1 || data[6] > 3)
        return bad(npy, error, "its format version is not 1, 2 or 3");
    size_t start = data[6] == 1 ? 10 : 12;
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (data[6] > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > npy->map.size - start)
        return bad(npy, error, "its header is longer than the file");
    char *header = memory_copy_bytes(data + start, length, error);
    bool ok = header != NULL && parse_header(npy, header, error);
    memory_free(header);
    size_t needed;
    if (ok && (!memory_multiply(&needed, npy->count, npy->bytes) || needed > npy->map.size - start - length))
        ok = error_set(error, ERROR_INPUT,
                       "%s is cut short: its header promises %zu elements of %zu bytes, it has %zu "
                       "bytes of them",
                       npy->map.path, npy->count, npy->bytes, npy->map.size - start - length);
    npy->data = data + start + length;
    return ok;
}

bool npy_open(struct npy *npy, const char *path, struct error *error) {
    memset(npy, 0, sizeof *npy);
    if (!file_map_open(&npy->map, path, error))
        return false;
    bool ok = read_header(npy, error);
    if (!ok)
        npy_close(npy);
    return ok;
}

void npy_close(struct npy *npy) {
    file_map_close(&npy->map);
    memset(npy, 0, sizeof *npy);
}

static uint64_t load_bits(const struct npy *npy, size_t index) {
    uint64_t bits = 0;
    const uint8_t *bytes = npy->data + index * npy->bytes;
    for (size_t i = 0; i < npy->bytes; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

static int64_t sign_extend(uint64_t bits, size_t bytes) {
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1); /* NOLINT: of 1, 2, 4 or 8 bytes */
    return (int64_t)((bits ^ sign) - sign);
}

bool npy_copy_integers(int64_t *out, const struct npy *npy, size_t first, size_t count, struct error *error) {
    if (npy->kind == 'f')
        return error_set(error, ERROR_INPUT, "%s holds floating-point numbers where whole numbers are needed",
                         npy->map.path);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = load_bits(npy, first + i);
        if (npy->kind == 'u' && bits > INT64_MAX)
            return error_set(error, ERROR_INPUT, "%s: element %zu is too large", npy->map.path, first + i);
        out[i] = npy->kind == 'i' ? sign_extend(bits, npy->bytes) : (int64_t)bits;
    }
    return true;
}

/* IEEE half precision: 1 sign bit, 5 of exponent, 10 of fraction; every value is exact in f32. */
static float float_of_half(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31);
    float fraction = (float)(bits & 1023);
    float size = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
                 : exponent == 0 ? ldexpf(fraction, -24)
                                 : ldexpf(fraction + 1024, exponent - 25);
    return (bits >> 15 & 1) != 0 ? -size : size;
}

static float float_of(uint64_t bits, size_t bytes) {
    float single;
    double wide;
    uint32_t low = (uint32_t)bits;
    memcpy(&single, &low, sizeof single);
    memcpy(&wide, &bits, sizeof wide);
    return bytes == 2 ? float_of_half(bits) : bytes == 4 ? single : (float)wide;
}

void npy_copy_floats(float *out, const struct npy *npy, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = load_bits(npy, first + i);
        if (npy->kind == 'f')
            out[i] = float_of(bits, npy->bytes);
        else
            out[i] = npy->kind == 'i' ? (float)sign_extend(bits, npy->bytes) : (float)bits;
    }
}

/* The header is padded with blanks so that the elements begin at a multiple of 64 bytes, as NumPy writes it. */
static void write_header(FILE *stream, const char *format, const size_t *shape, size_t rank, struct text *header) {
    text_add(header, "{'descr': '%s', 'fortran_order': False, 'shape': (", format);
    for (size_t i = 0; i < rank; i++)
        text_add(header, i + 1 < rank ? "%zu, " : rank == 1 ? "%zu," : "%zu", shape[i]);
    text_add(header, "), }");
    while ((10 + header->length + 1) % 64 != 0 && !header->failed)
        text_add_bytes(header, " ", 1);
    text_add_bytes(header, "\n", 1);
    (void)fwrite(magic, 1, sizeof magic, stream);
    (void)fputc(1, stream);
    (void)fputc(0, stream);
    (void)fputc((int)(header->length & 255), stream);
    (void)fputc((int)(header->length >> 8), stream);
    (void)fwrite(text_string(header), 1, header->length, stream);
}

bool npy_writer_open(struct npy_writer *writer, const char *path, const char *format, const size_t *shape, size_t rank,
                     struct error *error) {
    memset(writer, 0, sizeof *writer);
    writer->element = (size_t)(format[2] - '0');
    writer->left = 1;
    for (size_t i = 0; i < rank; i++)
        if (!memory_multiply(&writer->left, writer->left, shape[i]))
            return error_set(error, ERROR_INPUT, "%s would be too large", path);
    if (!file_output_open(&writer->output, path, error))
        return false;
    struct text header = {0};
    write_header(writer->output.stream, format, shape, rank, &header);
    bool ok = !header.failed;
    text_free(&header);
    if (!ok) {
        npy_writer_abort(writer);
        return error_set(error, ERROR_MEMORY, "out of memory for the header of %s", path);
    }
    return true;
}

bool npy_writer_add(struct npy_writer *writer, const void *elements, size_t count, struct error *error) {
    if (count > writer->left)
        return error_set(error, ERROR_FAILURE, "%s was given more elements than its shape holds", writer->output.path);
    if (fwrite(elements, writer->element, count, writer->output.stream) != count)
        return error_set_errno(error, ERROR_FAILURE, "cannot write %s", writer->output.path);
    writer->left -= count;
    return true;
}

bool npy_writer_commit(struct npy_writer *writer, struct error *error) {
    if (writer->left == 0)
        return file_output_commit(&writer->output, error);
    (void)error_set(error, ERROR_FAILURE, "%s lacks %zu elements of its shape", writer->output.path, writer->left);
    npy_writer_abort(writer);
    return false;
}

void npy_writer_abort(struct npy_writer *writer) {
    file_output_abort(&writer->output);
}

static bool write_whole(const char *path, const char *format, const void *data, const size_t *shape, size_t rank,
                        struct error *error) {
    struct npy_writer writer;
    if (!npy_writer_open(&writer, path, format, shape, rank, error))
        return false;
    if (npy_writer_add(&writer, data, writer.left, error))
        return npy_writer_commit(&writer, error);
    npy_writer_abort(&writer);
    return false;
}

bool npy_write_floats(const char *path, const float *data, const size_t *shape, size_t rank, struct error *error) {
    return write_whole(path, "<f4", data, shape, rank, error);
}

bool npy_write_integers(const char *path, const int32_t *data, const size_t *shape, size_t rank, struct error *error) {
    return write_whole(path, "<i4", data, shape, rank, error);
}

/* Importance matrices: both layouts written and read back, names of a model's matrices, files made to be wrong, and a
 * valid file with bytes flipped and its end cut off. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/imatrix.h"
#include "made_model.h"
#include "workbench/imatrix_source.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[64];
static struct error error;

static int make_folder(void **state) {
    (void)state;
    (void)strcpy(folder, "/tmp/secateur-imatrix-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    return !file_remove_tree(folder, &error);
}

static char *place(const char *name) {
    return file_join(folder, name, &error);
}

static void put_file(const char *path, const struct text *bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text_string(bytes), 1, bytes->length, file), bytes->length);
    assert_int_equal(fclose(file), 0);
}

static void assert_close(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g where %.17g is right", a, b);
}

/* ---- pieces of files ---- */

static void u32(struct text *out, uint32_t value) {
    text_add_bytes(out, &value, sizeof value);
}

static void u64(struct text *out, uint64_t value) {
    text_add_bytes(out, &value, sizeof value);
}

static void f32(struct text *out, float value) {
    text_add_bytes(out, &value, sizeof value);
}

static void string(struct text *out, const char *value) {
    u64(out, strlen(value));
    text_add(out, "%s", value);
}

/* Everything about a small GGUF that a case may set wrong; make_gguf writes it. */
struct gguf_case {
    const char *what, *words;          /* what is wrong, and words of the refusal; NULL: it is read */
    const char *type, *first, *second; /* general.type; names of the tensors */
    uint32_t version, key_type, dimensions, tensor_type, alignment, array_type;
    uint64_t tensors, keys, inputs, matrices, counts, offset, name_length, array_count;
    float square, count;
    size_t cut; /* bytes taken from the end */
};

static const struct gguf_case good = {.what = "good",
                                      .type = "imatrix",
                                      .first = "blk.0.ffn_up.weight.in_sum2",
                                      .second = "blk.0.ffn_up.weight.counts",
                                      .version = 3,
                                      .key_type = 8,
                                      .dimensions = 2,
                                      .alignment = 32,
                                      .array_type = 4,
                                      .tensors = 2,
                                      .keys = 3,
                                      .inputs = 8,
                                      .matrices = 1,
                                      .counts = 1,
                                      .offset = 32,
                                      .array_count = 2,
                                      .square = 2,
                                      .count = 16};

static void add_keys(struct text *out, const struct gguf_case *c) {
    string(out, "general.type");
    u32(out, c->key_type);
    string(out, c->type);
    string(out, "general.alignment");
    u32(out, 4);
    u32(out, c->alignment);
    string(out, "something.else");
    u32(out, 9);
    u32(out, c->array_type);
    u64(out, c->array_count);
    for (uint32_t i = 0; i < 2; i++)
        u32(out, i);
}

static void add_tensor(struct text *out, const struct gguf_case *c, const char *name, uint64_t inputs,
                       uint64_t matrices, uint64_t offset) {
    u64(out, c->name_length > 0 ? c->name_length : strlen(name));
    text_add(out, "%s", name);
    u32(out, c->dimensions);
    u64(out, inputs);
    u64(out, matrices);
    u32(out, c->tensor_type);
    u64(out, offset);
}

static void make_gguf(struct text *out, const struct gguf_case *c) {
    text_clear(out);
    text_add(out, "GGUF");
    u32(out, c->version);
    u64(out, c->tensors);
    u64(out, c->keys);
    add_keys(out, c);
    add_tensor(out, c, c->first, c->inputs, c->matrices, 0);
    add_tensor(out, c, c->second, 1, c->counts, c->offset);
    while (out->length % 32 != 0)
        text_add_bytes(out, "", 1);
    for (int i = 0; i < 8; i++)
        f32(out, c->square);
    f32(out, c->count);
    for (int i = 0; i < 7; i++)
        f32(out, 0);
    out->length -= c->cut < out->length ? c->cut : out->length;
}

/* A wrong field each: NAME = VALUE in an otherwise good file. */
#define GOOD                                                                                                           \
    .type = "imatrix", .first = "a.in_sum2", .second = "a.counts", .version = 3, .key_type = 8, .dimensions = 2,       \
    .alignment = 32, .array_type = 4, .tensors = 2, .keys = 3, .inputs = 8, .matrices = 1, .counts = 1, .offset = 32,  \
    .array_count = 2, .square = 2, .count = 16
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct gguf_case hostile[] = {
    {GOOD, .what = "version 1", .version = 1, .words = "version 1"},
    {GOOD, .what = "big-endian", .version = 0x03000000, .words = "little-endian"},
    {GOOD, .what = "a model", .type = "model", .words = "type \"model\""},
    {GOOD, .what = "an empty type", .type = "", .words = "0 bytes"},
    {GOOD, .what = "a type that is a number", .key_type = 4, .words = "has type 4"},
    {GOOD, .what = "no key", .keys = 0, .words = "without general.type"},
    {GOOD, .what = "too many keys", .keys = UINT64_MAX, .words = ""},
    {GOOD, .what = "too many tensors", .tensors = UINT64_MAX, .words = "do not fit"},
    {GOOD, .what = "more tensors than there are", .tensors = 4, .words = ""},
    {GOOD, .what = "no tensors", .tensors = 0, .words = "no importance matrix"},
    {GOOD, .what = "alignment 0", .alignment = 0, .words = "power of two"},
    {GOOD, .what = "alignment 24", .alignment = 24, .words = "power of two"},
    {GOOD, .what = "alignment 2^31", .alignment = 1u << 31, .words = "power of two"},
    {GOOD, .what = "an endless array", .array_count = UINT64_MAX, .words = "more than the file has"},
    {GOOD, .what = "an array longer than the file", .array_count = 200, .words = ""},
    {GOOD, .what = "an array of an unknown type", .array_type = 99, .words = "type 99"},
    {GOOD, .what = "0 dimensions", .dimensions = 0, .words = "0 dimensions"},
    {GOOD, .what = "5 dimensions", .dimensions = 5, .words = "5 dimensions"},
    {GOOD, .what = "2^32 - 1 dimensions", .dimensions = UINT32_MAX, .words = "dimensions"},
    {GOOD, .what = "f16", .tensor_type = 1, .words = "f32 (0)"},
    {GOOD, .what = "0 inputs", .inputs = 0, .words = "size 0"},
    {GOOD, .what = "inputs beyond the file", .inputs = 1000, .words = "inside the file"},
    {GOOD, .what = "2^31 - 1 squared", .inputs = INT32_MAX, .matrices = INT32_MAX, .words = "inside the file"},
    {GOOD, .what = "2^63 inputs", .inputs = 1ull << 63, .words = "size 9223372036854775808"},
    {GOOD, .what = "2^61 matrices", .matrices = 1ull << 61, .words = "size"},
    {GOOD, .what = "an odd offset", .offset = 33, .words = "multiple of 32"},
    {GOOD, .what = "an offset beyond the file", .offset = 1 << 20, .words = "inside the file"},
    {GOOD, .what = "an offset at 2^64 - 32", .offset = UINT64_MAX - 31, .words = "inside the file"},
    {GOOD, .what = "overlapping tensors", .inputs = 16, .offset = 0, .words = "overlaps"},
    {GOOD, .what = "a name as long as memory", .name_length = UINT64_MAX, .words = "1 to 4096"},
    {GOOD, .what = "a name of 4096 bytes", .name_length = 4096, .words = "are left"},
    {GOOD, .what = "one name twice", .second = "a.in_sum2", .words = "twice"},
    {GOOD, .what = "sums without counts", .second = "b", .words = "no counts"},
    {GOOD, .what = "counts without sums", .first = "b", .words = "no in_sum2"},
    {GOOD, .what = "control characters", .first = "a\n.in_sum2", .words = "control"},
    {GOOD, .what = "counts of two matrices", .counts = 2, .words = "one for each matrix"},
    {GOOD, .what = "NaN", .square = NAN, .words = "sum of squares"},
    {GOOD, .what = "infinity", .square = INFINITY, .words = "sum of squares"},
    {GOOD, .what = "a negative square", .square = -1, .words = "sum of squares"},
    {GOOD, .what = "a negative count", .count = -1, .words = "tokens"},
    {GOOD, .what = "a NaN count", .count = NAN, .words = "tokens"},
    {GOOD, .what = "2^60 tokens", .count = 1.0e30f, .words = "tokens"},
    {GOOD, .what = "cut in the data", .cut = 40, .words = "inside the file"},
    {GOOD, .what = "cut in a name", .cut = 150, .words = ""},
    {GOOD, .what = "the magic alone", .cut = 333, .words = ""},
};
#pragma GCC diagnostic pop

static void expect_refusal(const char *path, const char *what, const char *words) {
    struct imatrix imatrix;
    memset(&error, 0, sizeof error);
    bool ok = imatrix_read(&imatrix, path, &error);
    imatrix_free(&imatrix);
    if (ok || error.code != ERROR_INPUT || strstr(error.text, words) == NULL)
        fail_msg("%s: \"%s\" (%d) should be refused with \"%s\"", what, error.text, (int)error.code, words);
}

static void test_hostile_gguf(void **state) {
    (void)state;
    struct text bytes = {0};
    char *path = place("hostile.gguf");
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        make_gguf(&bytes, &hostile[i]);
        put_file(path, &bytes);
        expect_refusal(path, hostile[i].what, hostile[i].words);
    }
    text_free(&bytes);
    memory_free(path);
}

/* Integers of an older file: entries, length, calls, values; then what is there of the trailer. */
static const struct legacy_case {
    const char *what, *words;
    int32_t entries, length, calls, values, chunks, dataset;
    float value;
    size_t cut, more;
} legacy_cases[] = {
    {"no entries", "number of entries", 0, 4, 1, 3, 1, 2, 1, 0, 0},
    {"-1 entries", "number of entries", -1, 4, 1, 3, 1, 2, 1, 0, 0},
    {"2^31 - 1 entries", "do not fit", INT32_MAX, 4, 1, 3, 1, 2, 1, 0, 0},
    {"one entry too many", "", 2, 4, 1, 3, 1, 2, 1, 0, 0},
    {"a name of 0 bytes", "length of a name", 1, 0, 1, 3, 1, 2, 1, 0, 0},
    {"a name of -4 bytes", "length of a name", 1, -4, 1, 3, 1, 2, 1, 0, 0},
    {"a name of 2^31 - 1 bytes", "1 to 4096", 1, INT32_MAX, 1, 3, 1, 2, 1, 0, 0},
    {"no calls", "number of calls", 1, 4, 0, 3, 1, 2, 1, 0, 0},
    {"no values", "number of values", 1, 4, 1, 0, 1, 2, 1, 0, 0},
    {"-1 values", "number of values", 1, 4, 1, -1, 1, 2, 1, 0, 0},
    {"2^31 - 1 values", "are left", 1, 4, 1, INT32_MAX, 1, 2, 1, 0, 0},
    {"NaN", "sum of squares", 1, 4, 1, 3, 1, 2, NAN, 0, 0},
    {"a negative value", "sum of squares", 1, 4, 1, 3, 1, 2, -1, 0, 0},
    {"-1 chunks", "number of chunks", 1, 4, 1, 3, -1, 2, 1, 0, 0},
    {"a data set beyond the file", "are left", 1, 4, 1, 3, 1, 9, 1, 0, 0},
    {"half a trailer", "are left", 1, 4, 1, 3, 1, 2, 1, 4, 0},
    {"bytes behind the end", "should end", 1, 4, 1, 3, 1, 2, 1, 0, 1},
};

static void make_legacy(struct text *out, const struct legacy_case *c) {
    text_clear(out);
    u32(out, (uint32_t)c->entries);
    u32(out, (uint32_t)c->length);
    text_add(out, "name");
    u32(out, (uint32_t)c->calls);
    u32(out, (uint32_t)c->values);
    for (int i = 0; i < 3; i++)
        f32(out, c->value);
    u32(out, (uint32_t)c->chunks);
    u32(out, (uint32_t)c->dataset);
    text_add(out, "xy");
    for (size_t i = 0; i < c->more; i++)
        text_add(out, "z");
    out->length -= c->cut;
}

static void test_hostile_legacy(void **state) {
    (void)state;
    struct text bytes = {0};
    char *path = place("hostile.dat");
    for (size_t i = 0; i < sizeof legacy_cases / sizeof *legacy_cases; i++) {
        make_legacy(&bytes, &legacy_cases[i]);
        put_file(path, &bytes);
        expect_refusal(path, legacy_cases[i].what, legacy_cases[i].words);
    }
    text_free(&bytes);
    memory_free(path);
}

/* A file that a program of another make wrote: offsets, trailing sizes of 1 and unknown keys as ours has them not. */
static void test_good_gguf(void **state) {
    (void)state;
    struct text bytes = {0};
    struct imatrix imatrix;
    char *path = place("good.gguf");
    make_gguf(&bytes, &good);
    put_file(path, &bytes);
    assert_true(imatrix_recognise(path));
    assert_true(imatrix_read(&imatrix, path, &error));
    assert_int_equal(imatrix.count, 1);
    const struct imatrix_entry *entry = imatrix_find(&imatrix, "blk.0.ffn_up.weight");
    assert_non_null(entry);
    assert_int_equal(entry->columns, 8);
    assert_int_equal(entry->parts, 1);
    assert_close(entry->counts[0], 16, 0);
    assert_close(entry->sum_squares[7], 2, 0);
    assert_null(entry->sum);
    imatrix_free(&imatrix);
    text_free(&bytes);
    memory_free(path);
}

/* An entry of the older layout is the mean square times the calls; the trailer may be missing. */
static void test_good_legacy(void **state) {
    (void)state;
    struct text bytes = {0};
    struct imatrix imatrix;
    char *path = place("good.dat");
    make_legacy(&bytes,
                &(struct legacy_case){.entries = 1, .length = 4, .calls = 5, .values = 3, .value = 10, .cut = 10});
    put_file(path, &bytes);
    assert_true(imatrix_read(&imatrix, path, &error));
    const struct imatrix_entry *entry = imatrix_find(&imatrix, "name");
    assert_non_null(entry);
    assert_close(entry->sum_squares[2] / entry->counts[0], 2, 1e-12);
    assert_true(imatrix.legacy);
    imatrix_free(&imatrix);
    text_free(&bytes);
    memory_free(path);
}

/* ---- both ways ---- */

static void fill(struct imatrix *imatrix) {
    memset(imatrix, 0, sizeof *imatrix);
    imatrix->chunks = 3;
    imatrix->chunk = 128;
    imatrix->dataset = memory_copy_string("wiki.txt", &error);
    struct imatrix_entry *dense = imatrix_add(imatrix, "blk.1.attn_q.weight", 5, 1, true, &error);
    for (int i = 0; i < 5; i++) {
        dense->sum_squares[i] = 384 * i;
        dense->sum[i] = -7 * i;
    }
    dense->counts[0] = 384;
    struct imatrix_entry *experts = imatrix_add(imatrix, "blk.0.ffn_up_exps.weight", 3, 2, false, &error);
    for (int i = 0; i < 6; i++)
        experts->sum_squares[i] = i;
    experts->counts[0] = 100;
    experts->counts[1] = 0;
    assert_true(imatrix_sort(imatrix, "made", &error));
}

static void test_round_trip_gguf(void **state) {
    (void)state;
    struct imatrix out;
    struct imatrix in;
    char *path = place("round.gguf");
    fill(&out);
    assert_true(imatrix_write(&out, path, &error));
    assert_true(imatrix_read(&in, path, &error));
    assert_int_equal(in.count, 2);
    assert_int_equal(in.chunks, 3);
    assert_int_equal(in.chunk, 128);
    assert_string_equal(in.dataset, "wiki.txt");
    for (size_t i = 0; i < 2; i++) {
        const struct imatrix_entry *a = &out.entries[i];
        const struct imatrix_entry *b = &in.entries[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->columns, b->columns);
        assert_int_equal(a->parts, b->parts);
        assert_memory_equal(a->counts, b->counts, (size_t)a->parts * sizeof(double));
        assert_memory_equal(a->sum_squares, b->sum_squares, (size_t)(a->columns * a->parts) * sizeof(double));
        assert_int_equal(a->sum == NULL, b->sum == NULL);
    }
    imatrix_free(&out);
    imatrix_free(&in);
    memory_free(path);
}

static void test_round_trip_legacy(void **state) {
    (void)state;
    struct imatrix out;
    struct imatrix in;
    char *path = place("round.dat");
    fill(&out);
    assert_true(imatrix_write(&out, path, &error));
    assert_true(imatrix_read(&in, path, &error));
    const struct imatrix_entry *q = imatrix_find(&in, "blk.1.attn_q.weight");
    assert_non_null(q);
    assert_close(q->sum_squares[4] / q->counts[0], 4, 1e-6);
    const struct imatrix_entry *up = imatrix_find(&in, "blk.0.ffn_up_exps.weight");
    assert_non_null(up);
    assert_int_equal(up->columns, 6); /* both experts in one row */
    assert_close(up->sum_squares[2] / up->counts[0], 0.02, 1e-6);
    assert_close(up->sum_squares[4] / up->counts[0], 1, 1e-6); /* no token: all alike */
    assert_string_equal(in.dataset, "wiki.txt");
    imatrix_free(&out);
    imatrix_free(&in);
    memory_free(path);
}

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const struct {
        enum role role;
        int64_t expert;
        const char *name;
    } cases[] = {
        {ROLE_Q, MODEL_NO_EXPERT, "blk.7.attn_q.weight"},
        {ROLE_QKV, MODEL_NO_EXPERT, "blk.7.attn_qkv.weight"},
        {ROLE_O, MODEL_NO_EXPERT, "blk.7.attn_output.weight"},
        {ROLE_GATE, MODEL_NO_EXPERT, "blk.7.ffn_gate.weight"},
        {ROLE_FC2, MODEL_NO_EXPERT, "blk.7.ffn_down.weight"},
        {ROLE_DOWN, 3, "blk.7.ffn_down_exps.weight"},
        {ROLE_UP, MODEL_SHARED_EXPERT, "blk.7.ffn_up_shexp.weight"},
        {ROLE_ROUTER, MODEL_NO_EXPERT, "blk.7.ffn_gate_inp.weight"},
        {ROLE_SHARED_ROUTER, MODEL_SHARED_EXPERT, "blk.7.ffn_gate_inp_shexp.weight"},
    };
    char name[IMATRIX_NAME];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matrix matrix = {.role = cases[i].role, .block = 7, .expert = cases[i].expert};
        assert_true(imatrix_name(name, &matrix));
        assert_string_equal(name, cases[i].name);
    }
    struct matrix outside = {.role = ROLE_EMBEDDING, .block = MODEL_NO_BLOCK, .expert = MODEL_NO_EXPERT};
    assert_false(imatrix_name(name, &outside));
}

/* What one matrix of an input is known by goes for all; another model's sizes are refused. */
static void test_gather(void **state) {
    (void)state;
    struct model *model = made_model_create(2, made_llama, 7, 0);
    const struct matrix *up = &model->matrices[model->blocks[1].first + 5];
    static const size_t inputs[7] = {0, 0, 0, 1, 2, 2, 3}; /* of q k v o gate up down */
    for (size_t i = 0; i < 14; i++) {
        model->matrices[i].input = inputs[i % 7];
        model->matrices[i].expert = MODEL_NO_EXPERT;
    }
    struct imatrix imatrix = {.chunk = 128};
    struct gathering gathering;
    struct imatrix_entry *entry = imatrix_add(&imatrix, "blk.1.ffn_up.weight", up->columns, 1, false, &error);
    entry->counts[0] = 640;
    entry->sum_squares[3] = 5;
    assert_true(gathering_create(&gathering, model, 1, false, false, &error));
    assert_true(imatrix_gather(&gathering, &imatrix, &error));
    const struct gathered_input *input = gathering_input(&gathering, model->blocks[1].first + 5);
    assert_int_equal(input->statistics.tokens, 640);
    assert_int_equal(input->statistics.sequences, 5);
    assert_close(input->statistics.sum_squares[3], 5, 0);
    assert_null(input->statistics.sum);
    assert_ptr_equal(gathering_input(&gathering, model->blocks[1].first + 4), input); /* gate */
    assert_int_equal(gathering_input(&gathering, model->blocks[1].first + 6)->statistics.tokens, 0);
    gathering_free(&gathering);
    entry->columns--;
    assert_true(gathering_create(&gathering, model, 1, false, false, &error));
    assert_false(imatrix_gather(&gathering, &imatrix, &error));
    assert_non_null(strstr(error.text, "another model"));
    gathering_free(&gathering);
    entry->columns++;
    imatrix_free(&imatrix);
    made_model_free(model);
}

/* ---- damage ---- */

static uint64_t random_state = 1;

static size_t random_below(size_t limit) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % limit;
}

static void damage(const char *good_path, const char *path) {
    size_t size;
    char *bytes = file_read(good_path, 1 << 20, &size, &error);
    assert_non_null(bytes);
    for (int i = 0; i < 3000; i++) {
        struct imatrix imatrix;
        struct text copy = {0};
        text_add_bytes(&copy, bytes, size);
        for (size_t flips = random_below(4) + 1; flips > 0; flips--)
            copy.data[random_below(size)] = (char)random_below(256);
        if (i % 3 == 0)
            copy.length = random_below(size) + 1;
        put_file(path, &copy);
        memset(&error, 0, sizeof error);
        if (!imatrix_read(&imatrix, path, &error))
            assert_int_equal(error.code, ERROR_INPUT);
        imatrix_free(&imatrix);
        text_free(&copy);
    }
    memory_free(bytes);
}

static void test_damage(void **state) {
    (void)state;
    struct imatrix imatrix;
    fill(&imatrix);
    static const char *const names[] = {"whole.gguf", "whole.dat"};
    for (size_t i = 0; i < 2; i++) {
        char *whole = place(names[i]);
        char *damaged = place("damaged");
        assert_true(imatrix_write(&imatrix, whole, &error));
        damage(whole, damaged);
        memory_free(whole);
        memory_free(damaged);
    }
    imatrix_free(&imatrix);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_gguf),       cmocka_unit_test(test_good_legacy),
        cmocka_unit_test(test_hostile_gguf),    cmocka_unit_test(test_hostile_legacy),
        cmocka_unit_test(test_round_trip_gguf), cmocka_unit_test(test_round_trip_legacy),
        cmocka_unit_test(test_names),           cmocka_unit_test(test_gather),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

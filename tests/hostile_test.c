/* Files made to be wrong: each must be refused with ERROR_INPUT and a sentence that says what is wrong. Then a valid
 * file with bytes flipped and ends cut off: whatever happens, never a crash. */
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/checkpoint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[64];
static struct error error;

static int make_folder(void **state) {
    (void)state;
    (void)strcpy(folder, "/tmp/secateur-hostile-XXXXXX");
    memset(&error, 0, sizeof error);
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    return !file_remove_tree(folder, &error);
}

static void put(const char *name, const void *bytes, size_t size) {
    char *path = file_join(folder, name, &error);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    memory_free(path);
}

/* A safetensors file with this header and `data` bytes of weights. */
static void put_model(const char *name, const char *header, size_t data) {
    struct text file = {0};
    uint64_t length = strlen(header);
    text_add_bytes(&file, &length, 8);
    text_add(&file, "%s", header);
    for (size_t i = 0; i < data; i++)
        text_add_bytes(&file, "", 1);
    put(name, file.data, file.length);
    text_free(&file);
}

static void expect_refusal(const char *path, const char *words, const char *what) {
    memset(&error, 0, sizeof error);
    struct checkpoint *checkpoint = checkpoint_open(path, &error);
    if (checkpoint != NULL || error.code != ERROR_INPUT || strstr(error.text, words) == NULL)
        fail_msg("%s: \"%s\" (%d) should be refused with \"%s\"", what, error.text, (int)error.code, words);
}

#define T(DTYPE, SHAPE, OFFSETS) "{\"dtype\":" DTYPE ",\"shape\":" SHAPE ",\"data_offsets\":" OFFSETS "}"
#define ONE(DTYPE, SHAPE, OFFSETS) "{\"a\":" T(DTYPE, SHAPE, OFFSETS) "}"
#define NAMED(NAME) "{\"" NAME "\":" T("\"F32\"", "[1]", "[0,4]") "}"
#define TWO(FIRST, SECOND) "{\"a\":" T("\"F32\"", "[1]", FIRST) ",\"b\":" T("\"F32\"", "[1]", SECOND) "}"

static const struct {
    const char *header;
    size_t data;
    const char *words;
} headers[] = {
    {"", 0, "not valid JSON"},
    {"{", 0, "not valid JSON"},
    {"[]", 0, "must be a JSON object"},
    {"null", 0, "not valid JSON"},
    {"{}", 0, "holds no tensors"},
    {"{}", 4, "4 bytes behind the last tensor"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":1,}", 0, "not valid JSON"},
    {"{\"a\xff\":1}", 0, "not valid JSON"},
    {"{\"a\":1}", 0, "not described by an object"},
    {"{\"a\":{}}", 0, "has no dtype"},
    {"{\"a\":null}", 0, "not described by an object"},
    {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", 0, "20 levels deep"},
    {"{\"a\":{\"a\":{\"a\":[[[[[[[[[[[[[[[[[[[[", 0, "levels deep"},
    {"{\"a\":1,\"a\":2}", 0, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\"}}", 0, "duplicate"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ must be an object"},
    {"{\"__metadata__\":{\"x\":1}}", 0, "\"x\" must be a string"},
    {"{\"__metadata__\":{\"x\":{}}}", 0, "\"x\" must be a string"},
    {NAMED(""), 4, "no name for a tensor"},
    {NAMED("/a"), 4, "no name for a tensor"},
    {NAMED("../a"), 4, "no name for a tensor"},
    {NAMED("a/../b"), 4, "no name for a tensor"},
    {NAMED("a\\u0000b"), 4, "not valid JSON"},
    {NAMED("a\\u001bb"), 4, "no name for a tensor"},
    {NAMED("a\\nb"), 4, "no name for a tensor"},
    {NAMED("a\\u007f"), 4, "no name for a tensor"},
    {ONE("1", "[1]", "[0,4]"), 4, "has no dtype"},
    {ONE("\"F33\"", "[1]", "[0,4]"), 4, "unknown dtype \"F33\""},
    {ONE("\"f32\"", "[1]", "[0,4]"), 4, "unknown dtype \"f32\""},
    {ONE("\"\"", "[1]", "[0,4]"), 4, "unknown dtype"},
    {ONE("\"F4\"", "[1]", "[0,4]"), 4, "unknown dtype"},
    {ONE("\"F32\"", "1", "[0,4]"), 4, "has no shape"},
    {ONE("\"F32\"", "{}", "[0,4]"), 4, "has no shape"},
    {ONE("\"F32\"", "null", "[0,4]"), 4, "has no shape"},
    {ONE("\"F32\"", "[-1]", "[0,4]"), 4, "dimension 0 of the shape"},
    {ONE("\"F32\"", "[1,1.0]", "[0,4]"), 4, "dimension 1 of the shape"},
    {ONE("\"F32\"", "[\"1\"]", "[0,4]"), 4, "dimension 0 of the shape"},
    {ONE("\"F32\"", "[true]", "[0,4]"), 4, "dimension 0 of the shape"},
    {ONE("\"F32\"", "[1e3]", "[0,4]"), 4, "dimension 0 of the shape"},
    {ONE("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "not valid JSON"},
    {ONE("\"F32\"", "[1e999]", "[0,4]"), 4, "not valid JSON"},
    {ONE("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4, "product of the shape overflows"},
    {ONE("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0, "product of the shape overflows"},
    {ONE("\"F32\"", "[9223372036854775807]", "[0,4]"), 4, "overflow"},
    {ONE("\"F64\"", "[2305843009213693952]", "[0,0]"), 0, "overflow"},
    {ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "9 dimensions"},
    {ONE("\"F32\"", "[1]", "null"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[0]"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[0,4,8]"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[-4,0]"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[0,4.0]"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[0,\"4\"]"), 4, "data_offsets must be"},
    {ONE("\"F32\"", "[1]", "[4,0]"), 4, "run backwards"},
    {ONE("\"F32\"", "[1]", "[0,4]"), 0, "ends at byte 4 of the data, which has 0"},
    {ONE("\"F32\"", "[1]", "[0,4]"), 3, "truncated"},
    {ONE("\"F32\"", "[1]", "[0,9223372036854775807]"), 4, "ends at byte 9223372036854775807"},
    {ONE("\"F32\"", "[2]", "[0,4]"), 4, "4 bytes by its offsets but 8"},
    {ONE("\"F16\"", "[1]", "[0,4]"), 4, "4 bytes by its offsets but 2"},
    {ONE("\"F32\"", "[]", "[0,8]"), 8, "8 bytes by its offsets but 4"},
    {ONE("\"F32\"", "[0]", "[0,4]"), 4, "4 bytes by its offsets but 0"},
    {ONE("\"F32\"", "[1]", "[0,4]"), 5, "1 bytes behind the last tensor"},
    {ONE("\"F32\"", "[1]", "[4,8]"), 8, "a hole of 4 bytes"},
    {TWO("[0,4]", "[0,4]"), 4, "overlap by 4"},
    {TWO("[0,4]", "[2,6]"), 6, "overlap by 2"},
    {TWO("[0,4]", "[8,12]"), 12, "a hole of 4 bytes lies before tensor \"b\""},
};

static void wrong_headers(void **state) {
    (void)state;
    char *path = file_join(folder, "model.safetensors", &error);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        put_model("model.safetensors", headers[i].header, headers[i].data);
        expect_refusal(path, headers[i].words, headers[i].header);
        expect_refusal(folder, headers[i].words, headers[i].header);
    }
    memory_free(path);
}

static void wrong_lengths(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"", 0, "0 bytes long"},
        {"\2\0\0\0\0\0\0", 7, "7 bytes long"},
        {"\2\0\0\0\0\0\0\0{", 9, "is 2 bytes long but 1 follow"},
        {"\0\0\0\0\0\0\0\0", 8, "not valid JSON"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615"},
        {"\x01\xe1\xf5\x05\0\0\0\0{}", 10, "100000001"},
        {"\0\0\0\0\0\0\0\x80{}", 10, "9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("model.safetensors", cases[i].bytes, cases[i].size);
        expect_refusal(folder, cases[i].words, cases[i].words);
    }
}

#define INDEX(MAP) "{\"weight_map\":" MAP "}"

static void wrong_indices(void **state) {
    (void)state;
    static const struct {
        const char *index, *words;
    } cases[] = {
        {"", "not valid JSON"},
        {"[]", "must be a JSON object"},
        {"{}", "has no weight_map"},
        {INDEX("[]"), "has no weight_map"},
        {INDEX("{}"), "has no weight_map"},
        {INDEX("{\"a\":1}"), "not a string"},
        {INDEX("{\"a\":\"../x.safetensors\"}"), "no name for a shard"},
        {INDEX("{\"a\":\"/etc/x.safetensors\"}"), "no name for a shard"},
        {INDEX("{\"a\":\"d/x.safetensors\"}"), "no name for a shard"},
        {INDEX("{\"a\":\"x.bin\"}"), "no name for a shard"},
        {INDEX("{\"a\":\"\"}"), "no name for a shard"},
        {INDEX("{\"a\":\".safetensors\"}"), "no name for a shard"},
        {INDEX("{\"a\":\"1.safetensors\",\"a\":\"2.safetensors\"}"), "duplicate"},
        {INDEX("{\"a\":\"1.safetensors\",\"b\":\"9.safetensors\"}"), "9.safetensors is missing"},
        {INDEX("{\"a\":\"1.safetensors\"}"), "\"b\" of 1.safetensors is not in the index"},
        {INDEX("{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"z\":\"1.safetensors\"}"), "\"z\" is not there"},
        {INDEX("{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"}"), "but is in 1.safetensors"},
        {INDEX("{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}"), "duplicate: it is in 1.safetensors and in 3"},
    };
    put_model("1.safetensors", TWO("[0,4]", "[4,8]"), 8);
    put_model("2.safetensors", "{\"c\":" T("\"F32\"", "[1]", "[0,4]") "}", 4);
    put_model("3.safetensors", NAMED("b"), 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("model.safetensors.index.json", cases[i].index, strlen(cases[i].index));
        expect_refusal(folder, cases[i].words, cases[i].index);
    }
}

static void folders_without_a_model(void **state) {
    (void)state;
    expect_refusal(folder, "holds no model", "empty folder");
    put("pytorch_model.bin", "x", 1);
    expect_refusal(folder, "pytorch_model.bin", "torch folder");
    expect_refusal(folder, "only safetensors", "torch folder");
    char *path = file_join(folder, "pytorch_model.bin", &error), *none = file_join(folder, "none", &error);
    expect_refusal(path, "supported are", "torch file");
    expect_refusal(none, "neither a folder nor a file", "nothing");
    memory_free(path);
    memory_free(none);
}

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void mutations_never_crash(void **state) {
    (void)state;
    uint64_t seed = 7;
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":" T(
        "\"BF16\"", "[2,3]", "[0,12]") ",\"b\":" T("\"F32\"", "[1]", "[12,16]") "}";
    uint8_t valid[8 + sizeof header - 1 + 16] = {sizeof header - 1}, changed[sizeof valid];
    memcpy(valid + 8, header, sizeof header - 1);
    char *path = file_join(folder, "model.safetensors", &error);
    put("model.safetensors", valid, sizeof valid);
    struct checkpoint *checkpoint = checkpoint_open(path, &error);
    assert_non_null(checkpoint);
    checkpoint_close(checkpoint);
    for (int round = 0; round < 4000; round++) {
        memcpy(changed, valid, sizeof valid);
        for (uint64_t flips = 1 + next_random(&seed) % 3; flips > 0; flips--)
            changed[next_random(&seed) % sizeof valid] = (uint8_t)next_random(&seed);
        put("model.safetensors", changed, round % 4 == 0 ? next_random(&seed) % sizeof valid : sizeof valid);
        memset(&error, 0, sizeof error);
        checkpoint = checkpoint_open(path, &error);
        assert_true(checkpoint != NULL || (error.code == ERROR_INPUT && error.text[0] != '\0'));
        checkpoint_close(checkpoint);
    }
    memory_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wrong_headers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_lengths, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_indices, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(folders_without_a_model, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(mutations_never_crash, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

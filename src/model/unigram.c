/* Unigram: the segmentation of the greatest sum of log-probabilities (Viterbi), as Hugging Face's `encode_optimized`:
 * a character without a token of its own costs 10 more than the rarest token. */
#include "base/memory.h"
#include "model/token_model.h"
#include <math.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.0

/* A byte position: the best way to reach it, and, once the best path is known, how that path goes on from it. */
struct unigram_node {
    double score;
    size_t begin; /* of the token that ends here */
    size_t end;   /* of the token of the best path that begins here */
    int32_t id;   /* of the token that ends here; -1: unknown; -2: not reached */
    int32_t next; /* the id of the token of the best path that begins here; -1: unknown */
};

static bool encode(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                   size_t length, struct error *error);

bool unigram_finish(struct token_model *model, struct error *error) {
    model->kind = "Unigram";
    model->encode = encode;
    model->fuse_unknown = true;
    token_model_find_bytes(model);
    double least = INFINITY;
    for (size_t id = 0; id < model->vocabulary.size; id++) {
        const struct vocabulary_token *token = &model->vocabulary.tokens[id];
        if (!isfinite(model->scores[id]))
            return error_set(error, ERROR_INPUT, "the score of token %zu is not a finite number", id);
        least = model->scores[id] < least ? model->scores[id] : least;
        if (token->length > 0 && !trie_put(&model->trie, token->text, token->length, (int32_t)id, error))
            return false;
    }
    model->unknown_score = least - UNKNOWN_PENALTY;
    return true;
}

static void offer(struct unigram_node *node, double score, size_t begin, int32_t id) {
    if (node->id == -2 || score > node->score)
        *node = (struct unigram_node){.score = score, .begin = begin, .id = id};
}

static void reach_from(struct unigram_node *nodes, const struct token_model *model, const char *text, size_t length,
                       size_t begin) {
    uint32_t character;
    size_t single = utf8_decode(&character, text + begin, length - begin);
    bool has_single = false;
    size_t node = 0;
    for (size_t at = begin; at < length; at++) {
        node = trie_step(&model->trie, node, (uint8_t)text[at]);
        if (node == SIZE_MAX)
            break;
        int32_t id = model->trie.values[node];
        if (id < 0)
            continue;
        offer(&nodes[at + 1], nodes[begin].score + model->scores[id], begin, id);
        has_single = has_single || at + 1 - begin == single;
    }
    if (!has_single)
        offer(&nodes[begin + single], nodes[begin].score + model->unknown_score, begin, -1);
}

static void follow_best_path(struct unigram_node *nodes, size_t length) {
    for (size_t end = length; end > 0; end = nodes[end].begin) {
        nodes[nodes[end].begin].end = end;
        nodes[nodes[end].begin].next = nodes[end].id;
    }
}

static bool add_path(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                     size_t length, struct error *error) {
    const struct unigram_node *nodes = work->nodes;
    for (size_t at = 0; at < length;) {
        size_t end = nodes[at].end;
        bool known = nodes[at].next >= 0;
        while (!known && end < length && nodes[end].next < 0)
            end = nodes[end].end; /* unknown characters in a row are one */
        work->unknown += !known && !model->byte_fallback;
        if (known ? !token_ids_add(ids, nodes[at].next, error)
                  : !token_model_add_unknown(ids, model, text + at, end - at, false, error))
            return false;
        at = end;
    }
    return true;
}

static bool encode(struct token_ids *ids, const struct token_model *model, struct token_work *work, const char *text,
                   size_t length, struct error *error) {
    if (length + 1 > work->node_capacity) {
        struct unigram_node *nodes = memory_resize(work->nodes, length + 1, sizeof *nodes, error);
        if (nodes == NULL)
            return false;
        work->nodes = nodes;
        work->node_capacity = length + 1;
    }
    work->nodes[0] = (struct unigram_node){.id = -1};
    for (size_t i = 1; i <= length; i++)
        work->nodes[i] = (struct unigram_node){.id = -2};
    for (size_t at = 0; at < length; at++)
        if (work->nodes[at].id != -2)
            reach_from(work->nodes, model, text, length, at);
    follow_best_path(work->nodes, length);
    return add_path(ids, model, work, text, length, error);
}

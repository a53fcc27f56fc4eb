#include "model/buffer.h"

#include "base/text.h"
#include <string.h>

/* Endings of names, from a dot (or the beginning) on. */
static const char *const endings[] = {
    "rotary_emb.inv_freq", "rotary_emb.cos_cached",        "rotary_emb.sin_cached", "masked_bias",  "attn.bias",
    "attention.bias",      "rotary_emb.original_inv_freq", "causal_mask",           "position_ids",
};

bool buffer_is_named(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (text_ends(name, endings[i]) && (length == ending || name[length - ending - 1] == '.'))
            return true;
    }
    return false;
}

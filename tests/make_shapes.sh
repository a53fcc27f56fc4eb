#!/bin/bash
# make_shapes.sh FOLDER BLOCKS HIDDEN INTERMEDIATE VOCABULARY: a Llama of these shapes in bf16 whose weights are a hole in a
# sparse file: as large as a real one, made in no time.
set -eu
folder=$1 blocks=$2 hidden=$3 intermediate=$4 vocabulary=$5
mkdir -p "$folder"
cat >"$folder/config.json" <<END
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": $hidden, "intermediate_size": $intermediate,
 "num_hidden_layers": $blocks, "num_attention_heads": $((hidden / 128)), "num_key_value_heads": $((hidden / 128)),
 "vocab_size": $vocabulary, "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "hidden_act": "silu",
 "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
END
header=$(awk -v blocks="$blocks" -v h="$hidden" -v m="$intermediate" -v v="$vocabulary" '
    function add(name, rows, columns,    bytes) {
        bytes = 2 * rows * (columns > 0 ? columns : 1)
        printf "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%d%s],\"data_offsets\":[%.0f,%.0f]}", separator, name, rows,
            (columns > 0 ? "," columns : ""), offset, offset + bytes
        offset += bytes
        separator = ","
    }
    BEGIN {
        printf "{\"__metadata__\":{\"format\":\"pt\"},"
        add("model.embed_tokens.weight", v, h)
        for (b = 0; b < blocks; b++) {
            p = "model.layers." b "."
            add(p "self_attn.q_proj.weight", h, h)
            add(p "self_attn.k_proj.weight", h, h)
            add(p "self_attn.v_proj.weight", h, h)
            add(p "self_attn.o_proj.weight", h, h)
            add(p "mlp.gate_proj.weight", m, h)
            add(p "mlp.up_proj.weight", m, h)
            add(p "mlp.down_proj.weight", h, m)
            add(p "input_layernorm.weight", h, 0)
            add(p "post_attention_layernorm.weight", h, 0)
        }
        add("model.norm.weight", h, 0)
        add("lm_head.weight", v, h)
        printf "}"
        printf "%.0f", offset >"/dev/stderr"
    }' 2>"$folder/bytes")
length=${#header}
{
    for ((i = 0; i < 8; i++)); do
        # shellcheck disable=SC2059 # the format is the byte
        printf "\\x$(printf '%02x' $((length >> (8 * i) & 255)))"
    done
    printf '%s' "$header"
} >"$folder/model.safetensors"
truncate -s $((8 + length + $(cat "$folder/bytes"))) "$folder/model.safetensors"
rm "$folder/bytes"

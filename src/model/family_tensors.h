/* The families' tables of tensors (family_tensors.c), which the rows in families.c share. */
#ifndef SECATEUR_FAMILY_TENSORS_H
#define SECATEUR_FAMILY_TENSORS_H

#include "model/family.h"

extern const struct family_tensor family_llama_inside[], family_llama_outside[], family_mixtral_inside[],
    family_qwen2_moe_inside[], family_qwen3_inside[], family_qwen3_moe_inside[], family_gemma2_inside[],
    family_phi_inside[], family_phi_outside[], family_phi3_inside[], family_glm_inside[], family_gpt2_inside[],
    family_gpt_bigcode_inside[], family_gpt_neo_inside[], family_gptj_inside[], family_codegen_inside[],
    family_gpt_outside[], family_gpt_neox_inside[], family_gpt_neox_outside[], family_opt_inside[],
    family_opt_outside[], family_bloom_inside[], family_bloom_outside[], family_mpt_inside[], family_mpt_outside[],
    family_stablelm_inside[], family_starcoder2_inside[], family_nemotron_inside[], family_olmo2_inside[];

#endif

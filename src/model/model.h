/* A model: a checkpoint whose tensors have been understood. Blocks, matrices, roles; what can be pruned and why the
 * rest cannot. */
#ifndef SECATEUR_MODEL_H
#define SECATEUR_MODEL_H

#include "checkpoint/checkpoint.h"
#include "model/architecture.h"

/* What a tensor is. The first group are matrices that can be pruned; fused ones hold several roles in one. */
enum role {
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_QKV, /* fused */
    ROLE_O,
    ROLE_GATE,
    ROLE_UP,
    ROLE_GATE_UP, /* fused: gate rows, then up rows */
    ROLE_DOWN,
    ROLE_FC1,
    ROLE_FC2,
    ROLE_MATRIX, /* a two-dimensional weight in a block of a family that was guessed */
    /* pruned only when named exactly */
    ROLE_ROUTER,
    ROLE_SHARED_ROUTER, /* the gate of a shared expert */
    ROLE_EMBEDDING,
    ROLE_POSITION,
    ROLE_TOKEN_TYPE,
    ROLE_LM_HEAD,
    ROLE_PROJECT_IN,
    ROLE_PROJECT_OUT,
    /* never pruned */
    ROLE_NORM_1, /* in the order of enum block_form's n1.. */
    ROLE_NORM_2,
    ROLE_NORM_3,
    ROLE_NORM_4,
    ROLE_Q_NORM,
    ROLE_K_NORM,
    ROLE_EMBEDDING_NORM,
    ROLE_FINAL_NORM,
    ROLE_SCALE,  /* scales of block-quantised weights */
    ROLE_BUFFER, /* masks, rotary tables: ignored */
    ROLE_OTHER,
    ROLE_COUNT
};
const char *role_name(enum role role); /* "q", "gate", "qkv", "lm_head" */
bool role_from_name(enum role *role, const char *name);

enum prunable {
    PRUNABLE_YES,
    PRUNABLE_WHEN_NAMED, /* embeddings, position tables, lm_head, project_in/out, routers, shared-expert gates */
    PRUNABLE_NO,         /* norms, biases, integers, quantised without known scales */
};

#define MODEL_NO_EXPERT (-1)
#define MODEL_SHARED_EXPERT (-2)
#define MODEL_NO_BLOCK (-1)

/* One tensor of the model, understood. */
struct weight {
    const struct tensor *tensor;
    enum role role;
    bool bias;     /* the bias of that role */
    int64_t block; /* 0..L-1, or MODEL_NO_BLOCK */
    int64_t
        expert; /* 0.., MODEL_NO_EXPERT or MODEL_SHARED_EXPERT; the head's number for norms with a tensor per head */
    enum prunable prunable;
    const char *reason; /* why it is not PRUNABLE_YES; static text, NULL otherwise */
    size_t matrix;      /* its index in model.matrices, or SIZE_MAX */
};

/* One weight matrix (rows = outputs, columns = inputs, whatever order the file stores). */
struct matrix {
    const struct weight *weight;
    const struct tensor *tensor;
    const char *name; /* the tensor's name */
    char *module;     /* its name without ".weight": what --hessian and imatrix name things by */
    char *label;      /* short, unique in its block: "q", "gate", "e3.up", "shared.down" */
    enum role role;
    int64_t block, expert;
    int64_t rows, columns;
    bool transposed;    /* stored inputs × outputs (GPT-2's Conv1D) */
    bool prunable;      /* PRUNABLE_YES: takes part in selectors and budgets */
    const char *reason; /* why not, for the user */
    size_t input;       /* matrices with the same (block, input) see the same x: q k v; gate up */
};

struct block {
    int64_t index;
    size_t first, count; /* its matrices: model.matrices[first .. first+count) */
};

struct model {
    struct checkpoint *checkpoint;
    const struct family *family;      /* NULL: guessed */
    char *family_name;                /* "llama"; "llama (guessed)" from names alone; "unknown (guessed)" */
    char *name;                       /* for titles: config's _name_or_path or the folder's name */
    json_t *config;                   /* config.json, or NULL */
    struct architecture architecture; /* valid when architecture_known */
    bool architecture_known;
    struct error architecture_error; /* why the engine cannot run it (the model can still be looked at and pruned by
                                        magnitude) */
    struct weight *weights;          /* one per tensor, in the checkpoint's order */
    size_t weight_count;
    struct matrix *matrices; /* all two-dimensional weights: by block, then in the family's (module) order; those
                                outside blocks last */
    size_t matrix_count;
    struct block *blocks;
    size_t block_count;
    uint64_t parameters; /* elements of all tensors that are not buffers; tied weights once */
    uint64_t prunable;   /* elements of prunable matrices */
    const char *prefix;  /* in front of the base model's names: "model.", "transformer.", "" */
    bool tied;           /* lm_head and embedding are one tensor, whichever name the file stores: its role is
                            ROLE_EMBEDDING */
    size_t *lookup;      /* private: hash of (block, role, expert, bias) */
    size_t lookup_size;
};

/* Opens MODEL (a path) and understands it. Needs only headers and config.json: no weight is read. A model whose family
 * or options are not known opens all the same, with architecture_error set; NULL only for files that cannot be
 * understood at all. */
struct model *model_open(const char *path, struct error *error);
void model_close(struct model *model);

/* The weight (or bias) of a role; NULL when the model has none. block MODEL_NO_BLOCK for what lies outside blocks. Of a
 * tied model, ROLE_LM_HEAD is the embedding. */
const struct weight *model_weight(const struct model *model, int64_t block, enum role role, int64_t expert, bool bias);
const struct matrix *model_matrix(const struct model *model,
                                  const char *name); /* by tensor name or module name; NULL */

/* Copies rows [begin, end) of a matrix as f32 into out[(end-begin) × columns], outputs × inputs whatever the file
 * stores. */
void matrix_read(float *out, const struct matrix *matrix, int64_t begin, int64_t end);

#endif

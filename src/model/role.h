/* What is true of every matrix of a role, whatever the family. */
#ifndef SECATEUR_ROLE_H
#define SECATEUR_ROLE_H

#include "model/model.h"

/* Which vector of its block (and expert) a matrix multiplies: matrices of one kind share it. */
enum input_kind {
    INPUT_OWN,          /* shares with nobody */
    INPUT_ATTENTION,    /* what q, k and v see */
    INPUT_CONTEXT,      /* the heads' outputs */
    INPUT_FEED_FORWARD, /* what gate, up and the routers see */
    INPUT_ACTIVATED     /* the hidden units */
};

struct role_info {
    const char *name;
    enum prunable prunable;
    const char *reason; /* why it is not PRUNABLE_YES */
    enum input_kind input;
};
const struct role_info *role_info(enum role role);

#endif

/* Keys are bound to command lines: one table, globally and per view, that the configuration file can change. */
#ifndef SECATEUR_KEYMAP_H
#define SECATEUR_KEYMAP_H

#include "base/error.h"
#include <stddef.h>

enum { KEY_NAME_SIZE = 24 };

struct binding {
    const char *view;    /* "all", or a view's name, which goes first */
    const char *key;     /* "j", "^D", "down", "f1", "space" */
    const char *command; /* what would be typed after ":"; "" switches the key off */
    const char *help;    /* for the help view; NULL: the command says it */
};

/* The command for a key in a view, or NULL. */
const char *keymap_command(const char *view, const char *key);
/* All bindings in order, those changed by the user included; NULL behind the last. */
const struct binding *keymap_at(size_t index);

bool keymap_bind(const char *view, const char *key, const char *command, struct error *error);
void keymap_reset(void); /* forgets what the user bound */

/* The name of a key as curses reports it; "" for what has none. */
void keymap_name(char name[KEY_NAME_SIZE], int key);
bool keymap_key_exists(const char *name);

#endif

#include "views/keymap.h"
#include "base/memory.h"
#include <curses.h>
#include <stdio.h>
#include <string.h>

static const struct binding defaults[] = {
    {"overview", "enter", "view weights", "open the row's weights"},
    {"overview", "space", "fold toggle", "fold or unfold the block"},
    {"overview", "+", "fold open", "unfold the block"},
    {"overview", "-", "fold close", "fold the block"},
    {"overview", "*", "fold all", "fold or unfold all blocks"},
    {"overview", "h", "set here -0.5%", "half a percent less sparsity"},
    {"overview", "l", "set here +0.5%", "half a percent more"},
    {"overview", "left", "set here -0.5%", NULL},
    {"overview", "right", "set here +0.5%", NULL},
    {"overview", "H", "set here -5%", "five percent less"},
    {"overview", "L", "set here +5%", "five percent more"},
    {"overview", "S-left", "set here -5%", NULL},
    {"overview", "S-right", "set here +5%", NULL},
    {"overview", "<", "sort previous", "sort by the column to the left"},
    {"overview", ">", "sort next", "sort by the column to the right"},
    {"overview", "I", "sort invert", "turn the order round"},
    {"overview", "c", "prompt columns", "show or hide columns"},
    {"weights", "h", "cut -1", "threshold one cell to the left: less sparsity"},
    {"weights", "l", "cut +1", "threshold one cell to the right: more sparsity"},
    {"weights", "left", "cut -1", NULL},
    {"weights", "right", "cut +1", NULL},
    {"weights", "H", "cut -5", "threshold five cells to the left"},
    {"weights", "L", "cut +5", "threshold five cells to the right"},
    {"weights", "S-left", "cut -5", NULL},
    {"weights", "S-right", "cut +5", NULL},
    {"weights", "enter", "prompt set here", "type the sparsity"},
    {"weights", "x", "axis x", "|w| on a linear or a log2 axis"},
    {"weights", "y", "axis y", "counts on a linear or a logarithmic axis"},
    {"weights", "o", "overlay here", "lay this histogram over the others; again: none"},
    {"weights", "r", "norms rows", "sorted norms of the rows, and back"},
    {"weights", "c", "norms columns", "sorted norms of the columns, and back"},
    {"activations", "enter", "channels", "the input's channels by size, and back"},
    {"activations", "h", "set here -0.5%", "half a percent less sparsity"},
    {"activations", "l", "set here +0.5%", "half a percent more"},
    {"activations", "H", "set here -5%", "five percent less"},
    {"activations", "L", "set here +5%", "five percent more"},
    {"sensitivity", "h", "set here -0.5%", "half a percent less sparsity"},
    {"sensitivity", "l", "set here +0.5%", "half a percent more"},
    {"sensitivity", "left", "set here -0.5%", NULL},
    {"sensitivity", "right", "set here +0.5%", NULL},
    {"sensitivity", "H", "set here -5%", "five percent less"},
    {"sensitivity", "L", "set here +5%", "five percent more"},
    {"sensitivity", "S-left", "set here -5%", NULL},
    {"sensitivity", "S-right", "set here +5%", NULL},
    {"sensitivity", "K", "knee", "set the sparsity to the knee"},
    {"sensitivity", "[", "step previous", "the same matrix of the block before"},
    {"sensitivity", "]", "step next", "the same matrix of the next block"},
    {"sensitivity", "o", "overlay next", "lay over: same matrix of other blocks, others of the block, none"},
    {"sensitivity", "g", "grid", "the curves of all matrices, and back"},
    {"sensitivity", "enter", "grid", NULL},
    {"sensitivity", "r", "prompt measure", "measure what cuts really lose"},
    {"sensitivity", "y", "axis y", "error on a linear or a logarithmic axis"},
    {"heatmap", "left", "column left", "the cell to the left"},
    {"heatmap", "right", "column right", "the cell to the right"},
    {"heatmap", "h", "set here -0.5%", "half a percent less sparsity"},
    {"heatmap", "l", "set here +0.5%", "half a percent more"},
    {"heatmap", "H", "set here -5%", "five percent less"},
    {"heatmap", "L", "set here +5%", "five percent more"},
    {"heatmap", "v", "value next", "show another figure"},
    {"heatmap", "s", "sort block", "blocks with most of it first, and back"},
    {"heatmap", "c", "tag column-here toggle", "tag the matrix in all blocks"},
    {"heatmap", "enter", "view sensitivity", "open the cell's curve"},
    {"compare", "n", "difference next", "next row that differs"},
    {"compare", "N", "difference previous", "previous row that differs"},
    {"compare", "<", "take", "take the other plan's targets for the row"},
    {"compare", "tab", "swap", "change sides"},
    {"compare", "space", "fold all", "matrices below their blocks, and back"},
    {"compare", "e", "prompt differences compare.csv", "write the comparison as CSV"},
    {"compare", "h", "set here -0.5%", "half a percent less sparsity"},
    {"compare", "l", "set here +0.5%", "half a percent more"},
    {"compare", "H", "set here -5%", "five percent less"},
    {"compare", "L", "set here +5%", "five percent more"},
    {"compare", "enter", "view sensitivity", "open the row's curve"},
    {"plans", "enter", "compare here", "compare with the snapshot"},
    {"plans", "r", "snapshot restore here", "make it the plan again"},
    {"plans", "s", "prompt snapshot save", "keep the plan under a name"},
    {"plans", "d", "snapshot delete here", "forget the snapshot"},
    {"plans", "a", "prompt allocate", "fill the plan by a strategy"},
    {"pareto", "enter", "compare here", "compare with the snapshot"},
    {"pareto", "r", "snapshot restore here", "make it the plan again"},
    {"pareto", "s", "prompt snapshot save", "keep the plan under a name"},
    {"pareto", "d", "snapshot delete here", "forget the snapshot"},
    {"pareto", "a", "prompt allocate", "fill the plan by a strategy"},
    {"plans", "p", "view pareto", "cost against sparsity as a chart"},
    {"run", "p", "pause", "pause or go on"},
    {"run", "c", "cancel", "stop; what is finished is kept"},
    {"run", "enter", "view weights", "open the row's weights"},
    {"all", "j", "move down", "one row down"},
    {"all", "k", "move up", "one row up"},
    {"all", "down", "move down", NULL},
    {"all", "up", "move up", NULL},
    {"all", "^D", "move half-down", "half a page down"},
    {"all", "^U", "move half-up", "half a page up"},
    {"all", "pagedown", "move page-down", "a page down"},
    {"all", "pageup", "move page-up", "a page up"},
    {"all", "g", "move top", "first row"},
    {"all", "G", "move bottom", "last row"},
    {"all", "home", "move top", NULL},
    {"all", "end", "move bottom", NULL},
    {"all", "tab", "view next", "next view"},
    {"all", "1", "view overview", NULL},
    {"all", "2", "view weights", NULL},
    {"all", "3", "view activations", NULL},
    {"all", "4", "view sensitivity", NULL},
    {"all", "5", "view heatmap", NULL},
    {"all", "6", "view compare", NULL},
    {"all", "7", "view plans", NULL},
    {"all", "8", "view evaluations", NULL},
    {"all", "9", "view run", NULL},
    {"all", "?", "view help", "all keys and commands"},
    {"all", "f1", "view help", NULL},
    {"all", "q", "back", "back to where you came from; at the first view: quit"},
    {"all", "esc", "back no", "back, but never out of the program"},
    {"all", "Q", "quit", "leave the program"},
    {"all", ":", "prompt", "type a command"},
    {"all", "=", "prompt set here", "type the row's sparsity"},
    {"all", "A", "prompt apply", "type a sparsity for all tagged rows"},
    {"all", "/", "find", "search; n and N go on"},
    {"all", "n", "search-next", "next match"},
    {"all", "N", "search-previous", "previous match"},
    {"all", "\\", "hide", "show only rows that match"},
    {"all", "t", "tag here toggle", "tag the row"},
    {"all", "T", "tag block-here toggle", "tag the whole block"},
    {"all", "U", "untag all", "untag everything"},
    {"all", "b", "budget toggle", "budget lock: other rows make up for every change"},
    {"all", "z", "lock here toggle", "lock the row: budget lock and strategies leave it alone"},
    {"all", "S", "suggest", "name the moves that would lower the forecast error most"},
    {"all", "u", "undo", "undo"},
    {"all", "^R", "redo", "redo"},
    {"all", "^L", "redraw", "draw the screen again"},
    {"all", "^Z", "suspend", "stop; `fg` goes on"},
    {"all", "^C", "interrupt", "ask what to do with the running job"},
    {"all", "f10", "quit", NULL},
};
enum { DEFAULTS = sizeof defaults / sizeof *defaults, OWN = 256 };

static struct {
    struct binding rows[OWN];
    size_t count;
} own;

/* Keys that have no character of their own. */
static const struct {
    const char *name;
    int key;
} special[] = {
    {"up", KEY_UP},
    {"down", KEY_DOWN},
    {"left", KEY_LEFT},
    {"right", KEY_RIGHT},
    {"home", KEY_HOME},
    {"end", KEY_END},
    {"pageup", KEY_PPAGE},
    {"pagedown", KEY_NPAGE},
    {"insert", KEY_IC},
    {"delete", KEY_DC},
    {"backspace", KEY_BACKSPACE},
    {"backspace", 127},
    {"backspace", '\b'},
    {"enter", KEY_ENTER},
    {"enter", '\r'},
    {"enter", '\n'},
    {"tab", '\t'},
    {"S-tab", KEY_BTAB},
    {"space", ' '},
    {"esc", 27},
    {"S-left", KEY_SLEFT},
    {"S-right", KEY_SRIGHT},
    {"f1", KEY_F(1)},
    {"f2", KEY_F(2)},
    {"f3", KEY_F(3)},
    {"f4", KEY_F(4)},
    {"f5", KEY_F(5)},
    {"f6", KEY_F(6)},
    {"f7", KEY_F(7)},
    {"f8", KEY_F(8)},
    {"f9", KEY_F(9)},
    {"f10", KEY_F(10)},
    {"f11", KEY_F(11)},
    {"f12", KEY_F(12)},
};

void keymap_name(char name[KEY_NAME_SIZE], int key) {
    name[0] = '\0';
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (special[i].key == key) {
            snprintf(name, KEY_NAME_SIZE, "%s", special[i].name);
            return;
        }
    }
    if (key > 0 && key < ' ')
        snprintf(name, KEY_NAME_SIZE, "^%c", '@' + key);
    else if (key > ' ' && key < 127)
        snprintf(name, KEY_NAME_SIZE, "%c", key);
}

bool keymap_key_exists(const char *name) {
    for (int key = 1; key <= KEY_MAX; key++) {
        char known[KEY_NAME_SIZE];
        keymap_name(known, key);
        if (known[0] && !strcmp(known, name))
            return true;
    }
    return false;
}

static const struct binding *lookup(const struct binding *rows, size_t count, const char *view, const char *key) {
    for (size_t i = count; i-- > 0;)
        if (!strcmp(rows[i].view, view) && !strcmp(rows[i].key, key))
            return &rows[i];
    return NULL;
}

const char *keymap_command(const char *view, const char *key) {
    const char *views[] = {view, "all"};
    for (size_t i = 0; i < 2; i++) {
        const struct binding *found = lookup(own.rows, own.count, views[i], key);
        if (!found)
            found = lookup(defaults, DEFAULTS, views[i], key);
        if (found)
            return *found->command ? found->command : NULL;
    }
    return NULL;
}

const struct binding *keymap_at(size_t index) {
    if (index < own.count)
        return &own.rows[index];
    index -= own.count;
    for (size_t i = 0; i < DEFAULTS; i++) {
        bool replaced = lookup(own.rows, own.count, defaults[i].view, defaults[i].key) != NULL;
        if (!replaced && index-- == 0)
            return &defaults[i];
    }
    return NULL;
}

bool keymap_bind(const char *view, const char *key, const char *command, struct error *error) {
    if (!keymap_key_exists(key))
        return error_set(error, ERROR_USAGE, "there is no key \"%s\"; keys are named like j, ^D, f5, space, S-left",
                         key);
    if (own.count == OWN)
        return error_set(error, ERROR_USAGE, "more than %d keys are bound", OWN);
    struct binding binding = {memory_copy_string(view, error), memory_copy_string(key, error),
                              memory_copy_string(command, error), NULL};
    if (!binding.view || !binding.key || !binding.command) {
        memory_free((void *)(uintptr_t)binding.view);
        memory_free((void *)(uintptr_t)binding.key);
        memory_free((void *)(uintptr_t)binding.command);
        return false;
    }
    own.rows[own.count++] = binding;
    return true;
}

void keymap_reset(void) {
    for (size_t i = 0; i < own.count; i++) {
        memory_free((void *)(uintptr_t)own.rows[i].view);
        memory_free((void *)(uintptr_t)own.rows[i].key);
        memory_free((void *)(uintptr_t)own.rows[i].command);
    }
    own.count = 0;
}

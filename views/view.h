/* A view: one screenful about the model, behind one interface. A new view is one file and one row in view_table
 * (views/views.c).
 *
 * Views draw from the workbench and their own state; they never change the plan themselves: a key is bound to a command
 * string (keymap.c) and the command does it. Movement, search, scrolling, fold, tags, help and the prompt are generic
 * (screen.c). */
#ifndef SECATEUR_VIEW_H
#define SECATEUR_VIEW_H

#include "workbench/workbench.h"

struct canvas; /* draw.h: a clipped rectangle of cells with colour roles and glyph sets */
struct view;

struct view_ops {
    const char *name;  /* "overview": :view overview, the heading in help and keymap */
    char key;          /* '1'.. */
    const char *help;  /* one line */
    size_t state_size; /* bytes of zeroed private state, in view->state */
    bool (*open)(struct view *view, struct error *error); /* NULL allowed, as for all below */
    void (*close)(struct view *view);
    void (*refresh)(struct view *view);                     /* plan or knowledge changed: rebuild rows */
    void (*draw)(struct view *view, struct canvas *canvas); /* the area between title and bottom line */
    void (*title)(struct view *view, struct text *title); /* what stands in the title line behind the program's name */
    const char *(*keys)(struct view *view);               /* the bottom line: the keys that matter here */
    bool (*row_text)(struct view *view, size_t row,
                     struct text *text);                 /* for search and filter; false behind the last row */
    size_t (*row_matrix)(struct view *view, size_t row); /* matrix under a row, or SIZE_MAX */
    void (*row_selector)(struct view *view, size_t row,
                         struct text *selector); /* what edit commands mean by "here": "5.*" on a block */
    bool (*command)(struct view *view, const char *verb, const char *argument,
                    struct error *error); /* view-specific verbs; false+no error: unknown */
    void (*mouse)(struct view *view, int row, int column, unsigned event);
};

struct view {
    const struct view_ops *ops;
    struct workbench *workbench;
    void *state;
    size_t rows, cursor, top; /* generic list state */
    int width, height;        /* of the last canvas */
    uint64_t plan_revision, knowledge;
};

extern const struct view_ops *const view_table[];
extern const size_t view_count;

#endif

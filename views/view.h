/* A view: one screenful about the model, behind one interface. A new view is one file and one row in view_table
 * (views/views.c).
 *
 * Views draw from the workbench and their own state; they never change the plan themselves: a key is bound to a command
 * string (keymap.c) and the command does it. Movement, search, scrolling, the prompt and the mouse's wheel are generic
 * (screen.c). */
#ifndef SECATEUR_VIEW_H
#define SECATEUR_VIEW_H

#include "views/draw.h"
#include "workbench/workbench.h"

struct view;

/* What a view says to a verb that is meant for views ("fold", "sort", "cut"). */
enum view_answer { VIEW_UNKNOWN, VIEW_DONE, VIEW_FAILED };

/* What the mouse did, in cells of the view's own canvas. */
struct view_mouse {
    int row, column;
    bool dragged, twice;
};

struct view_ops {
    const char *name;  /* "overview": :view overview, the heading in help and keymap */
    const char *help;  /* one line */
    const char *keys;  /* the bottom line: "key what  key what" */
    size_t state_size; /* bytes of zeroed private state, in view->state */
    bool (*open)(struct view *view, struct error *error); /* NULL allowed, as for all below */
    void (*close)(struct view *view);
    bool (*refresh)(struct view *view, struct error *error); /* plan, knowledge or filter changed: rebuild rows */
    void (*draw)(struct view *view, struct canvas *canvas);  /* the area between the top lines and the bottom line */
    bool (*row_text)(struct view *view, size_t row, struct text *text); /* for search; false behind the last row */
    bool (*row_selector)(struct view *view, size_t row, struct text *selector); /* what "here" means: "5.*" */
    bool (*go)(struct view *view, const char *selector); /* where rows are not all: puts the cursor there */
    enum view_answer (*command)(struct view *view, const char *verb, const char *argument, struct error *error);
    void (*mouse)(struct view *view, const struct view_mouse *mouse, struct text *command); /* a command line to run */
};

struct view {
    const struct view_ops *ops;
    struct workbench *workbench;
    void *state;
    const char *filter;          /* only rows whose text holds this; "" for all */
    size_t rows, cursor, top;    /* generic list state */
    int list_row, list_height;   /* where the list lies in the canvas; set by draw */
    int cursor_row, cursor_cell; /* where the hardware cursor goes; set by draw */
};

extern const struct view_ops *const view_table[]; /* NULL-terminated */
const struct view_ops *view_find(const char *name);

extern const struct view_ops overview_view, weights_view, activations_view, sensitivity_view, heatmap_view,
    compare_view, plans_view, pareto_view, evaluations_view, run_view, help_view, output_view;

/* Keeps the cursor inside the rows and the cursor's row inside `height` visible rows. */
void view_scroll(struct view *view, int height);
/* Whether a row of text passes the filter (ignoring case). */
bool view_matches(const char *text, const char *pattern);
/* Puts the cursor on the row whose selector this is; false when there is none. */
bool view_go(struct view *view, const char *selector);

/* Lines for the output view, taken over; the text becomes empty. */
void output_show(struct text *text, const char *title);

#endif

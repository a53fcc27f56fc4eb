#include "views/view.h"
#include <ctype.h>
#include <string.h>

const struct view_ops *const view_table[] = {
    &overview_view,    &weights_view, &activations_view, &sensitivity_view, &heatmap_view, &compare_view, &plans_view,
    &evaluations_view, &run_view,     &pareto_view,      &help_view,        &output_view,  NULL};

const struct view_ops *view_find(const char *name) {
    for (size_t i = 0; view_table[i]; i++)
        if (!strcmp(view_table[i]->name, name))
            return view_table[i];
    return NULL;
}

void view_scroll(struct view *view, int height) {
    size_t visible = height > 0 ? (size_t)height : 1;
    if (view->cursor >= view->rows)
        view->cursor = view->rows > 0 ? view->rows - 1 : 0;
    if (view->cursor < view->top)
        view->top = view->cursor;
    if (view->cursor >= view->top + visible)
        view->top = view->cursor - visible + 1;
    if (view->top > 0 && view->top + visible > view->rows)
        view->top = view->rows > visible ? view->rows - visible : 0;
    view->list_height = (int)visible;
}

static bool starts_with(const char *text, const char *pattern) {
    for (; *pattern; text++, pattern++)
        if (tolower((unsigned char)*text) != tolower((unsigned char)*pattern))
            return false;
    return true;
}

bool view_matches(const char *text, const char *pattern) {
    if (!*pattern)
        return true;
    for (; *text; text++)
        if (starts_with(text, pattern))
            return true;
    return false;
}

bool view_go(struct view *view, const char *selector) {
    struct text text = {0};
    bool found = false;
    if (view->ops->go)
        return view->ops->go(view, selector);
    for (size_t row = 0; view->ops->row_selector && row < view->rows && !found; row++) {
        text_clear(&text);
        found = view->ops->row_selector(view, row, &text) && !strcmp(text_string(&text), selector);
        if (found)
            view->cursor = row;
    }
    text_free(&text);
    return found;
}

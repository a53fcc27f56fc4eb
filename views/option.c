/* Options of the screen and the configuration file that sets them and binds keys. */
#include "base/file.h"
#include "base/memory.h"
#include "views/keymap.h"
#include "views/screen_state.h"
#include <stdio.h>
#include <string.h>

enum { CONFIG_BYTES = 1 << 20 };

static bool set_theme(struct screen *screen, const char *value, struct error *error) {
    (void)screen;
    return terminal_set_theme(value, error);
}

static const char *get_theme(const struct screen *screen) {
    (void)screen;
    return terminal_theme();
}

static bool set_glyphs(struct screen *screen, const char *value, struct error *error) {
    const struct glyphs *glyphs = !strcmp(value, "auto") ? glyphs_detect() : glyphs_find(value);
    if (!glyphs)
        return error_set(error, ERROR_USAGE,
                         "there is no glyph set \"%s\"; there are auto, utf8, utf8-blocks and ascii", value);
    if (glyphs->utf8 && !glyphs_locale_is_utf8())
        return error_set(error, ERROR_USAGE, "the locale is not UTF-8, so only the ascii glyphs can be shown");
    screen->glyphs = glyphs;
    return true;
}

static const char *get_glyphs(const struct screen *screen) {
    return screen->glyphs->name;
}

static bool set_mouse(struct screen *screen, const char *value, struct error *error) {
    bool on = !strcmp(value, "on");
    if (!on && strcmp(value, "off") != 0)
        return error_set(error, ERROR_USAGE, "mouse is on or off, not \"%s\"", value);
    screen->mouse = on;
    terminal_set_mouse(on);
    return true;
}

static const char *get_mouse(const struct screen *screen) {
    return screen->mouse ? "on" : "off";
}

const struct option option_table[] = {
    {"theme", "auto dark light mono contrast", "colours", set_theme, get_theme},
    {"glyphs", "auto utf8 utf8-blocks ascii", "signs that charts are drawn with", set_glyphs, get_glyphs},
    {"mouse", "on off", "off leaves the mouse to the terminal, for selecting text", set_mouse, get_mouse},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct option *option_find(const char *name) {
    for (const struct option *option = option_table; option->name; option++)
        if (!strcmp(option->name, name))
            return option;
    return NULL;
}

bool option_set(struct screen *screen, const char *name, const char *value, struct error *error) {
    const struct option *option = option_find(name);
    if (!option)
        return error_set(error, ERROR_USAGE, "there is no option \"%s\"; there are theme, glyphs and mouse", name);
    if (!*value) {
        screen_message(screen, false, "%s is %s (%s)", name, option->get(screen), option->values);
        return true;
    }
    screen->dirty = true;
    return option->set(screen, value, error);
}

/* ---- completion ---- */

static char **append(char **list, const char *word, size_t length) {
    size_t count = 0;
    while (list && list[count])
        count++;
    char **longer = memory_resize(list, count + 2, sizeof *longer, NULL);
    if (!longer)
        return list;
    longer[count] = memory_copy_bytes(word, length, NULL);
    longer[count + 1] = NULL;
    return longer;
}

static char **append_words(char **list, const char *words, const char *typed) {
    for (const char *word = words; *word; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        if (text_starts(word, typed))
            list = append(list, word, length);
        word += length;
    }
    return list;
}

char **option_complete(char **found, const char *line) {
    char name[32];
    int used = 0;
    line += strspn(line, " ");
    if (!text_starts(line, "set "))
        return found;
    line += strspn(line + 3, " ") + 3;
    if (!strchr(line, ' ')) {
        for (const struct option *option = option_table; option->name; option++)
            if (text_starts(option->name, line))
                found = append(found, option->name, strlen(option->name));
        return found;
    }
    bool named = sscanf(line, "%31s %n", name, &used) == 1 && option_find(name);
    return named && !strchr(line + used, ' ') ? append_words(found, option_find(name)->values, line + used) : found;
}

/* ---- the configuration file ---- */

static bool options_line(struct screen *screen, const char *line, struct error *error) {
    char view[32], key[KEY_NAME_SIZE], name[32], value[64];
    int used = 0;
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return true;
    if (sscanf(line, "bind %31s %23s %n", view, key, &used) == 2 && used > 0) {
        if (strcmp(view, "all") != 0 && !view_find(view))
            return error_set(error, ERROR_USAGE, "there is no view \"%s\"", view);
        return keymap_bind(view, key, line + used, error);
    }
    if (sscanf(line, "set %31s %63s", name, value) == 2)
        return option_set(screen, name, value, error);
    return error_set(error, ERROR_USAGE, "lines are \"bind VIEW KEY COMMAND\" and \"set OPTION VALUE\", not \"%s\"",
                     line);
}

static void options_lines(struct screen *screen, char *text, const char *path) {
    size_t number = 1;
    for (char *line = text; line; number++) {
        char *end = strchr(line, '\n');
        struct error error = {0};
        if (end)
            *end = '\0';
        if (!options_line(screen, line, &error))
            screen_message(screen, true, "%s, line %zu: %s", path, number, error.text);
        line = end ? end + 1 : NULL;
    }
}

void options_read(struct screen *screen) {
    struct error error = {0};
    char *folder = file_xdg_folder("CONFIG", NULL), *path = folder ? file_join(folder, "config", NULL) : NULL;
    if (path && file_exists(path)) {
        char *text = file_read(path, CONFIG_BYTES, NULL, &error);
        if (text)
            options_lines(screen, text, path);
        else
            screen_message(screen, true, "%s", error.text);
        memory_free(text);
    }
    memory_free(path);
    memory_free(folder);
}

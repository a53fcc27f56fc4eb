#include "views/table.h"
#include <stdio.h>
#include <string.h>

static int needed(const struct table *table, uint32_t shown) {
    int width = 0, comfort = 0;
    bool luxury = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct column *column = &table->columns[i];
        if (!(shown >> i & 1))
            continue;
        luxury = luxury || column->rank >= TABLE_LUXURY;
        width += column->width + 1;
        comfort += (column->most - column->width) / 2;
    }
    return width - 1 + (luxury ? comfort : 0);
}

static uint32_t without_highest_rank(const struct table *table, uint32_t shown) {
    size_t worst = table->count;
    for (size_t i = 0; i < table->count; i++)
        if ((shown >> i & 1) && table->columns[i].rank > 0 &&
            (worst == table->count || table->columns[i].rank > table->columns[worst].rank))
            worst = i;
    return worst < table->count ? shown & ~(UINT32_C(1) << worst) : 0;
}

/* Room that is left goes to the columns that can grow, a cell each in turn. */
static void grow(struct table *table, int spare) {
    for (bool grew = true; grew && spare > 0;) {
        grew = false;
        for (size_t i = 0; i < table->count && spare > 0; i++) {
            if (table->width[i] == 0 || table->width[i] >= table->columns[i].most)
                continue;
            table->width[i]++;
            spare--;
            grew = true;
        }
    }
}

void table_layout(struct table *table, int width) {
    uint32_t shown = 0;
    for (size_t i = 0; i < table->count; i++)
        if (!(table->hidden >> i & 1) || table->columns[i].rank == 0)
            shown |= UINT32_C(1) << i;
    uint32_t fewer;
    while (needed(table, shown) > width && (fewer = without_highest_rank(table, shown)) != 0)
        shown = fewer;
    for (size_t i = 0; i < table->count; i++)
        table->width[i] = shown >> i & 1 ? table->columns[i].width : 0;
    int spare = width + 1, start = 0;
    for (size_t i = 0; i < table->count; i++)
        spare -= table->width[i] > 0 ? table->width[i] + 1 : 0;
    grow(table, spare);
    for (size_t i = 0; i < table->count; i++) {
        table->start[i] = start;
        start += table->width[i] > 0 ? table->width[i] + 1 : 0;
    }
}

void table_text(const struct table *table, struct canvas *canvas, int row, size_t column, enum paint paint,
                const char *string) {
    int start = table->start[column], width = table->width[column];
    if (table->columns[column].right)
        canvas_right(canvas, row, start, width, paint, string);
    else
        canvas_text(canvas, row, start, width, paint, string);
}

void table_heading(const struct table *table, struct canvas *canvas, int row) {
    canvas_repeat(canvas, row, 0, canvas->width, PAINT_HEADING, " ");
    for (size_t i = 0; i < table->count; i++) {
        char heading[64];
        bool sorted = (int)i == table->sort;
        const char *utf8[] = {"", "▲", "▼"}, *ascii[] = {"", "^", "v"};
        int arrow = !sorted ? 0 : table->descending ? 2 : 1;
        snprintf(heading, sizeof heading, "%s%s", table->columns[i].heading,
                 canvas->glyphs->utf8 ? utf8[arrow] : ascii[arrow]);
        table_text(table, canvas, row, i, PAINT_HEADING, heading);
    }
}

int table_column_at(const struct table *table, int cell) {
    for (size_t i = 0; i < table->count; i++)
        if (cell >= table->start[i] && cell < table->start[i] + table->width[i])
            return (int)i;
    return -1;
}

int table_find(const struct table *table, const char *name) {
    for (size_t i = 0; i < table->count; i++)
        if (!strcmp(table->columns[i].name, name))
            return (int)i;
    return -1;
}

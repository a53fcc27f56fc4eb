#include "workbench/csv.h"

#include "base/memory.h"
#include <csv.h>
#include <math.h>
#include <string.h>

void csv_add_string(struct text *line, const char *string) {
    if (strpbrk(string, ",\"\r\n") == NULL) {
        text_add(line, "%s", string);
        return;
    }
    size_t length = strlen(string);
    size_t room = csv_write(NULL, 0, string, length);
    char *quoted = memory_alloc(room, 1, NULL);
    if (quoted == NULL) {
        line->failed = true;
        return;
    }
    (void)csv_write(quoted, room, string, length);
    text_add_bytes(line, quoted, room);
    memory_free(quoted);
}

void csv_add_number(struct text *line, double number) {
    if (isfinite(number))
        text_add(line, "%.9g", number);
}

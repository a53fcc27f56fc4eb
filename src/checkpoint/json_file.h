/* JSON out of files that are not trusted: size and depth are checked before the parser sees a byte. */
#ifndef SECATEUR_JSON_FILE_H
#define SECATEUR_JSON_FILE_H

#include "base/error.h"
#include <jansson.h>

/* As the safetensors format limits its headers. */
#define JSON_FILE_LIMIT ((size_t)100 * 1000 * 1000)

/* The object in `text` (not NUL-terminated). Duplicate names, NUL in strings, more than a few levels of nesting and
 * anything behind the object but blanks are errors (ERROR_INPUT); `what` names the text in them. Caller: json_decref.
 */
json_t *json_file_parse(const char *text, size_t size, const char *what, struct error *error);

#endif

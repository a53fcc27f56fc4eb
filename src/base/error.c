#include "base/error.h"
#undef error_set
#undef error_prefix
#undef error_set_errno

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

bool error_prefix(struct error *error, const char *format, ...) {
    if (error == NULL)
        return false;
    char context[sizeof error->text / 2 - 2];
    char old[sizeof error->text / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    memcpy(old, error->text, sizeof old - 1);
    old[sizeof old - 1] = '\0';
    (void)snprintf(error->text, sizeof error->text, "%s: %s", context, old);
    return false;
}

bool error_set_errno(struct error *error, enum error_code code, const char *format, ...) {
    int number = errno;
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    size_t used = strlen(error->text);
    char meaning[128];
    if (strerror_r(number, meaning, sizeof meaning) != 0)
        (void)snprintf(meaning, sizeof meaning, "error %d", number);
    (void)snprintf(error->text + used, sizeof error->text - used, ": %s", meaning);
    return false;
}

int error_exit_status(const struct error *error) {
    switch (error->code) {
    case ERROR_NONE:
        return 0;
    case ERROR_USAGE:
        return 2;
    case ERROR_INPUT:
        return 3;
    case ERROR_CANCELLED:
        return 4;
    case ERROR_FAILURE:
    case ERROR_MEMORY:
        break;
    }
    return 1;
}

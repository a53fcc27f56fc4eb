#include "workbench/forecast_record.h"

#include "base/file.h"
#include "base/memory.h"
#include "workbench/csv.h"
#include <time.h>

#define TABLE_MAXIMUM ((size_t)64 << 20)
#define JSON_MAXIMUM ((size_t)256 << 20)

json_t *forecast_record_json(const struct prune_run *run) {
    const struct forecast *forecast = &run->forecast;
    struct plan_totals totals;
    if (!forecast->change_known)
        return NULL;
    plan_totals(&totals, run->plan);
    return json_pack("{s:s, s:f, s:f, s:f, s:f}", "method", run->settings.method, "sparsity", totals.sparsity,
                     "perplexity", forecast->perplexity, "low", forecast->perplexity_low, "high",
                     forecast->perplexity_high);
}

static char *table_path(struct error *error) {
    char *folder = file_xdg_folder("STATE", error);
    bool ok = folder != NULL && file_make_folders(folder, error);
    char *path = ok ? file_join(folder, "forecasts.csv", error) : NULL;
    memory_free(folder);
    return path;
}

/* What secateur.json says of the model's forecast; NULL without one. Others' files are no error. */
static json_t *read_forecast(const struct model *model) {
    size_t size;
    char *path = file_join(model->checkpoint->folder, "secateur.json", NULL);
    char *bytes = path != NULL && file_is_regular(path) ? file_read(path, JSON_MAXIMUM, &size, NULL) : NULL;
    json_t *whole = bytes != NULL ? json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *forecast = json_incref(json_object_get(whole, "forecast"));
    json_decref(whole);
    memory_free(bytes);
    memory_free(path);
    return forecast;
}

static void add_row(struct text *row, json_t *forecast, const struct evaluation_record *record) {
    static const char *const numbers[] = {"sparsity", "perplexity", "low", "high"};
    char when[32] = "";
    struct tm utc;
    time_t now = time(NULL);
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    text_add(row, "%s,", when);
    csv_add_string(row, record->model);
    text_add(row, ",");
    const char *method = json_string_value(json_object_get(forecast, "method"));
    csv_add_string(row, method != NULL ? method : "");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        text_add(row, ",");
        csv_add_number(row, json_number_value(json_object_get(forecast, numbers[i])));
    }
    text_add(row, ",");
    csv_add_number(row, record->result.perplexity);
    text_add(row, ",%llu,", (unsigned long long)record->result.tokens);
    csv_add_string(row, record->source);
    text_add(row, "\n");
}

static bool append(json_t *forecast, const struct evaluation_record *record, struct error *error) {
    struct text table = {0};
    struct file_output output;
    forecast_record_table(&table);
    if (table.length == 0)
        text_add(&table, "when,plan,method,sparsity,forecast,low,high,measured,tokens,text\n");
    add_row(&table, forecast, record);
    char *path = table_path(error);
    bool ok = path != NULL && !table.failed && file_output_open(&output, path, error);
    if (ok) {
        (void)fwrite(text_string(&table), 1, table.length, output.stream); /* commit finds a short write */
        ok = file_output_commit(&output, error);
    }
    memory_free(path);
    text_free(&table);
    return ok;
}

void forecast_record_measured(struct workbench *workbench, const struct evaluation_record *record) {
    struct error error = {0};
    json_t *forecast = read_forecast(workbench->model);
    if (json_is_object(forecast) && !append(forecast, record, &error))
        job_log(workbench->jobs, "the forecast's record could not be kept: %s", error.text);
    json_decref(forecast);
}

void forecast_record_table(struct text *output) {
    size_t size;
    char *path = table_path(NULL);
    char *bytes = path != NULL && file_is_regular(path) ? file_read(path, TABLE_MAXIMUM, &size, NULL) : NULL;
    if (bytes != NULL)
        text_add_bytes(output, bytes, size);
    memory_free(bytes);
    memory_free(path);
}

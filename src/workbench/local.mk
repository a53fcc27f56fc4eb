libsecateur_a_SOURCES += \
  src/workbench/calibrate_more.c src/workbench/calibrate_more.h \
  src/workbench/calibrate_output.c src/workbench/calibrate_output.h \
  src/workbench/calibrate_run.c src/workbench/calibrate_run.h \
  src/workbench/allocate_run.c src/workbench/allocate_run.h \
  src/workbench/calibration_cache.c src/workbench/calibration_cache.h \
  src/workbench/command.c src/workbench/command.h \
  src/workbench/command_allocate.c \
  src/workbench/command_calibrate.c \
  src/workbench/command_complete.c \
  src/workbench/command_eval.c \
  src/workbench/command_general.c \
  src/workbench/command_generate.c \
  src/workbench/command_interchange.c \
  src/workbench/command_measure.c \
  src/workbench/command_model.c \
  src/workbench/command_prune.c \
  src/workbench/command_help.c src/workbench/command_help.h \
  src/workbench/command_parse.c src/workbench/command_parse.h \
  src/workbench/command_plan.c \
  src/workbench/command_improve.c \
  src/workbench/command_spectrum.c \
  src/workbench/command_tags.c \
  src/workbench/edit.c src/workbench/edit.h \
  src/workbench/command_tokenize.c \
  src/workbench/commands.c src/workbench/commands.h \
  src/workbench/csv.c src/workbench/csv.h \
  src/workbench/evaluate_output.c src/workbench/evaluate_output.h \
  src/workbench/evaluate_run.c src/workbench/evaluate_run.h \
  src/workbench/evaluation_record.c src/workbench/evaluation_record.h \
  src/workbench/forecast_record.c src/workbench/forecast_record.h \
  src/workbench/imatrix_source.c src/workbench/imatrix_source.h \
  src/workbench/invocation.c src/workbench/invocation.h \
  src/workbench/job.c src/workbench/job.h \
  src/workbench/kept_hessians.c src/workbench/kept_hessians.h \
  src/workbench/knowledge.c src/workbench/knowledge.h \
  src/workbench/manual.c src/workbench/manual.h \
  src/workbench/measure_run.c src/workbench/measure_run.h \
  src/workbench/model_key.c src/workbench/model_key.h \
  src/workbench/overview.c \
  src/workbench/prune_bias.c \
  src/workbench/prune_data.c src/workbench/prune_matrix.c src/workbench/prune_data.h src/workbench/prune_data_state.h \
  src/workbench/prune_output.c src/workbench/prune_output.h \
  src/workbench/prune_threshold.c src/workbench/prune_threshold.h \
  src/workbench/prune_record.c \
  src/workbench/prune_reorder.c \
  src/workbench/prune_run.c src/workbench/prune_run.h \
  src/workbench/prune_task.c src/workbench/prune_task.h \
  src/workbench/pruned_weights.c src/workbench/pruned_weights.h \
  src/workbench/report.c src/workbench/report.h \
  src/workbench/report_calibration.c src/workbench/report_calibration.h \
  src/workbench/report_column.c src/workbench/report_column.h \
  src/workbench/report_evaluations.c src/workbench/report_evaluations.h \
  src/workbench/scan.c src/workbench/scan.h \
  src/workbench/search.c src/workbench/search.h \
  src/workbench/search_start.c src/workbench/search_start.h \
  src/workbench/session.c src/workbench/session.h \
  src/workbench/session_data.c src/workbench/session_data.h \
  src/workbench/run_row.c src/workbench/run_row.h \
  src/workbench/run_text.c src/workbench/run_text.h \
  src/workbench/suggest.c src/workbench/suggest.h \
  src/workbench/workbench.c src/workbench/workbench.h

# Unit tests link the engine library; tests of the whole program run the real binary.
# One cmocka program per subject: add it to check_PROGRAMS and TESTS, set its _SOURCES and _LDADD = $(unit_libs).
unit_libs = libsecateur.a $(CMOCKA_LIBS) $(engine_libs)

if HAVE_CMOCKA
check_PROGRAMS += tests/base_test
tests_base_test_SOURCES = tests/base_test.c
tests_base_test_LDADD = $(unit_libs)
TESTS += tests/base_test
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/dtype_test tests/hostile_test tests/writer_test
tests_dtype_test_SOURCES = tests/dtype_test.c
tests_dtype_test_LDADD = $(unit_libs)
tests_hostile_test_SOURCES = tests/hostile_test.c
tests_hostile_test_LDADD = $(unit_libs)
tests_writer_test_SOURCES = tests/writer_test.c tests/golden.c tests/golden.h
tests_writer_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_writer_test_LDADD = $(unit_libs)
TESTS += tests/dtype_test tests/hostile_test tests/writer_test
endif

# configure CC=clang --enable-fuzz; make fuzz runs for a minute and keeps what it found in fuzz-corpus/
if FUZZ
EXTRA_PROGRAMS += tests/fuzz_safetensors
tests_fuzz_safetensors_SOURCES = tests/fuzz_safetensors.c
tests_fuzz_safetensors_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
tests_fuzz_safetensors_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_safetensors_LDADD = libsecateur.a $(engine_libs)
fuzz: tests/fuzz_safetensors
	$(MKDIR_P) fuzz-corpus
	tests/fuzz_safetensors -max_total_time=60 -max_len=4096 fuzz-corpus
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/config_test
tests_config_test_SOURCES = tests/config_test.c
tests_config_test_LDADD = $(unit_libs)
TESTS += tests/config_test
check_PROGRAMS += tests/job_test
tests_job_test_SOURCES = tests/job_test.c
tests_job_test_LDADD = $(unit_libs)
TESTS += tests/job_test

check_PROGRAMS += tests/tokenizer_test
tests_tokenizer_test_SOURCES = tests/tokenizer_test.c
tests_tokenizer_test_CPPFLAGS = $(AM_CPPFLAGS) -DSHARED_FOLDER='"$(abs_top_srcdir)/../shared"'
tests_tokenizer_test_LDADD = $(unit_libs)
TESTS += tests/tokenizer_test
check_PROGRAMS += tests/corpus_test
tests_corpus_test_SOURCES = tests/corpus_test.c
tests_corpus_test_CPPFLAGS = $(AM_CPPFLAGS) -DSHARED_FOLDER='"$(abs_top_srcdir)/../shared"'
tests_corpus_test_LDADD = $(unit_libs)
TESTS += tests/corpus_test
endif

# make tests/bench/tokenizer_bench; run it by hand on a folder with a tokenizer and a text.
check_PROGRAMS += tests/bench/tokenizer_bench
tests_bench_tokenizer_bench_SOURCES = tests/bench/tokenizer_bench.c
tests_bench_tokenizer_bench_LDADD = libsecateur.a $(engine_libs)

if HAVE_CMOCKA
check_PROGRAMS += tests/model_test
tests_model_test_SOURCES = tests/model_test.c tests/golden.c tests/golden.h
tests_model_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_model_test_LDADD = $(unit_libs)
TESTS += tests/model_test
endif

include tests/solvers.mk
include tests/conduct.mk
include tests/term/local.mk

if HAVE_CMOCKA
check_PROGRAMS += tests/pattern_test
tests_pattern_test_SOURCES = tests/pattern_test.c
tests_pattern_test_LDADD = $(unit_libs)
TESTS += tests/pattern_test
endif

if HAVE_CMOCKA
check_LIBRARIES += tests/libmade.a
tests_libmade_a_SOURCES = tests/made_model.c tests/made_model.h
check_PROGRAMS += tests/plan_test
tests_plan_test_SOURCES = tests/plan_test.c tests/golden.c tests/golden.h
tests_plan_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_plan_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/plan_test
check_PROGRAMS += tests/selector_test
tests_selector_test_SOURCES = tests/selector_test.c
tests_selector_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/selector_test
check_PROGRAMS += tests/plan_csv_test
tests_plan_csv_test_SOURCES = tests/plan_csv_test.c
tests_plan_csv_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/plan_csv_test
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/summary_test
tests_summary_test_SOURCES = tests/summary_test.c
tests_summary_test_LDADD = $(unit_libs)
TESTS += tests/summary_test
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/command_test
tests_command_test_SOURCES = tests/command_test.c
tests_command_test_LDADD = $(unit_libs)
TESTS += tests/command_test
check_PROGRAMS += tests/prune_golden_test
tests_prune_golden_test_SOURCES = tests/prune_golden_test.c tests/golden.c tests/golden.h
tests_prune_golden_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_prune_golden_test_LDADD = $(unit_libs)
TESTS += tests/prune_golden_test
endif

# The whole program, from shell.
EXTRA_DIST += tests/shell.sh tests/make_shapes.sh tests/cli_test.sh tests/prune_kill_test.sh tests/prune_options_test.sh tests/signal_test.sh tests/memory_test.sh
TESTS += tests/cli_test.sh tests/prune_kill_test.sh tests/prune_options_test.sh tests/signal_test.sh
LONG_TESTS += tests/memory_test.sh tests/prune_kill_test.sh

if HAVE_CMOCKA
check_PROGRAMS += tests/engine_test
tests_engine_test_SOURCES = tests/engine_test.c tests/made_folder.c tests/made_folder.h
tests_engine_test_LDADD = $(unit_libs)
TESTS += tests/engine_test
check_PROGRAMS += tests/engine_families_test
tests_engine_families_test_SOURCES = tests/engine_families_test.c tests/reference_forward.c tests/reference_forward.h \
  tests/made_folder.c tests/made_folder.h
# A family's row overrides what its relatives' have in common.
tests_engine_families_test_CFLAGS = $(AM_CFLAGS) -Wno-override-init
tests_engine_families_test_LDADD = $(unit_libs)
TESTS += tests/engine_families_test
check_PROGRAMS += tests/engine_golden_test
tests_engine_golden_test_SOURCES = tests/engine_golden_test.c tests/golden.c tests/golden.h
tests_engine_golden_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_engine_golden_test_LDADD = $(unit_libs)
TESTS += tests/engine_golden_test
endif

if HAVE_CMOCKA
check_PROGRAMS += tests/methods_golden_test
tests_methods_golden_test_SOURCES = tests/methods_golden_test.c tests/near_tie.c tests/near_tie.h \
  tests/solve_f64.c tests/solve_f64.h tests/golden.c tests/golden.h
tests_methods_golden_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_methods_golden_test_LDADD = $(unit_libs)
TESTS += tests/methods_golden_test
endif
check_PROGRAMS += tests/bench/bench_forward
tests_bench_bench_forward_SOURCES = tests/bench/bench_forward.c tests/made_folder.c tests/made_folder.h
tests_bench_bench_forward_LDADD = libsecateur.a $(engine_libs)

if HAVE_CMOCKA
check_PROGRAMS += tests/calibrate_golden_test
tests_calibrate_golden_test_SOURCES = tests/calibrate_golden_test.c tests/golden.c tests/golden.h
tests_calibrate_golden_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_calibrate_golden_test_LDADD = $(unit_libs)
TESTS += tests/calibrate_golden_test
endif

# The forward pass and the tokenizers through the program.
check_PROGRAMS += tests/npy_compare tests/npy_ids
tests_npy_compare_SOURCES = tests/npy_compare.c
tests_npy_compare_LDADD = libsecateur.a $(engine_libs)
tests_npy_ids_SOURCES = tests/npy_ids.c
tests_npy_ids_LDADD = libsecateur.a $(engine_libs)
EXTRA_DIST += tests/eval_test.sh tests/golden_perplexity_test.sh
TESTS += tests/eval_test.sh tests/golden_perplexity_test.sh
if HAVE_CMOCKA
check_PROGRAMS += tests/tokenize_test
tests_tokenize_test_SOURCES = tests/tokenize_test.c tests/golden.c tests/golden.h
tests_tokenize_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_tokenize_test_LDADD = $(unit_libs)
TESTS += tests/tokenize_test
endif

# make bench: ratios to what the machine does in the same run, one line each: what, ratio, required, PASS or BELOW.
BENCHES = tests/bench/bench_scan tests/bench/bench_calibrate tests/bench/bench_select tests/bench/bench_forward tests/bench/bench_solve \
	tests/bench/bench_hessian $(SCREEN_BENCHES)
check_PROGRAMS += tests/bench/bench_scan tests/bench/bench_select tests/bench/bench_solve tests/bench/bench_hessian
CLEANFILES += $(EXTRA_PROGRAMS)
tests_bench_bench_scan_SOURCES = tests/bench/bench_scan.c tests/bench/bench.h
tests_bench_bench_scan_LDADD = libsecateur.a $(engine_libs)
tests_bench_bench_select_SOURCES = tests/bench/bench_select.c tests/bench/bench.h
tests_bench_bench_select_LDADD = libsecateur.a $(engine_libs)
tests_bench_bench_solve_SOURCES = tests/bench/bench_solve.c
tests_bench_bench_solve_LDADD = libsecateur.a $(engine_libs)
tests_bench_bench_hessian_SOURCES = tests/bench/bench_hessian.c
tests_bench_bench_hessian_LDADD = libsecateur.a $(engine_libs)
.PHONY: bench
bench: $(BENCHES)
	@for bench in $(BENCHES); do echo "== $$bench"; ./$$bench || exit 1; done

EXTRA_DIST += tests/large_test.sh tests/stop_long_test.sh tests/tables/common.sh tests/tables/methods.sh tests/tables/methods.csv tests/tables/seeds.sh tests/tables/conventions.sh tests/tables/conventions.csv doc/methods.md
check_PROGRAMS += tests/make_large
tests_make_large_SOURCES = tests/make_large.c
tests_make_large_LDADD = -lm
LONG_TESTS += tests/large_test.sh tests/stop_long_test.sh

if HAVE_CMOCKA
check_PROGRAMS += tests/allocate_test
tests_allocate_test_SOURCES = tests/allocate_test.c tests/golden.c tests/golden.h
tests_allocate_test_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_allocate_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/allocate_test
endif
EXTRA_DIST += tests/interchange_test.sh
TESTS += tests/interchange_test.sh
EXTRA_DIST += tests/eval_memory_test.sh
LONG_TESTS += tests/eval_memory_test.sh
if HAVE_CMOCKA
check_PROGRAMS += tests/forecast_validation
tests_forecast_validation_SOURCES = tests/forecast_validation.c tests/golden.c tests/golden.h
tests_forecast_validation_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
tests_forecast_validation_LDADD = libsecateur.a $(engine_libs)
LONG_TESTS += tests/forecast_validation tests/per_matrix_test.sh
endif
EXTRA_DIST += tests/results/forecast.md

if HAVE_CMOCKA
check_PROGRAMS += tests/knowledge_test
tests_knowledge_test_SOURCES = tests/knowledge_test.c
tests_knowledge_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/knowledge_test
check_PROGRAMS += tests/interchange_formats_test
tests_interchange_formats_test_SOURCES = tests/interchange_formats_test.c
tests_interchange_formats_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/interchange_formats_test
endif
EXTRA_DIST += tests/per_matrix_test.sh tests/calibrate_resume_test.sh tests/search_test.sh tests/tables/strategies.sh tests/tables/range.sh tests/results/strategies.md tests/results/strategies.csv
TESTS += tests/search_test.sh tests/calibrate_resume_test.sh
EXTRA_DIST += tests/budget_units_test.sh
TESTS += tests/budget_units_test.sh
EXTRA_PROGRAMS += tests/tables/paired
tests_tables_paired_SOURCES = tests/tables/paired.c
tests_tables_paired_LDADD = libsecateur.a $(engine_libs)

if HAVE_CMOCKA
check_PROGRAMS += tests/imatrix_test
tests_imatrix_test_SOURCES = tests/imatrix_test.c
tests_imatrix_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/imatrix_test
endif
EXTRA_DIST += tests/imatrix_test.sh
TESTS += tests/imatrix_test.sh
if HAVE_CMOCKA
check_PROGRAMS += tests/calibrate_more_test
tests_calibrate_more_test_SOURCES = tests/calibrate_more_test.c
tests_calibrate_more_test_CPPFLAGS = $(AM_CPPFLAGS) -DSAMPLE_FOLDER='"$(abs_top_srcdir)/samples/model"'
tests_calibrate_more_test_LDADD = $(unit_libs)
TESTS += tests/calibrate_more_test
endif
EXTRA_DIST += tests/forecast_record_test.sh
TESTS += tests/forecast_record_test.sh
check_PROGRAMS += tests/bench/bench_calibrate
tests_bench_bench_calibrate_SOURCES = tests/bench/bench_calibrate.c tests/bench/bench.h tests/made_folder.c tests/made_folder.h
tests_bench_bench_calibrate_LDADD = libsecateur.a $(engine_libs)

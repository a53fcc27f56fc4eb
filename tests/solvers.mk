# The methods and the statistics that they work on; included by tests/local.mk.
if HAVE_CMOCKA
solver_test_flags = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"'
matrix_case = tests/matrix_case.c tests/matrix_case.h tests/golden.c tests/golden.h
check_PROGRAMS += tests/sparsegpt_test tests/score_test
tests_sparsegpt_test_SOURCES = tests/sparsegpt_test.c $(matrix_case)
tests_sparsegpt_test_CPPFLAGS = $(solver_test_flags)
tests_sparsegpt_test_LDADD = $(unit_libs)
tests_score_test_SOURCES = tests/score_test.c $(matrix_case)
tests_score_test_CPPFLAGS = $(solver_test_flags)
tests_score_test_LDADD = $(unit_libs)
check_PROGRAMS += tests/method_test
tests_method_test_SOURCES = tests/method_test.c
tests_method_test_LDADD = $(unit_libs)
check_PROGRAMS += tests/permute_test
tests_permute_test_SOURCES = tests/permute_test.c
tests_permute_test_LDADD = $(unit_libs)
TESTS += tests/permute_test
check_PROGRAMS += tests/stepwise_test
tests_stepwise_test_SOURCES = tests/stepwise_test.c
tests_stepwise_test_LDADD = $(unit_libs)
TESTS += tests/stepwise_test
check_PROGRAMS += tests/quality_test
tests_quality_test_SOURCES = tests/quality_test.c tests/golden.c tests/golden.h
tests_quality_test_CPPFLAGS = $(solver_test_flags)
tests_quality_test_LDADD = $(unit_libs)
check_PROGRAMS += tests/accuracy_test
tests_accuracy_test_SOURCES = tests/accuracy_test.c tests/solve_f64.c tests/solve_f64.h
tests_accuracy_test_LDADD = $(unit_libs)
LONG_TESTS += tests/quality_test tests/accuracy_test
TESTS += tests/sparsegpt_test tests/score_test tests/method_test
endif

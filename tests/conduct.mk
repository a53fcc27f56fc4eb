# What holds for the tree and the program as a whole.
if HAVE_CMOCKA
check_PROGRAMS += tests/memory_fault_test
tests_memory_fault_test_SOURCES = tests/memory_fault_test.c tests/made_folder.c tests/made_folder.h
tests_memory_fault_test_LDADD = $(unit_libs)
TESTS += tests/memory_fault_test
endif

EXTRA_DIST += tests/tree_test.sh
TESTS += tests/tree_test.sh

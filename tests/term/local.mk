# What is kept of a session.
if HAVE_CMOCKA
check_PROGRAMS += tests/session_test
tests_session_test_SOURCES = tests/session_test.c
tests_session_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/session_test
endif

# What is kept of a session.
if HAVE_CMOCKA
check_PROGRAMS += tests/session_test
tests_session_test_SOURCES = tests/session_test.c
tests_session_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/session_test
endif

# How fast the screen answers: part of make bench.
if HAVE_VTERM
EXTRA_PROGRAMS += tests/bench/bench_screen
tests_bench_bench_screen_SOURCES = tests/bench/bench_screen.c tests/bench/bench.h tests/term/pty.c tests/term/pty.h
tests_bench_bench_screen_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"' -DABS_TOP_BUILDDIR='"$(abs_top_builddir)"'
tests_bench_bench_screen_CFLAGS = $(AM_CFLAGS) $(VTERM_CFLAGS)
tests_bench_bench_screen_LDADD = libsecateur.a $(VTERM_LIBS) $(engine_libs)
SCREEN_BENCHES = tests/bench/bench_screen
endif

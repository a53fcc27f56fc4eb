# What is kept of a session.
if HAVE_CMOCKA
check_PROGRAMS += tests/session_test
tests_session_test_SOURCES = tests/session_test.c
tests_session_test_LDADD = tests/libmade.a $(unit_libs)
TESTS += tests/session_test
endif

# How fast the screen answers: part of make bench.
if HAVE_VTERM
check_PROGRAMS += tests/bench/bench_screen
tests_bench_bench_screen_SOURCES = tests/bench/bench_screen.c tests/bench/bench.h tests/term/pty.c tests/term/pty.h
tests_bench_bench_screen_CPPFLAGS = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"' -DABS_TOP_BUILDDIR='"$(abs_top_builddir)"'
tests_bench_bench_screen_CFLAGS = $(AM_CFLAGS) $(VTERM_CFLAGS)
tests_bench_bench_screen_LDADD = libsecateur.a $(VTERM_LIBS) $(engine_libs)
SCREEN_BENCHES = tests/bench/bench_screen
endif

# The real program in a pseudo-terminal.
if HAVE_CMOCKA
if HAVE_VTERM
term_sources = tests/term/golden_screen.c tests/term/golden_screen.h tests/term/program.c tests/term/program.h tests/term/pty.c tests/term/pty.h
term_cppflags = $(AM_CPPFLAGS) -DABS_TOP_SRCDIR='"$(abs_top_srcdir)"' -DABS_TOP_BUILDDIR='"$(abs_top_builddir)"'
check_PROGRAMS += tests/screen_test tests/calibrated_test tests/conduct_test
tests_screen_test_SOURCES = tests/term/screen_test.c $(term_sources)
tests_screen_test_CPPFLAGS = $(term_cppflags)
tests_screen_test_CFLAGS = $(AM_CFLAGS) $(VTERM_CFLAGS)
tests_screen_test_LDADD = $(VTERM_LIBS) $(CMOCKA_LIBS) -lm
tests_calibrated_test_SOURCES = tests/term/calibrated_test.c $(term_sources)
tests_calibrated_test_CPPFLAGS = $(term_cppflags)
tests_calibrated_test_CFLAGS = $(AM_CFLAGS) $(VTERM_CFLAGS)
tests_calibrated_test_LDADD = $(VTERM_LIBS) $(CMOCKA_LIBS) -lm
tests_conduct_test_SOURCES = tests/term/conduct_test.c $(term_sources)
tests_conduct_test_CPPFLAGS = $(term_cppflags)
tests_conduct_test_CFLAGS = $(AM_CFLAGS) $(VTERM_CFLAGS)
tests_conduct_test_LDADD = libviews.a libsecateur.a $(VTERM_LIBS) $(CMOCKA_LIBS) $(screen_libs) $(engine_libs) -lm
TESTS += tests/screen_test tests/calibrated_test tests/conduct_test
LONG_TESTS += tests/term/monkey_test.sh
endif
check_PROGRAMS += tests/keymap_test
tests_keymap_test_SOURCES = tests/keymap_test.c
tests_keymap_test_LDADD = libviews.a libsecateur.a $(CMOCKA_LIBS) $(screen_libs) $(engine_libs)
TESTS += tests/keymap_test
check_PROGRAMS += tests/theme_test
tests_theme_test_SOURCES = tests/theme_test.c
tests_theme_test_LDADD = libviews.a libsecateur.a $(CMOCKA_LIBS) $(screen_libs) $(engine_libs)
TESTS += tests/theme_test
endif
EXTRA_DIST += tests/screens tests/term/monkey_test.sh tests/term/lsan.supp
